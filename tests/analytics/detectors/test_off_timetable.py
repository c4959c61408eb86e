"""Who keeps a timetable, and what is away from it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from made_traffic import REPOSITORIES, START, Made

from analytics.detectors.off_timetable import OffTimetable

DAY = timedelta(days=1)
NOW = START + 10 * DAY + timedelta(hours=14)
SCANNER = {"actor": "robot$scan", "actor_kind": "robot"}


def nights(hour: int = 2, step: int = 1, early: int = 0) -> Made:
    """Ten days on each of which (or on each `step`th) a scanner goes through everything, at one hour; on the last `early`
    days ten minutes before it.
    """
    made = Made()
    for day in range(0, 11, step):
        begun = START + day * DAY + timedelta(hours=hour, minutes=-10 if day > 10 - early else 0)
        for number, repository in enumerate(REPOSITORIES):
            made.add(begun + timedelta(seconds=5 * number), "pull", repository=repository, **SCANNER)
    return made


def use(made: Made, count: int, apart: timedelta, action: str = "pull") -> None:
    for number in range(count):
        made.add(NOW + number * apart, action, repository=REPOSITORIES[number], **SCANNER)


def judged(made: Made, folder: Path) -> list[str]:
    store = made.store(folder)
    try:
        found = OffTimetable().detect(store, NOW, NOW + timedelta(hours=5))
    finally:
        store.close()
    assert all(one.kind == "off_timetable" and one.evidence for one in found)
    return [str(one.severity) for one in found]


def test_image_by_image_in_the_afternoon(tmp_path: Path) -> None:
    made = nights()
    use(made, 6, timedelta(minutes=25))
    assert judged(made, tmp_path) == ["medium"]


def test_who_now_and_then_begins_before_the_hour_keeps_it_all_the_same(tmp_path: Path) -> None:
    made = nights(early=3)
    use(made, 6, timedelta(minutes=25))
    assert judged(made, tmp_path) == ["medium"]


def test_a_push_makes_it_graver(tmp_path: Path) -> None:
    made = nights()
    use(made, 5, timedelta(minutes=10))
    use(made, 1, timedelta(0), "push")
    assert judged(made, tmp_path) == ["high"]


def test_a_whole_run_at_another_hour_is_none(tmp_path: Path) -> None:
    made = nights()
    use(made, len(REPOSITORIES), timedelta(seconds=10))
    assert judged(made, tmp_path) == []


def test_an_hour_later_is_none(tmp_path: Path) -> None:
    """Neither is the next hour: clocks change; nor is anything for who comes now and then."""
    made = nights(hour=13)
    use(made, 6, timedelta(minutes=9))
    assert judged(made, tmp_path / "clock") == []
    made = nights(step=3)
    use(made, 6, timedelta(minutes=25))
    assert judged(made, tmp_path / "seldom") == []
