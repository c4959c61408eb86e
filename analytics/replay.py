"""A reader that asks the store once per week and answers the many small questions of the steps from memory.

Judging a fortnight in steps of five minutes puts 4,000 times nearly the same question. `Replay` reads each kind of
answer for days ahead and cuts it: counts and windows are aligned, so a cut at a window's edge is what the store itself
would have answered. What it cannot cut exactly it passes on. However long the span, a week of it is held at a time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from store.arrivals import Arrival
from store.contract import EventQuery, EventReader, Voice

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
AHEAD = timedelta(days=6)  # what is read for a day is read for a week
_AHEAD_OF_MANY = timedelta(days=2)  # of what is counted by the minute: nearly as many rows as there are events


def floor(moment: datetime, width: timedelta) -> datetime:
    """The start of the window of `width`, aligned to the epoch, in which `moment` lies."""
    return moment - (moment - EPOCH) % width


def days_since_epoch(day: datetime) -> int:
    """The number of a day, given by its beginning."""
    return (day - EPOCH) // _DAY


@dataclass(slots=True)
class Lasting:
    """What one detection run leaves to the next: what was counted and learned of days that are over. Whoever keeps it empties
    it (`clear`) when a row comes that is late for such a day.
    """

    frames: dict[Hashable, tuple[datetime, pd.DataFrame]] = field(default_factory=dict)
    learned: dict[str, tuple[Hashable, Any]] = field(default_factory=dict)

    def frame(self, key: Hashable, settled: datetime, load: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """What `load` gave of the days up to `settled`; those that end with an earlier day are forgotten."""
        if key not in self.frames or self.frames[key][0] != settled:
            found = load()
            for old in [one for one, (end, _) in self.frames.items() if end != settled]:
                del self.frames[old]
            self.frames[key] = (settled, found)
        return self.frames[key][1]

    def clear(self) -> None:
        self.frames.clear()
        self.learned.clear()


@dataclass(slots=True)
class Replay:
    """An `EventReader` over [since, until) of another one. Lives for one detection run: what is stored later is not
    seen. With `lasting`, what lies before the beginning of the day `settled` is taken from there.
    """

    store: EventReader
    since: datetime
    until: datetime
    lasting: Lasting | None = None
    settled: datetime | None = None
    _blocks: dict[Hashable, list[tuple[datetime, datetime, Any]]] = field(default_factory=dict)
    _memory: dict[str, tuple[Hashable, Any]] = field(default_factory=dict)
    _span: tuple[datetime, datetime] | None = None

    def memo(self, kind: str, key: Hashable, compute: Callable[[], T]) -> T:
        """What `compute` gave for `key`; only the newest key of each kind is kept, since time only goes forward."""
        return _newest(self._memory, kind, key, compute)

    def events(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        named = (query.actor, query.client, query.repository, query.reference, query.digest, query.ids or None)
        inside = query.since and query.until and self.since <= query.since and query.until <= self.until
        cut_by_time = not query.columns or "timestamp" in query.columns
        if not inside or not cut_by_time or query.limit is not None or any(name is not None for name in named):
            yield from self.store.events(query)
            return
        assert query.since is not None and query.until is not None
        key = (tuple(query.action), tuple(query.outcome), tuple(query.reason), tuple(query.columns))

        def load(first: datetime, last: datetime) -> tuple[list[datetime], list[dict[str, Any]]]:
            events = list(self.store.events(replace(query, since=first, until=last, newest_first=False)))
            return [event["timestamp"] for event in events], events

        times, found = self._block(("events", key), query.since, query.until, load)
        cut = found[bisect_left(times, query.since) : bisect_left(times, query.until)]
        yield from reversed(cut) if query.newest_first else cut

    def table(self, query: EventQuery) -> pa.Table:
        return self.store.table(query)

    def parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        return self.store.parts(query, numbered_by=numbered_by, besides=besides)

    def counts(
        self, since: datetime, until: datetime, by: Sequence[str], width: timedelta | None = None
    ) -> pd.DataFrame:
        if width is None or not self._can_cut(since, until, width):
            return self.store.counts(since, until, by, width)
        frame = self._frame(
            ("counts", tuple(by)), width, since, until, lambda first, last: self.store.counts(first, last, by, width)
        )
        starts = frame["window_start"]
        return frame.iloc[starts.searchsorted(since) : starts.searchsorted(until)].reset_index(drop=True)

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        if not self._can_cut(since, until, width):
            return self.store.windows(since, until, width, subject)
        frame = self._frame(
            ("windows", subject),
            width,
            since,
            until,
            lambda first, last: self.store.windows(first, last, width, subject),
        )
        starts = frame.index.get_level_values("window_start")
        return frame[(starts >= since) & (starts < until)]

    def _frame(
        self,
        kind: Hashable,
        width: timedelta,
        since: datetime,
        until: datetime,
        load: Callable[[datetime, datetime], pd.DataFrame],
    ) -> pd.DataFrame:
        """Of a span that holds [since, until); days that are over from what lasts, where there is such a memory."""
        key = (kind, width)

        def lasting(first: datetime, last: datetime) -> pd.DataFrame:
            settled = self.settled
            if self.lasting is None or settled is None or not first < settled < last or _DAY % width:
                return load(first, last)
            over = self.lasting.frame((key, first), settled, lambda: load(first, settled))
            return _joined(over, load(settled, last))

        return self._block(key, since, until, lasting, ahead=AHEAD if width >= _HOUR else _AHEAD_OF_MANY)

    def _block(
        self,
        key: Hashable,
        since: datetime,
        until: datetime,
        load: Callable[[datetime, datetime], T],
        ahead: timedelta = AHEAD,
    ) -> T:
        """What `load` gives of whole days that hold [since, until) and of some days ahead, for time only goes forward. Of each
        key the two newest are kept: one for what was learned, one for the day.
        """
        blocks = self._blocks.setdefault(key, [])
        for first, last, found in blocks:
            if first <= since and until <= last:
                return cast(T, found)
        first, last = floor(since, _DAY), min(floor(until - EPOCH.resolution, _DAY) + _DAY + ahead, self.until)
        first, last = max(first, self.since), max(last, until)
        found = load(first, last)
        blocks[:] = [*blocks[-1:], (first, last, found)]
        return found

    def learn(self, kind: str, day: datetime, compute: Callable[[], T]) -> T:
        """What `compute` says of the time before `day`, a moment at midnight."""
        if self.lasting is None or self.settled is None or day > self.settled:
            return self.memo(kind, day, compute)
        return _newest(self.lasting.learned, kind, day, compute)

    def span(self) -> tuple[datetime, datetime] | None:
        if self._span is None:
            self._span = self.store.span()
        return self._span

    def arrived(self, stored_since: datetime, since: datetime, before: datetime) -> list[Arrival]:
        return self.store.arrived(stored_since, since, before)

    def total(self) -> int:
        return self.store.total()

    def _can_cut(self, since: datetime, until: datetime, width: timedelta) -> bool:
        """A cut is exact where no window is cut in two that the store would have counted only in part."""
        aligned = floor(since, width) == since and (until == self.until or floor(until, width) == until)
        return aligned and self.since <= since and until <= self.until


def _newest(memory: dict[Any, tuple[Hashable, Any]], kind: Hashable, key: Hashable, compute: Callable[[], T]) -> T:
    """What `compute` gave for `key`; of each kind `memory` holds the newest key only."""
    if kind not in memory or memory[kind][0] != key:
        memory[kind] = (key, compute())
    value: T = memory[kind][1]
    return value


def _joined(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    if not len(before) or not len(after):
        return after if not len(before) else before
    import pandas as pd

    numbered = isinstance(before.index, pd.RangeIndex)
    both = pd.concat([before, after], ignore_index=numbered)
    return both if numbered else both.sort_index()


def behind(store: EventReader) -> EventReader:
    """The store itself, for what is not worth keeping from step to step."""
    return store.store if isinstance(store, Replay) else store


def remember(store: EventReader, kind: str, key: Hashable, compute: Callable[[], T]) -> T:
    """`compute()`, kept for the next step where the reader is a `Replay`."""
    return store.memo(kind, key, compute) if isinstance(store, Replay) else compute()


def horizon(store: EventReader, now: datetime) -> datetime:
    """Up to when one may load at once: the end of a `Replay`, else `now`. What is loaded beyond `now` must not be
    used.
    """
    return max(store.until, now) if isinstance(store, Replay) else now
