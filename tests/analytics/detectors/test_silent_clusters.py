"""Clusters that ask for nothing while everybody else goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.detectors.silent_clusters import SilentClusters

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = START + 10 * DAY + 10 * HOUR
Asks = Callable[[str, str, datetime], bool]  # whether an account asks for something of a project at this moment


def told(folder: Path, asks: Asks, newcomer: str = "") -> list[tuple[str, float, str]]:
    """Three clusters that ask for something of two projects every ten minutes. What is found: kind, hours since NOW, words."""
    made = Made()
    for step in range(12 * 144):
        at = START + step * timedelta(minutes=10)
        for name in ("k8s-a", "k8s-b", "k8s-c"):
            for project in ("base", "shop"):
                if asks(name, project, at):
                    made.add(at, "pull", actor=name, actor_kind="robot", repository=f"{project}/app")
                elif newcomer:
                    made.add(at, "pull", actor=newcomer, actor_kind="robot", repository=f"{project}/app")
    store = made.store(folder)
    try:
        found = SilentClusters().detect(store, NOW - DAY, NOW + 30 * HOUR)
    finally:
        store.close()
    return [(one.kind, (one.end - NOW) / HOUR, one.title) for one in found]


def silent(name: str, project: str = "", hours: float = 100) -> Asks:
    return lambda who, what, at: not (who == name and project in ("", what) and NOW <= at < NOW + hours * HOUR)


def test_one_asks_for_nothing(tmp_path: Path) -> None:
    """From the fourth hour on, for a day; also over midnight, and no longer than a day."""
    found = told(tmp_path, silent("k8s-b"))
    assert found[0] == ("cluster_silent", 4, "k8s-b asks for nothing for 4 h")
    assert {kind for kind, _, _ in found} == {"cluster_silent"}
    assert [at for _, at, _ in found] == list(range(4, 25))


def test_one_asks_for_nothing_of_a_project(tmp_path: Path) -> None:
    found = told(tmp_path, silent("k8s-b", "shop"))
    assert found[0] == ("project_unasked", 4, "k8s-b asks nothing of shop for 4 h")
    assert len(found) == 21


def test_it_was_away_for_a_moment(tmp_path: Path) -> None:
    assert told(tmp_path, silent("k8s-b", hours=3)) == []


def test_all_of_them_or_half_of_everything(tmp_path: Path) -> None:
    """The registry is silent, or its log."""
    assert told(tmp_path / "all", lambda _, __, at: at < NOW) == []
    assert told(tmp_path / "half", lambda who, _, at: at < NOW or (who != "k8s-b" and at.minute >= 40)) == []


def test_another_name_does_what_it_did(tmp_path: Path) -> None:
    assert told(tmp_path, silent("k8s-b"), newcomer="k8s-new") == []


def test_it_always_paused_for_hours(tmp_path: Path) -> None:
    """Each day at another hour, so that no hour is a quiet one."""

    def asks(who: str, _: str, at: datetime) -> bool:
        day = (at - START) // DAY
        return who != "k8s-b" or not START + day * DAY <= at - (7 * day % 19) * HOUR < START + day * DAY + 4 * HOUR

    assert told(tmp_path, asks) == []


def test_it_asks_in_bursts_at_night(tmp_path: Path) -> None:
    """One hour in five of its nights brings nothing by chance, so four of them together say little."""

    def asks(who: str, _: str, at: datetime) -> bool:
        if who != "k8s-b" or at.hour >= 6:
            return True
        day = (at - START) // DAY
        return (7 * day + 3 * at.hour) % 5 > 0 and not (day == 11 and at.hour < 4)

    assert told(tmp_path, asks) == []
