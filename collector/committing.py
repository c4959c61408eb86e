"""The writing side of the pipeline: batches are joined and stored, and whoever waits for it is told.

One batch at a time is on its way into the store, in a thread of its own; the next one is read and joined meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar

from collector.backoff import Backoff
from collector.batches import Batch
from collector.drift import DriftTallies
from collector.feed import Feed, KnowsUnread, Patient, WantsReceipts
from collector.interpret import Interpreted, with_time
from collector.joins.joiner import Joiner
from collector.ledger import Ledger
from collector.readers import SLICE_SECONDS, sleep
from collector.stages import Source
from collector.telemetry import CollectorTelemetry
from store.contract import Committed, EventQuery, EventWriter, Position
from store.errors import Rejected, Unavailable

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

SAY_SECONDS = 60.0  # how often a store that does not answer is mentioned
LAG_SECONDS = 1.0
T = TypeVar("T")


@dataclass(slots=True)
class _Noted:
    """What is known of the blocks of one batch."""

    receipts: list[tuple[WantsReceipts, Position]] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)  # bytes per source
    newest: dict[str, datetime] = field(default_factory=dict)
    hurried: bool = False  # somebody waits for a receipt


@dataclass(frozen=True, slots=True)
class _Flight:
    """A batch that is on its way into the store; `ends`: its first and last time, None where it has no rows. The result: what was
    done, and in how many seconds; None where it was given up."""

    events: pa.Table
    ends: tuple[datetime, datetime] | None
    noted: _Noted
    result: Future[tuple[Committed, float] | None]


class Committer:
    """Stores batch after batch, and knows how far behind each source the store is. For the writer's thread alone."""

    def __init__(
        self,
        store: EventWriter,
        telemetry: CollectorTelemetry,
        *,
        joiner: Joiner | None,
        drift: DriftTallies | None,
        ledger: Ledger | None,
        clock: Callable[[], datetime],
        backoff: Callable[[], Backoff],
    ) -> None:
        self._store, self._telemetry, self._joiner = store, telemetry, joiner
        self._drift, self._ledger, self._clock, self._backoff = drift, ledger, clock, backoff
        self._noted = _Noted()
        self._flight: _Flight | None = None
        self._beside = ThreadPoolExecutor(1, "store")
        self._given_up = threading.Event()
        self._stored_newest: dict[str, datetime] = {}
        self._days: set[date] = set()  # of event time, that this run stored something of
        self._lag_told = 0.0
        self.stored = False  # whether one is

    @property
    def hurried(self) -> bool:
        """Whether somebody waits for a receipt of the batch that is being filled."""
        return self._noted.hurried

    def note(self, source: Source, got: Interpreted, size: int) -> None:
        """A block of so many bytes has come into the batch."""
        import pyarrow.compute as pc

        noted, name = self._noted, source.name
        if isinstance(source, WantsReceipts):
            noted.receipts.append((source, got.after))
            noted.hurried = noted.hurried or not isinstance(source, Patient)
        noted.sizes[name] += size
        if got.events.num_rows:
            newest = pc.max(got.events["timestamp"]).as_py()
            noted.newest[name] = max(newest, noted.newest.get(name, newest))

    def commit(self, batch: Batch, feeds: Sequence[Feed], out_of_time: Callable[[], bool]) -> bool:
        """Send a batch on its way, once the one before it is stored, however long that takes; False if a stop ran out of time.

        Raises:
            Rejected: the store will never take the one before.
        """
        if not batch:
            return True

        def before_asking(query: EventQuery) -> None:
            """Rows that the answer should have, and that are on their way, must be there."""
            while self._lacks(query):
                self.tell_lag(feeds)
                if out_of_time():
                    raise Unavailable("what is on its way is not stored")

        events = self._patiently(
            lambda: self._prepared(batch, before_asking), out_of_time, lambda: self.tell_lag(feeds, now=True)
        )
        if events is None or not self.settle(feeds, out_of_time):
            return False
        noted, self._noted = self._noted, _Noted()
        self._flight = _Flight(
            events, _ends(events), noted, self._beside.submit(self._put, events, batch, noted.receipts)
        )
        return True

    def settle(self, feeds: Sequence[Feed], out_of_time: Callable[[], bool] = lambda: False) -> bool:
        """Wait until what is on its way is stored; False if a stop ran out of time before.

        Raises:
            Rejected: it never will be.
        """
        flight = self._flight
        if flight is None:
            return True
        while wait([flight.result], SLICE_SECONDS).not_done:
            self.tell_lag(feeds)
            if out_of_time():
                self._given_up.set()
        self._flight = None
        done = flight.result.result()
        if done is None:
            return False
        self.stored = True
        if flight.ends is not None:
            self._days.update(moment.date() for moment in flight.ends)
        committed, seconds = done
        self._telemetry.committed(flight.events, seconds)
        self._stored_newest.update(flight.noted.newest)
        if self._ledger is not None:
            self._ledger.committed(committed, {name for name, size in flight.noted.sizes.items() if size})
        if self._drift is not None:
            self._drift.save(self._clock())
        self.tell_lag(feeds, now=True)
        return True

    def look(self, feeds: Sequence[Feed]) -> None:
        """Take note of what was stored since; does not wait.

        Raises:
            Rejected: it never will be stored.
        """
        if self._flight is not None and self._flight.result.done():
            self.settle(feeds)

    def close(self) -> None:
        """End the thread; what is on its way is stored, or given up where the store does not answer."""
        self._given_up.set()
        self._beside.shutdown()

    def _prepared(self, batch: Batch, before_asking: Callable[[EventQuery], None]) -> pa.Table:
        """The rows of the batch with the ids of the events that they belong to; what was sealed is written.

        Raises:
            Unavailable: the store, which is asked for the partners, does not answer.
        """
        if self._ledger is not None:
            self._ledger.prepare()
        events = batch.table()
        return events if self._joiner is None else self._joiner.join(events, before_asking)

    def _lacks(self, query: EventQuery) -> bool:
        """Whether rows that fit are still on their way, or rows of a day of which this run stored nothing yet: Elasticsearch
        cannot be asked while it makes an index. Waits a little for them."""
        if self._flight is None or self._flight.ends is None:
            return False
        begin, end = self._flight.ends
        fits = (query.until is None or begin < query.until) and (query.since is None or end >= query.since)
        new = not {begin.date(), end.date()} <= self._days
        return (fits or new) and bool(wait([self._flight.result], SLICE_SECONDS).not_done)

    def _put(
        self, events: pa.Table, batch: Batch, receipts: Sequence[tuple[WantsReceipts, Position]]
    ) -> tuple[Committed, float] | None:
        """In the thread: into the store, as often as it takes."""
        positions = list(batch.positions.values())

        def attempt() -> tuple[Committed, float]:
            begun = time.monotonic()
            # Anew at each attempt: who looks for what was stored lately must not overlook what waited for hours.
            done = self._store.commit(with_time(events, "stored_at", self._clock()), positions, batch.dead)
            return done, time.monotonic() - begun

        done = self._patiently(attempt, self._given_up.is_set)
        if done is not None:
            for source, after in receipts:
                source.stored(after)
        return done

    def _patiently(
        self, attempt: Callable[[], T], enough: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None
    ) -> T | None:
        """What an attempt gives once the store answers; None when it was enough.

        Raises:
            Rejected: it never will.
        """
        backoff, said = self._backoff(), float("-inf")
        while True:
            try:
                given = attempt()
                break
            except Unavailable as error:
                self._telemetry.commit_failed("unavailable")
                pause = backoff.pause(error.retry_after_seconds)
                if time.monotonic() - said >= SAY_SECONDS:
                    said = time.monotonic()
                    log.warning(
                        "the store does not answer; reading waits, nothing is lost",
                        extra={"error": str(error), "attempts": backoff.failures, "pause_seconds": round(pause, 1)},
                    )
                meanwhile()
                sleep(pause, enough)
                if enough():
                    log.warning("stopping without the store: the rest is read again at the next start")
                    return None
            except Rejected:
                self._telemetry.commit_failed("rejected")
                raise
        if backoff.failures:
            log.info("the store answers again", extra={"attempts": backoff.failures})
        return given

    def tell_lag(self, feeds: Sequence[Feed], now: bool = False) -> None:
        """The metrics of lag and watermark; every `LAG_SECONDS` at most, unless it must be `now`."""
        if not now and time.monotonic() - self._lag_told < LAG_SECONDS:
            return
        self._lag_told = time.monotonic()
        flying = self._flight.noted.sizes if self._flight is not None else Counter[str]()
        for feed in feeds:
            name = feed.source.name
            unread = feed.source.unread() if isinstance(feed.source, KnowsUnread) else 0
            unstored = self._noted.sizes[name] + flying[name] + unread
            newest = self._stored_newest.get(name)
            age = (self._clock() - newest).total_seconds() if unstored and newest else 0.0
            self._telemetry.lag(name, unstored, max(0.0, age))
            if newest is not None:
                self._telemetry.watermark(name, min(newest, self._clock()).timestamp())


def _ends(events: pa.Table) -> tuple[datetime, datetime] | None:
    """The first and the last time of some rows."""
    import pyarrow.compute as pc

    ends = pc.min_max(events["timestamp"]).as_py()
    return (ends["min"], ends["max"]) if events.num_rows else None
