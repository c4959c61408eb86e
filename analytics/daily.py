"""Detectors that hold a day against what the days before it say: its days, and what was learned for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

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


def carried(
    store: EventReader,
    kind: str,
    day: datetime,
    history: timedelta,
    empty: Callable[[], T],
    advance: Callable[[T, datetime], T],
) -> T:
    """What is known at the beginning of `day` of the `history` before it: worked out day by day, from what was known of a day
    before where a `Replay`, or what lasts for it, has that. `advance` makes of what is known at the beginning of a day what
    is known at its end, and changes nothing in place.
    """
    run, lasting = _memories(store, kind)
    known = [memory[name] for memory in (run, lasting) for name in _two(kind) if name in memory]
    usable = [(at, found) for at, found in known if day - history <= at <= day]
    at, found = max(usable, key=lambda one: one[0]) if usable else (day - history, empty())
    while at < day:
        found = advance(found, at)
        at += DAY
        settled = store.settled if isinstance(store, Replay) else None
        memory = lasting if settled is not None and at <= settled else run
        memory[_two(kind)[at.toordinal() % 2]] = (at, found)
    return found


def _memories(store: EventReader, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """That of this run, and that which lasts."""
    if not isinstance(store, Replay):
        return {}, {}
    run: dict[str, Any] = store.memo(f"{kind}, carried", "", dict)
    return run, run if store.lasting is None else store.lasting.learned


def _two(kind: str) -> tuple[str, str]:
    """Where two days are kept: shortly after midnight the day before is asked for again."""
    return f"{kind}, even", f"{kind}, odd"
