"""The writing side of the pipeline: batches are joined and stored, and whoever waits for it is told."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from collector.backoff import Backoff
from collector.batches import Batch
from collector.drift import DriftTallies
from collector.feed import Feed, KnowsUnread, Patient, WantsReceipts
from collector.interpret import Interpreted, with_time
from collector.joins.joiner import Joiner
from collector.ledger import Ledger
from collector.readers import sleep
from collector.stages import Source
from collector.telemetry import CollectorTelemetry
from store.contract import EventWriter, Position
from store.errors import Rejected, Unavailable

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

SAY_SECONDS = 60.0  # how often a store that does not answer is mentioned
LAG_SECONDS = 1.0


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
        self._receipts: list[tuple[WantsReceipts, Position]] = []
        self.hurried = False  # somebody waits for a receipt
        self._waiting: Counter[str] = Counter()  # bytes per source that were read and are not committed
        self._newest: dict[str, datetime] = {}
        self._stored_newest: dict[str, datetime] = {}
        self._lag_told = 0.0

    def note(self, source: Source, got: Interpreted, size: int) -> None:
        """A block of so many bytes has come into the batch."""
        import pyarrow.compute as pc

        if isinstance(source, WantsReceipts):
            self._receipts.append((source, got.after))
            self.hurried = self.hurried or not isinstance(source, Patient)
        self._waiting[source.name] += size
        if got.events.num_rows:
            newest = pc.max(got.events["timestamp"]).as_py()
            self._newest[source.name] = max(newest, self._newest.get(source.name, newest))

    def commit(self, batch: Batch, feeds: Sequence[Feed], out_of_time: Callable[[], bool]) -> bool:
        """Store a batch, however long it takes; False if a stop ran out of time before the store took it.

        Raises:
            Rejected: it never will.
        """
        if not batch:
            return True
        events: pa.Table | None = None
        positions = list(batch.positions.values())
        backoff, said = self._backoff(), float("-inf")
        while True:
            begun = time.monotonic()
            try:
                if events is None:  # joined once: trying to commit again must hand over the same rows
                    events = self._joined(batch)
                if self._ledger is not None:
                    self._ledger.prepare()
                # Anew at each attempt: who looks for what was stored lately must not overlook what waited for hours.
                events = with_time(events, "stored_at", self._clock())
                done = self._store.commit(events, positions, batch.dead)
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
                self.tell_lag(feeds, now=True)
                sleep(pause, out_of_time)
                if out_of_time():
                    log.warning("stopping without the store: the rest is read again at the next start")
                    return False
            except Rejected:
                self._telemetry.commit_failed("rejected")
                raise
        self._telemetry.committed(events, time.monotonic() - begun)
        if backoff.failures:
            log.info("the store answers again", extra={"attempts": backoff.failures})
        if self._ledger is not None:
            self._ledger.committed(done, {name for name, size in self._waiting.items() if size})
        self._after_commit(feeds)
        return True

    def _joined(self, batch: Batch) -> pa.Table:
        """The rows of the batch with the ids of the events that they belong to.

        Raises:
            Unavailable: the store, which is asked for the partners, does not answer.
        """
        events = batch.table()
        return events if self._joiner is None else self._joiner.join(events)

    def _after_commit(self, feeds: Sequence[Feed]) -> None:
        for source, after in self._receipts:
            source.stored(after)
        self._receipts.clear()
        self.hurried = False
        self._waiting.clear()
        self._stored_newest.update(self._newest)
        if self._drift is not None:
            self._drift.save(self._clock())
        self.tell_lag(feeds, now=True)

    def tell_lag(self, feeds: Sequence[Feed], now: bool = False) -> None:
        """The metrics of lag and watermark; every `LAG_SECONDS` at most, unless it must be `now`."""
        if not now and time.monotonic() - self._lag_told < LAG_SECONDS:
            return
        self._lag_told = time.monotonic()
        for feed in feeds:
            name = feed.source.name
            unstored = self._waiting[name] + (feed.source.unread() if isinstance(feed.source, KnowsUnread) else 0)
            newest = self._stored_newest.get(name)
            age = (self._clock() - newest).total_seconds() if unstored and newest else 0.0
            self._telemetry.lag(name, unstored, max(0.0, age))
            if newest is not None:
                self._telemetry.watermark(name, min(newest, self._clock()).timestamp())
