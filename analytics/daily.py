"""Detectors that hold a day against what the days before it say: its days, and what was learned for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from analytics.replay import Replay, floor, horizon
from analytics.windows import DAY, HOUR
from store.contract import EventReader

T = TypeVar("T")
AT_ONCE = timedelta(days=7)  # of a replay, read together


def each_day(since: datetime, now: datetime) -> Iterator[datetime]:
    """The beginnings of the days that [since, now) touches."""
    day = floor(since, DAY)
    while day < now:
        yield day
        day += DAY


def settled_days(
    store: EventReader, since: datetime, now: datetime, history: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """Of these days those before which so much is known, each with the time of the first event."""
    span = store.span()
    for day in each_day(since, now):
        if span is not None and day - span[0] >= history:
            yield day, span[0]


def hours_over(day: datetime, since: datetime, now: datetime) -> list[int]:
    """How many hours of the day were over at the moments in (since, now] at which one ended: 1 to 24."""
    return [hours for hours in range(1, 25) if max(since, day) < day + hours * HOUR <= min(day + DAY, now)]


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
    kept: dict[datetime, T],
    empty: Callable[[], T],
    advance: Callable[[T, datetime], T],
) -> T:
    """What is known at the beginning of `day` of the `history` before it: worked out day by day, from what was known of a day
    before where a `Replay`, or what lasts for it, has that; else kept in `kept` as by `learned`. `advance` makes of what is
    known at the beginning of a day what is known at its end, and changes nothing in place.
    """
    if not isinstance(store, Replay):
        return learned(store, kind, day, kept, lambda: _advanced(day - history, empty(), day, advance, lambda *_: None))
    run: dict[str, Any] = store.memo(f"{kind}, carried", "", dict)
    lasting: dict[str, Any] = run if store.lasting is None else store.lasting.learned
    settled = store.settled

    def keep(at: datetime, found: T) -> None:
        memory = lasting if settled is not None and at <= settled else run
        memory[_two(kind)[at.toordinal() % 2]] = (at, found)

    known = [memory[name] for memory in (run, lasting) for name in _two(kind) if name in memory]
    usable = [(at, found) for at, found in known if day - history <= at <= day]
    at, found = max(usable, key=lambda one: one[0]) if usable else (day - history, empty())
    return _advanced(at, found, day, advance, keep)


def days_before(
    store: EventReader,
    kind: str,
    day: datetime,
    history: timedelta,
    kept: dict[datetime, tuple[tuple[datetime, T], ...]],
    read: Callable[[datetime], T],
) -> tuple[tuple[datetime, T], ...]:
    """The days of the `history` before `day`, oldest first, each with what `read` gives of it; read once and `carried`."""

    def after(days: tuple[tuple[datetime, T], ...], over: datetime) -> tuple[tuple[datetime, T], ...]:
        return (*(one for one in days if one[0] >= over + DAY - history), (over, read(over)))

    return carried(store, kind, day, history, kept, tuple, after)


def _advanced(
    at: datetime,
    found: T,
    day: datetime,
    advance: Callable[[T, datetime], T],
    keep: Callable[[datetime, T], None],
) -> T:
    """From what is known at `at` to what is known at `day`; each day's end is kept."""
    while at < day:
        found = advance(found, at)
        at += DAY
        keep(at, found)
    return found


def block_of(
    store: EventReader,
    kind: str,
    day: datetime,
    now: datetime,
    read: Callable[[EventReader, datetime, datetime], T],
) -> T:
    """What `read` gives of a span that holds the day which begins at `day`, as far as the reader may look (`horizon`). A
    replay reads several days at a time, since each question also looks at the days around it; the newest span is kept.
    """
    end = min(day + DAY, horizon(store, now))
    if not isinstance(store, Replay):
        return read(store, day, end)
    blocks: dict[tuple[datetime, datetime], T] = store.memo(kind, "", dict)
    if not any(first <= day and end <= last for first, last in blocks):
        last = min(day + AT_ONCE, horizon(store, now))
        blocks.clear()
        blocks[day, last] = read(store.store, day, last)
    return next(iter(blocks.values()))


@lru_cache(maxsize=100_000)
def same(value: T) -> T:
    """Equal ones as one: what is kept of days is mostly what was kept of the day before."""
    return value


def _two(kind: str) -> tuple[str, str]:
    """Where two days are kept: shortly after midnight the day before is asked for again."""
    return f"{kind}, even", f"{kind}, odd"
