"""Whose repository fills with versions, and where that is how it always was."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.push_volume import PushVolume

NOW = START + timedelta(days=14, hours=10)


def push(made: Made, at: datetime, version: str, actor: str = "robot$ci", repository: str = "shop/api") -> None:
    where = {"actor": actor, "client_ip": "192.0.2.1", "repository": repository}
    made.add(at, "push", tag=version, reference=version, digest=f"sha256:{version:0>64}", **where)


def built(a_day: int, days: int = 14) -> Made:
    made = Made()
    for day in range(14):
        push(made, START + timedelta(days=day, hours=8), "same", repository="shop/other")  # the log reaches back
    for day in range(14 - days, 14):
        for number in range(a_day):
            push(made, START + timedelta(days=day, hours=9, minutes=number), f"{day}-{number}")
    return made


def judged(made: Made, folder: Path, start: datetime = NOW, hours: float = 2) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(PushVolume().detect(store, start, start + timedelta(hours=hours)))
    finally:
        store.close()


@pytest.mark.parametrize(
    ("a_day", "now", "told"),
    [
        (2, 15, []),
        (2, 16, ["medium"]),
        (2, 120, ["high"]),
        (12, 28, []),  # twice the most there ever was, and some
        (12, 32, ["medium"]),
    ],
)
def test_versions_of_a_day_beside_the_most_there_were(a_day: int, now: int, told: list[str], tmp_path: Path) -> None:
    made = built(a_day)
    for number in range(now):
        push(made, NOW + timedelta(seconds=20 * number), f"x{number}", "ann")
    found = judged(made, tmp_path)
    assert [str(one.severity) for one in found] == told
    assert all((one.subjects["actor"], len(one.evidence)) == (["ann"], now) for one in found)


def test_days_add_up_and_raise_no_bar(tmp_path: Path) -> None:
    """Ten a day are no news of one day; of the fourth they are."""
    made = built(1)
    for day in range(4):
        for number in range(10):
            push(made, NOW + timedelta(days=day, minutes=number), f"x{day}-{number}", "ann")
    found = judged(made, tmp_path, NOW, hours=3 * 24 + 1)
    assert [(str(one.severity), one.start, one.subjects["actor"]) for one in found][-1:] == [("medium", NOW, ["ann"])]
    assert all(one.end > NOW + timedelta(days=3) for one in found)


def test_new_repositories_and_new_tags_of_one_image_are_ordinary(tmp_path: Path) -> None:
    made = built(2, days=5)  # known for less than a week: a migration goes on
    for number in range(60):
        at = NOW + timedelta(seconds=30 * number)
        push(made, at, f"x{number}")
        push(made, at, f"y{number}", repository="shop/moved")
        where = {"actor": "ann", "repository": "shop/other", "digest": f"sha256:{1:064x}"}
        made.add(at, "push", tag=f"t{number}", reference=f"t{number}", **where)
    assert judged(made, tmp_path) == []
