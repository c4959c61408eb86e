"""When all that are always there are told of less."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.detectors.thinned_log import ThinnedLog

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = START + 9 * DAY + 10 * HOUR


def told(kept: dict[str, float], folder: Path, moved: bool = False) -> list[tuple[float, str]]:
    """Three clusters that ask every three minutes, of whom `kept` says which share is told from NOW on. Gives what is found:
    hours until then, and the words.
    """
    made = Made()
    for step in range(10 * 480):
        at = START + step * timedelta(minutes=3)
        for name, share in kept.items():
            if at < NOW or (step * 7 % 10) / 10 < share:
                made.add(at, "pull", actor=name, actor_kind="robot", repository="base/a")
            elif moved:
                made.add(at, "pull", actor="k8s-new", actor_kind="robot", repository="base/a")
    store = made.store(folder)
    try:
        found = ThinnedLog().detect(store, NOW - 12 * HOUR, NOW + 9 * HOUR)
    finally:
        store.close()
    return [((one.end - NOW) / HOUR, one.title) for one in found]


def test_half_of_all_is_missing(tmp_path: Path) -> None:
    found = told({"k8s-a": 0.5, "k8s-b": 0.5, "k8s-c": 0.5}, tmp_path)
    assert found and 2 <= found[0][0] <= 4
    assert found[0][1].startswith("made tells of")


def test_one_of_them_does_less(tmp_path: Path) -> None:
    assert told({"k8s-a": 0.2, "k8s-b": 1.0, "k8s-c": 1.0}, tmp_path) == []


def test_a_little_less_or_nothing_at_all_is_for_others_to_tell(tmp_path: Path) -> None:
    assert told({"k8s-a": 0.9, "k8s-b": 0.9, "k8s-c": 0.8}, tmp_path / "little") == []
    assert [at for at, _ in told({"k8s-a": 0.0, "k8s-b": 0.0}, tmp_path / "silent")] == []


def test_what_goes_under_another_name_is_not_missing(tmp_path: Path) -> None:
    assert told({"k8s-a": 0.4, "k8s-b": 0.4, "k8s-c": 0.4}, tmp_path, moved=True) == []


def test_a_week_is_enough_to_judge_by(tmp_path: Path) -> None:
    """On the first day that may be judged there is no same weekday to hold it against."""
    made = Made()
    for step in range(8 * 480):
        at = START + step * timedelta(minutes=3)
        for name in ("k8s-a", "k8s-b"):
            if at < START + 7 * DAY + 10 * HOUR or step % 2:
                made.add(at, "pull", actor=name, actor_kind="robot", repository="base/a")
    store = made.store(tmp_path)
    try:
        found = ThinnedLog().detect(store, START + 7 * DAY, START + 8 * DAY)
    finally:
        store.close()
    assert [one.kind for one in found][:1] == ["log_thinned"]
