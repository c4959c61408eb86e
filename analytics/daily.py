"""Detectors that hold a day against what the days before it say: its days, and what was learned for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from analytics.replay import Replay, floor
from analytics.windows import DAY
from store.contract import EventReader

T = TypeVar("T")


def each_day(since: datetime, now: datetime) -> Iterator[datetime]:
    """The beginnings of the days that [since, now) touches."""
    day = floor(since, DAY)
    while day < now:
        yield day
        day += DAY


def learned(store: EventReader, kind: str, day: datetime, kept: dict[datetime, T], learn: Callable[[], T]) -> T:
    """What `learn()` says of the time before `day`: once for each day of a `Replay` and of what lasts for it, else kept in
    `kept` until another day is asked for.
    """
    if isinstance(store, Replay):
        return store.learn(kind, day, learn)
    if day not in kept:
        found = learn()
        kept.clear()
        kept[day] = found
    return kept[day]
