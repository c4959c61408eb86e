"""What a clean-up takes, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.young_deletes import YoungDeletes

NOW = START + timedelta(days=14, hours=10)
WHERE = ("shop/api", "shop/web", "data/etl")
MINUTE = timedelta(minutes=1)


def digest(where: str, number: int) -> str:
    return f"sha256:{where.encode().hex()}{number:0>40}"


def delete(made: Made, at: datetime, where: str, numbers: Iterable[int], actor: str = "cleanup") -> None:
    for place, number in enumerate(numbers):
        made.add(
            at + place * MINUTE,
            "delete",
            actor=actor,
            client_ip="10.0.0.1",
            repository=where,
            digest=digest(where, number),
        )


def history(*, digests: bool = True, pinned: Iterable[int] = ()) -> Made:
    """Two versions a day of each repository; on two Sundays the newest ten stay, and what is pinned."""
    made = Made()
    for where in WHERE:
        for number in range(28):
            name = {"digest": digest(where, number)} if digests else {}
            at = START + timedelta(hours=12 * number)
            made.add(at, "push", actor="ci", repository=where, tag=f"v{number}", reference=f"v{number}", **name)
        delete(made, START + timedelta(days=6, hours=4), where, (one for one in range(2) if one not in pinned))
        delete(made, START + timedelta(days=13, hours=4), where, (one for one in range(2, 16) if one not in pinned))
    return made


def judged(made: Made, folder: Path) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(YoungDeletes().detect(store, START + timedelta(days=7), NOW + timedelta(hours=4)))
    finally:
        store.close()


def test_it_takes_the_young_and_leaves_the_old(tmp_path: Path) -> None:
    """From the second on; again at twice as many; ten are high."""
    made = history()
    delete(made, NOW, "shop/api", [24])
    assert judged(made, tmp_path / "one") == []
    delete(made, NOW + MINUTE, "shop/web", [25])
    (found,) = judged(made, tmp_path / "two")
    assert (found.kind, str(found.severity)) == ("young_versions_deleted", "medium")
    assert found.subjects == {"actor": ["cleanup"], "client": ["10.0.0.1"], "repository": ["shop/api", "shop/web"]}
    assert found.expected == "versions with at least 11 newer ones behind them, and no older ones left"
    assert len(found.evidence) == 2
    for place, where in enumerate(WHERE):
        delete(made, NOW + (10 + 10 * place) * MINUTE, where, [23, 22, 26, 21, 20])
    assert [str(one.severity) for one in judged(made, tmp_path / "many")] == ["medium", "medium", "medium", "high"]


@pytest.mark.parametrize("until", [24, 28])
def test_a_rule_that_was_made_stricter_takes_the_old_as_well(tmp_path: Path, until: int) -> None:
    made = history()
    for where in WHERE:
        delete(made, NOW, where, range(16, until))
    assert judged(made, tmp_path) == []


def test_who_always_left_some_may_leave_some(tmp_path: Path) -> None:
    """What is pinned stays for good."""
    made = history(pinned=(3, 5, 7))
    delete(made, NOW, "shop/api", range(16, 27))
    delete(made, NOW, "shop/web", range(16, 27))
    assert judged(made, tmp_path) == []


def test_others_and_a_first_clean_up(tmp_path: Path) -> None:
    """Who never cleaned up has no custom (`slow_delete` and rules tell of deletes that are new to an account)."""
    made = history()
    delete(made, NOW, "shop/api", [24, 25], actor="ann")
    assert judged(made, tmp_path) == []


def test_what_came_by_a_tag_alone_is_not_known(tmp_path: Path) -> None:
    made = history(digests=False)
    delete(made, NOW, "shop/api", [24, 25])
    assert judged(made, tmp_path) == []
