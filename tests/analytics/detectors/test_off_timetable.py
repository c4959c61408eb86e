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


def missed(made: Made, folder: Path) -> list[tuple[str, list[str]]]:
    """What is told of the day after the ten, in steps of five minutes."""
    store, detector, at = made.store(folder), OffTimetable(), START + 11 * DAY
    found = []
    while at < START + 11 * DAY + timedelta(hours=12):
        found += detector.detect(store, at, at + timedelta(minutes=5))
        at += timedelta(minutes=5)
    store.close()
    return [(f"{one.end:%H:%M} {one.kind} {one.severity}", one.subjects["actor"]) for one in found]


def others(made: Made) -> Made:
    for day in range(12):
        for hour in range(24):
            at = START + day * DAY + timedelta(hours=hour, minutes=30)
            made.add(at, "pull", actor="robot$node", actor_kind="robot", repository=REPOSITORIES[0])
    return made


def test_a_scan_that_does_not_come_is_told_once_while_others_read(tmp_path: Path) -> None:
    assert missed(others(nights()), tmp_path) == [("04:59 timetable_missed medium", ["robot$scan"])]


def narrowed(made: Made, step: int = 5) -> Made:
    """On the eleventh night the scanner comes and leaves out `web`."""
    for number, repository in enumerate(one for one in REPOSITORIES if not one.startswith("web/")):
        at = START + 11 * DAY + timedelta(hours=2, seconds=step * number)
        made.add(at, "pull", repository=repository, **SCANNER)
    return made


def at_work(made: Made, days: range) -> Made:
    for day in days:
        at = START + day * DAY + timedelta(hours=1)
        made.add(at, "push", actor="robot$ci", actor_kind="robot", repository="web/a")
    return made


def test_a_scan_that_leaves_out_a_project_in_which_others_are_at_work(tmp_path: Path) -> None:
    made = at_work(narrowed(others(nights())), range(12))
    assert missed(made, tmp_path) == [("04:59 timetable_narrowed medium", ["robot$scan"])]


def test_a_project_that_is_gone_and_a_scan_that_goes_on_or_breaks_off_are_no_news(tmp_path: Path) -> None:
    """Nor a project that it does not read on each day, or of which it reads little."""
    gone = at_work(narrowed(others(nights())), range(9))
    slow = at_work(narrowed(others(nights()), step=250), range(12))
    broken = at_work(others(nights()), range(12))
    for number, repository in enumerate(REPOSITORIES[:14]):
        broken.add(START + 11 * DAY + timedelta(hours=2, seconds=number), "pull", repository=repository, **SCANNER)
    seldom, little = (at_work(narrowed(others(nights())), range(12)) for _ in range(2))
    skipped = (START + 8 * DAY).date()
    seldom.events = [one for one in seldom.events if one["timestamp"].date() != skipped or one["project"] != "web"]
    little.events = [one for one in little.events if one["project"] != "web" or one["repository"] in ("web/a", "web/b")]
    for name, made in {"gone": gone, "slow": slow, "broken": broken, "seldom": seldom, "little": little}.items():
        assert not [what for what, _ in missed(made, tmp_path / name) if "narrowed" in what], name


def test_a_scan_that_comes_or_a_log_that_tells_of_nobody_is_no_miss(tmp_path: Path) -> None:
    """Nor a job that came every second day, or that read little."""
    late = others(nights())
    late.add(START + 11 * DAY + timedelta(hours=4), "pull", repository=REPOSITORIES[0], **SCANNER)
    few = others(Made())
    for day in range(11):
        few.add(START + day * DAY + timedelta(hours=2), "pull", repository=REPOSITORIES[0], **SCANNER)
    for name, made in {"late": late, "alone": nights(), "step": others(nights(step=2)), "few": few}.items():
        assert missed(made, tmp_path / name) == [], name
