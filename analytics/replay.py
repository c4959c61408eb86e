"""A reader that asks the store once per span and answers the many small questions of the steps from memory.

Judging a fortnight in steps of five minutes puts 4,000 times nearly the same question. `Replay` reads each kind of
answer once for the whole span and cuts it: counts and windows are aligned, so a cut at a window's edge is what the
store itself would have answered. What it cannot cut exactly it passes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from store.arrivals import Arrival
from store.contract import EventQuery, EventReader, Voice

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def floor(moment: datetime, width: timedelta) -> datetime:
    """The start of the window of `width`, aligned to the epoch, in which `moment` lies."""
    return moment - (moment - EPOCH) % width


def days_since_epoch(day: datetime) -> int:
    """The number of a day, given by its beginning."""
    return (day - EPOCH) // timedelta(days=1)


@dataclass(slots=True)
class Lasting:
    """What one detection run leaves to the next: what was counted and learned of days that are over. Whoever keeps it empties
    it (`clear`) when a row comes that is late for such a day.
    """

    frames: dict[Any, tuple[Hashable, pd.DataFrame]] = field(default_factory=dict)
    learned: dict[str, tuple[Hashable, Any]] = field(default_factory=dict)

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
    _frames: dict[Hashable, pd.DataFrame] = field(default_factory=dict)
    _events: dict[Hashable, tuple[list[datetime], list[dict[str, Any]]]] = field(default_factory=dict)
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
        if key not in self._events:
            found = list(self.store.events(replace(query, since=self.since, until=self.until, newest_first=False)))
            self._events[key] = ([event["timestamp"] for event in found], found)
        times, found = self._events[key]
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
        frame = self._frame(("counts", tuple(by)), width, lambda first, last: self.store.counts(first, last, by, width))
        starts = frame["window_start"]
        return frame.iloc[starts.searchsorted(since) : starts.searchsorted(until)].reset_index(drop=True)

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        if not self._can_cut(since, until, width):
            return self.store.windows(since, until, width, subject)
        frame = self._frame(
            ("windows", subject), width, lambda first, last: self.store.windows(first, last, width, subject)
        )
        starts = frame.index.get_level_values("window_start")
        return frame[(starts >= since) & (starts < until)]

    def _frame(
        self, kind: Hashable, width: timedelta, load: Callable[[datetime, datetime], pd.DataFrame]
    ) -> pd.DataFrame:
        """Of the whole span; days that are over from what lasts, where there is such a memory."""
        key = (kind, width)
        if key not in self._frames:
            settled = self.settled
            if (
                self.lasting is None
                or settled is None
                or not self.since < settled < self.until
                or timedelta(days=1) % width
            ):
                self._frames[key] = load(self.since, self.until)
            else:
                span = (self.since, settled)
                over = _newest(self.lasting.frames, key, span, lambda: load(*span))
                self._frames[key] = _joined(over, load(settled, self.until))
        return self._frames[key]

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


def remember(store: EventReader, kind: str, key: Hashable, compute: Callable[[], T]) -> T:
    """`compute()`, kept for the next step where the reader is a `Replay`."""
    return store.memo(kind, key, compute) if isinstance(store, Replay) else compute()


def horizon(store: EventReader, now: datetime) -> datetime:
    """Up to when one may load at once: the end of a `Replay`, else `now`. What is loaded beyond `now` must not be
    used.
    """
    return max(store.until, now) if isinstance(store, Replay) else now
