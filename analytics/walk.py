"""One walk through the events, in order of time: what detectors remember that keep a ledger.

A ledger of 30 days cannot be read again every minute. What was learned up to the start of a day is kept, the day itself is
walked again at each question: what comes late within a day is judged where it belongs, and the same question has the same
answer. An entry that is touched during a day is copied first, so that the kept one stays as it was; on the way through days that
nobody will ask for again it is changed where it is.
"""

from __future__ import annotations

import heapq
import pickle
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from analytics.detector import Suspicion
from analytics.replay import Replay, behind, floor, horizon, remember
from analytics.walked import of_day
from analytics.windows import DAY
from store.contract import EventQuery, EventReader

K = TypeVar("K")
V = TypeVar("V")
Event = dict[str, Any]


class Layer(dict[K, V], Generic[K, V]):
    """Entries of today on top of those of the days before; reading one through `[]` makes it today's own: a copy, unless what
    is `below` is given up.
    """

    def __init__(self, below: dict[K, V], make: Callable[[], V], *, given_up: bool) -> None:
        super().__init__()
        self.below, self.make, self.given_up = below, make, given_up

    def __missing__(self, key: K) -> V:
        value = self.below.get(key)
        if value is None:
            value = self.make()
        elif not self.given_up:
            value = _copy(value)
        self[key] = value
        return value

    def look(self, key: K) -> V | None:
        """The entry as it is, not to be changed; None where there is none."""
        found = self.get(key)
        return self.below.get(key) if found is None else found

    def keys_of_all(self) -> Iterator[K]:
        """Every key of both layers, once."""
        yield from self
        yield from (key for key in self.below if key not in self)


def _copy(value: V) -> V:
    """By the value's own `copied`, where it knows what of it is ever changed; else by way of pickle, which copies all of it in a
    third of the time that `deepcopy` takes.
    """
    copied: Callable[[], V] | None = getattr(value, "copied", None)
    return copied() if copied is not None else pickle.loads(pickle.dumps(value, -1))  # noqa: S301 (our own)


@dataclass(slots=True)
class Memory:
    """What a walk knows so far: tables by name, and what it waits for."""

    began: datetime | None  # of the first event of all
    given_up: bool = False  # whether what is below may be changed
    tables: dict[str, Layer[Any, Any]] = field(default_factory=dict)
    waiting: list[tuple[datetime, int, Any]] = field(default_factory=list)
    below: dict[str, dict[Any, Any]] = field(default_factory=dict)
    number: int = 0

    def table(self, name: str, make: Callable[[], V]) -> Layer[Any, V]:
        """The table of that name; `make` gives an entry that is new."""
        found = self.tables.get(name)
        if found is None:
            found = self.tables[name] = Layer(self.below.get(name, {}), make, given_up=self.given_up)
        return found

    def reaches_back(self, at: datetime, span: timedelta) -> bool:
        """Whether there were events so long before."""
        return self.began is not None and at - self.began >= span

    def wait(self, until: datetime, what: Any) -> None:
        """Ask for `what` again at a moment, whatever happens until then."""
        self.number += 1
        heapq.heappush(self.waiting, (until, self.number, what))


See = Callable[[Memory, Event], Iterable[Suspicion]]
Late = Callable[[Memory, datetime, Any], Iterable[Suspicion]]


@dataclass(slots=True)
class _Kept:
    """Everything before the start of a day."""

    below: dict[str, dict[Any, Any]] = field(default_factory=dict)
    waiting: list[tuple[datetime, int, Any]] = field(default_factory=list)
    number: int = 0


@dataclass(slots=True)
class Walk:
    """Goes through the events with these actions; `see` is called with each, `late` with what is waited for when its time
    has come. A suspicion's `end` is the moment at which it was complete.

    Entries have a `seen`, the time of their last event: what was not seen within `history` is forgotten.
    """

    name: str
    actions: Sequence[str]
    history: timedelta
    see: See
    late: Late | None = None
    outcomes: Sequence[str] = ()
    columns: Sequence[str] = ()  # what `see` looks at: all fields if none are named
    kept: dict[datetime, _Kept] = field(default_factory=dict)

    def between(self, store: EventReader, since: datetime, now: datetime) -> list[Suspicion]:
        """What was complete in [since, now), knowing only what was before."""
        found: list[Suspicion] = []
        start = since
        while start < now:
            day = floor(start, DAY)
            of_day = self._day(store, day, now)
            end = min(day + DAY, now)
            times = [one.end for one in of_day]
            found += of_day[bisect_left(times, start) : bisect_left(times, end)]
            start = end
        return found

    def _day(self, store: EventReader, day: datetime, now: datetime) -> list[Suspicion]:
        """All of a day, where the reader may look ahead: what is complete at a moment depends on nothing behind it."""
        until = min(day + DAY, horizon(store, now))
        return remember(store, self.name, day, lambda: self._of_day(store, day, until))

    def _of_day(self, store: EventReader, day: datetime, until: datetime) -> list[Suspicion]:
        span = store.span()
        if span is None or span[0] >= until:
            return []
        state, over = self._at(store, day, span[0]), until == day + DAY
        # A replay that goes on for days will not come back to this one; the judging of today asks for yesterday now and then.
        passing = over and isinstance(store, Replay) and day + 2 * DAY < store.until
        if passing:
            del self.kept[day]
        found, memory = self._walk(store, state, day, until, span[0], given_up=passing, shared=passing)
        if over:
            self._keep(until, memory)
        return found

    def _at(self, store: EventReader, day: datetime, began: datetime) -> _Kept:
        for later in [known for known in self.kept if known > day]:
            del self.kept[later]  # the day is asked for again: something may have come in late, and is part of it now
        if day in self.kept:
            return self.kept[day]
        earlier = [known for known in self.kept if known < day]
        start = max(earlier, default=day)
        state = self.kept[start] if earlier and day - start <= self.history else _Kept()
        start = start if earlier and day - start <= self.history else max(day - self.history, floor(began, DAY))
        while start < day:
            passing = start < day - DAY
            if passing:
                self.kept.pop(start, None)
            _, memory = self._walk(store, state, start, start + DAY, began, given_up=passing)
            start += DAY
            state = self._keep(start, memory)
        self.kept.setdefault(day, state)
        return state

    def _keep(self, day: datetime, memory: Memory) -> _Kept:
        """What is known at the beginning of `day`."""
        state = self.kept[day] = _merged(memory, day - self.history)
        for old in sorted(self.kept)[:-2]:  # shortly after midnight the day before is asked for again
            del self.kept[old]
        return state

    def _walk(
        self,
        store: EventReader,
        state: _Kept,
        since: datetime,
        until: datetime,
        began: datetime,
        *,
        given_up: bool = False,
        shared: bool = False,
    ) -> tuple[list[Suspicion], Memory]:
        memory = Memory(
            began=began, given_up=given_up, below=state.below, waiting=list(state.waiting), number=state.number
        )
        found: list[Suspicion] = []
        query = EventQuery(
            since=since,
            until=until,
            action=tuple(self.actions),
            outcome=tuple(self.outcomes),
            columns=tuple(self.columns),
        )
        if shared and isinstance(store, Replay):
            events: Iterable[Event] = of_day(store, query)
        else:  # a replay would keep all events of its span; a day at a time is enough
            events = behind(store).events(query)
        for event in events:
            if memory.waiting and memory.waiting[0][0] < event["timestamp"]:
                found += self._due(memory, event["timestamp"])
            found += self.see(memory, event)
        found += self._due(memory, until)
        return sorted(found, key=lambda one: one.end), memory

    def _due(self, memory: Memory, until: datetime) -> Iterator[Suspicion]:
        while memory.waiting and memory.waiting[0][0] < until:
            at, _, what = heapq.heappop(memory.waiting)
            if self.late is not None:
                yield from self.late(memory, at, what)


def _merged(memory: Memory, oldest: datetime) -> _Kept:
    below = memory.below if memory.given_up else dict(memory.below)
    for name, layer in memory.tables.items():
        merged = below.get(name, {})
        if memory.given_up:
            merged.update(layer)
        else:
            merged = merged | dict(layer)
        for key in [key for key, value in merged.items() if getattr(value, "seen", oldest) < oldest]:
            del merged[key]
        below[name] = merged
    return _Kept(below=below, waiting=memory.waiting, number=memory.number)
