"""Who asks for layers where others push."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.layer_soundings import LayerSoundings

NOW = START + timedelta(days=12, hours=10)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def look(made: Made, at: datetime, repository: str, actor: str | None = "ann", **fields: object) -> None:
    who = {"actor": actor, "client_ip": "192.0.2.1", "digest": f"sha256:{7:064x}"} | fields
    made.add(at, "layer_check", "failure", reason="not_found", repository=repository, **who)


def builds() -> Made:
    """A robot that asks for a layer of the base in each of eight repositories, and pushes there minutes later."""
    made = Made()
    for day in range(12):
        for number in range(8):
            at = START + timedelta(days=day, hours=9, minutes=number)
            look(made, at, f"shop/r{number}", "robot$ci")
            made.add(at + 20 * MINUTE, "push", actor="robot$ci", client_ip="10.30.0.1", repository=f"shop/r{number}")
    return made


def judged(made: Made, folder: Path, since: datetime = NOW) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(LayerSoundings().detect(store, since, NOW + 6 * HOUR))
    finally:
        store.close()


@pytest.mark.parametrize(("many", "told"), [(3, []), (4, ["medium"]), (20, [*16 * ["medium"], "high"])])
def test_a_layer_looked_for_where_others_push(many: int, told: list[str], tmp_path: Path) -> None:
    made = builds()
    for number in range(many):
        look(made, NOW + number * MINUTE, f"bank/r{number}")
    found = judged(made, tmp_path)
    assert [str(one.severity) for one in found] == told
    assert all(one.subjects["actor"] == ["ann"] for one in found) and len({one.cause for one in found}) <= 1
    assert not found or (len(found[-1].evidence) == many and found[0].end == NOW + 3 * MINUTE + HOUR)


def test_without_a_name_the_address_stands_for_it(tmp_path: Path) -> None:
    made = builds()
    for number in range(4):
        look(made, NOW + number * MINUTE, f"bank/r{number}", None)
    assert [one.subjects["client"] for one in judged(made, tmp_path)] == [["192.0.2.1"]]


def test_a_push_that_names_nobody_is_that_of_who_asked_from_there(tmp_path: Path) -> None:
    """Distribution 2.8 names who is refused or asks in vain, and not who pushes."""
    made = builds()
    for number in range(6):
        at = NOW + number * MINUTE
        look(made, at, f"bank/r{number}", "robot$new", client_ip=f"10.30.7.{number}")
        made.add(at + MINUTE, "push", client_ip=f"10.30.7.{number}", repository=f"bank/r{number}")
    assert judged(made, tmp_path) == []


def test_who_pushes_after_the_question_is_a_build(tmp_path: Path) -> None:
    """Also a new one, that begins with everything on one morning."""
    made = builds()
    for number in range(8):
        look(made, NOW + number * MINUTE, f"bank/r{number}", "robot$new")
        made.add(NOW + (number + 50) * MINUTE, "push", actor="robot$new", repository=f"bank/r{number}")
    assert judged(made, tmp_path) == []


def test_nodes_and_slow_questions_are_left_out(tmp_path: Path) -> None:
    made = builds()
    for number in range(8):
        look(made, NOW + number * MINUTE, f"bank/r{number}", "nodes", traffic_class="cluster")
        look(made, NOW - number * timedelta(days=1, hours=2), f"bank/r{number}", "slow")
    assert judged(made, tmp_path) == []


def test_the_first_week_and_a_task_of_long_are_nothing_to_wake_for(tmp_path: Path) -> None:
    made = Made()
    for number in range(8):
        look(made, NOW + number * MINUTE, f"bank/r{number}")
    assert judged(made, tmp_path / "young") == []
    made = builds()
    for day in (2, 3, 12):  # the first two are within the first week
        for number in range(8):
            look(made, START + timedelta(days=day, hours=10, minutes=number), f"bank/r{number}")
    assert {str(one.severity) for one in judged(made, tmp_path / "old")} == {"low"}
