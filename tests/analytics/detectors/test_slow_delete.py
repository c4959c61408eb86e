"""Who deletes slowly, and whose work it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.detectors.slow_delete import SlowDelete

DAY = timedelta(days=1)
NOW = START + 10 * DAY


def history(pulls: int = 3) -> Made:
    """Ten days in which ann pulls, and pushes to one repository."""
    made = Made()
    for day in range(10):
        for number in range(pulls):
            made.pull(START + day * DAY + timedelta(hours=9, minutes=number), "ann", "192.0.2.1", "shop/api")
        made.add(START + day * DAY + timedelta(hours=10), "push", actor="ann", repository="shop/own")
    return made


def delete(made: Made, count: int, apart: timedelta, repository: str = "data/r{}", actor: str = "ann") -> None:
    for number in range(count):
        made.add(
            NOW + number * apart, "delete", actor=actor, repository=repository.format(number % 3), digest=f"d{number}"
        )


def judged(made: Made, folder: Path, days: int = 3) -> list[tuple[str, str]]:
    store, found = made.store(folder), {}
    try:
        at = NOW
        while at < NOW + days * DAY:
            found |= {one.cause: one for one in SlowDelete().detect(store, at, at + timedelta(hours=6))}
            at += timedelta(hours=6)
    finally:
        store.close()
    return [(one.subjects["actor"][0], str(one.severity)) for one in found.values()]


def test_a_few_a_day_of_others(tmp_path: Path) -> None:
    made = history()
    delete(made, 12, timedelta(hours=5))
    assert judged(made, tmp_path) == [("ann", "medium")]


def test_one_round_of_tidying_up_is_none(tmp_path: Path) -> None:
    made = history()
    delete(made, 20, timedelta(minutes=3))
    assert judged(made, tmp_path) == []


def test_ones_own_images_are_ones_own(tmp_path: Path) -> None:
    made = history()
    delete(made, 12, timedelta(hours=5), "shop/own")
    assert judged(made, tmp_path) == []


def test_a_job_that_deletes_and_an_account_made_for_it(tmp_path: Path) -> None:
    """A clean-up job has done more of that than of anything else; a new account is there for a migration."""
    made = history()
    for day in range(10):
        for number in range(9):
            made.add(START + day * DAY + number * timedelta(hours=2), "delete", actor="clean", repository="data/r1")
    delete(made, 30, timedelta(hours=2), actor="clean")
    for number in range(12):
        made.pull(NOW + timedelta(minutes=number), "robot$move", "10.0.0.1", "data/r1")
    delete(made, 12, timedelta(hours=5), actor="robot$move")
    assert judged(made, tmp_path) == []
