"""Read → interpret → batch → commit: the loop, and nothing else.

One thread reads each source into one bounded queue; the caller's thread does everything else. While the store does not
answer nothing is taken from the queue, so reading stops by itself, memory stays flat, and no position moves.
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from collector.backoff import Backoff
from collector.batches import Batch
from collector.drift import DriftTallies
from collector.errors import CollectorError
from collector.feed import Closes, Feed, KnowsUnread, Patient, WantsReceipts, as_feed
from collector.interpret import Interpreted, Interpreter, with_time
from collector.joins.joiner import Joiner
from collector.ledger import Ledger
from collector.stages import Block, Enricher, Format, Source
from collector.telemetry import CollectorTelemetry
from store.contract import EventWriter, Position
from store.errors import Rejected, Unavailable

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

QUEUED_BLOCKS = 8  # of up to 4 MiB each
SLICE_SECONDS = 0.1  # how often waiting looks up
SAY_SECONDS = 60.0  # how often a store that does not answer is mentioned
LAG_SECONDS = 1.0
# Rows are made by the ten thousand and none is part of a ring: looking for rings at Python's usual 700 objects, and all over
# the memory of the joins, took a quarter of the time.
GARBAGE_SEARCHED = (50_000, 20, 50)
RECEIPT_SECONDS = 0.2  # a sender that waits for its answer makes a batch due this early


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a run did. `events` counts rows: several logs that tell of one request give several."""

    lines: int = 0
    events: int = 0
    dead_letters: int = 0
    ignored: int = 0
    by_action: Counter[str] = field(default_factory=Counter)
    read_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    """What a reader puts into the queue: a block, or its end (with the error that ended it)."""

    feed: Feed
    block: Block | None = None
    at: datetime | None = None
    error: BaseException | None = None


class Pipeline:
    """Runs sources into a store until they end or `stop` is called. One run per object."""

    def __init__(
        self,
        store: EventWriter,
        sources: Sequence[Source | Feed],
        formats: Sequence[Format],
        enrichers: Sequence[Enricher],
        telemetry: CollectorTelemetry,
        *,
        batch_rows: int = 20_000,
        batch_seconds: float = 1.0,
        stop_seconds: float = 8.0,
        format_name: str | None = None,
        joiner: Joiner | None = None,
        drift: DriftTallies | None = None,
        ledger: Ledger | None = None,
        on_progress: Callable[[Summary], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._store, self._telemetry, self._clock, self._backoff = store, telemetry, clock, backoff
        self._feeds = [as_feed(source, format_name) for source in sources]
        self._interpreter = Interpreter(formats, enrichers)
        self._joiner = joiner
        self._drift, self._ledger = drift, ledger
        self._batch_rows, self._batch_seconds, self._stop_seconds = batch_rows, batch_seconds, stop_seconds
        self._on_progress = on_progress
        self._queue: queue.Queue[_Read] = queue.Queue(maxsize=QUEUED_BLOCKS)
        self._stopping = self._abandoned = False
        self._deadline: float | None = None
        self._reading = 0
        self._reached: dict[str, Position] = {}  # handed on by a reader, committed or about to be
        self._receipts: list[tuple[WantsReceipts, Position]] = []
        self._hurried = False  # somebody waits for a receipt
        self._waiting: Counter[str] = Counter()  # bytes per source that were read and are not committed
        self._newest: dict[str, datetime] = {}
        self._stored_newest: dict[str, datetime] = {}
        self._lag_told = 0.0
        self.summary = Summary()

    def stop(self) -> None:
        """Stop reading, store what was read, end `run`: within `stop_seconds`, after which what the store does not take
        is left for the next start. Safe twice, from any thread and from a signal handler: it only sets a mark.
        """
        self._stopping = True

    def run(self) -> Summary:
        """Blocks until every source has ended.

        Raises:
            Rejected: the store will never take it.
            CollectorError, OSError: a strict feed (a file named on the command line) cannot be read.
        """
        readers = [
            threading.Thread(target=self._read, args=(feed,), name=f"read {feed.source.name}", daemon=True)
            for feed in self._feeds
        ]
        self._reading = len(readers)
        searched = gc.get_threshold()
        gc.set_threshold(*GARBAGE_SEARCHED)
        for reader in readers:
            reader.start()
        for feed in self._feeds:
            if self._ledger is not None:
                self._ledger.begin(feed.source.name, getattr(feed.source, "registry", None), self._clock())
        try:
            self._write()
        finally:
            gc.set_threshold(*searched)
            self._abandoned = True
            self._stop_sources()
            for reader in readers:
                reader.join(timeout=self._stop_seconds)
            for feed in self._feeds:
                if isinstance(feed.source, Closes):
                    feed.source.close()
        return self.summary

    # The readers' threads.

    def _read(self, feed: Feed) -> None:
        """Run a source, again and again if it fails, until it ends."""
        backoff = self._backoff()
        while True:
            try:
                for block in feed.source.blocks(self._committed):
                    backoff.success()
                    self._reached[block.after.stream] = block.after
                    if not self._put(_Read(feed, block, self._clock())):
                        return
                self._put(_Read(feed))
                return
            except Exception as error:
                if feed.strict and not isinstance(error, Unavailable):
                    self._put(_Read(feed, error=error))
                    return
                pause = backoff.pause(getattr(error, "retry_after_seconds", None))
                log.warning(
                    "source failed and is started again",
                    extra={"source": feed.source.name, "error": str(error), "pause_seconds": round(pause, 1)},
                    exc_info=backoff.failures == 1,
                )
                self._telemetry.source_failed(feed.source.name)
                self._sleep(pause, lambda: self._stopping or self._abandoned)
                if self._stopping or self._abandoned:
                    self._put(_Read(feed))
                    return

    def _put(self, read: _Read) -> bool:
        while not self._abandoned:
            try:
                self._queue.put(read, timeout=SLICE_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def _committed(self, stream: str) -> Position | None:
        """Where a source begins. What this run has handed on already counts: it is in the queue
        and will be committed.
        """
        if (reached := self._reached.get(stream)) is not None:
            return reached
        position = self._store.position(stream)
        if position is not None:
            self._interpreter.remember(position)
        return position

    def _sleep(self, seconds: float, enough: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while not enough() and (left := until - time.monotonic()) > 0:
            time.sleep(min(SLICE_SECONDS, left))

    # The writer: the caller's thread.

    def _write(self) -> None:
        batch = self._new_batch()
        while self._reading and not self._out_of_time():
            due = batch.due_in()
            if due is not None and self._hurried:
                due -= self._batch_seconds - min(self._batch_seconds, RECEIPT_SECONDS)
            if due is not None and due <= 0:
                self._commit(batch)
                batch = self._new_batch()
                continue
            self._tell_lag()
            if self._ledger is not None:
                self._ledger.save(self._clock())
            try:
                read = self._queue.get(timeout=SLICE_SECONDS if due is None else min(due, SLICE_SECONDS))
            except queue.Empty:
                continue
            if read.error is not None:
                self._commit(batch)
                raise read.error
            if read.block is None:
                self._reading -= 1
            else:
                try:
                    self._take(read, batch)
                except CollectorError:
                    self._commit(batch)  # what was read before it is good
                    raise
        if batch and not self._out_of_time():
            self._commit(batch)
        if self._drift is not None:
            self._drift.save(self._clock(), at_once=True)
        if self._ledger is not None:
            self._ledger.save(self._clock(), at_once=True)
        self._tell_lag(now=True)

    def _new_batch(self) -> Batch:
        return Batch(self._batch_rows, self._batch_seconds)

    def _out_of_time(self) -> bool:
        """Whether a stop has lasted too long. Also the place where the mark set by `stop` takes effect."""
        if not self._stopping:
            return False
        if self._deadline is None:
            self._deadline = time.monotonic() + self._stop_seconds
            self._stop_sources()
        return time.monotonic() > self._deadline

    def _stop_sources(self) -> None:
        for feed in self._feeds:
            feed.source.stop()

    def _take(self, read: _Read, batch: Batch) -> None:
        import pyarrow.compute as pc

        assert read.block is not None and read.at is not None
        block, source = read.block, read.feed.source
        got = self._interpreter.interpret(block, read.feed, read.at)
        if self._ledger is not None:
            got = self._ledger.take(source.name, block, got, read.at)
        size = block.length if len(block.data) else 0
        batch.add(got.events, got.dead, got.after, size)
        if isinstance(source, WantsReceipts):
            self._receipts.append((source, got.after))
            self._hurried = self._hurried or not isinstance(source, Patient)
        self._waiting[source.name] += size
        self._telemetry.read(source.name, size, got.events.num_rows, got.ignored, got.dead)
        self._count(got, size)
        if self._drift is not None:
            self._drift.take(source.name, block, got, read.at)
        if got.events.num_rows:
            newest = pc.max(got.events["timestamp"]).as_py()
            self._newest[source.name] = max(newest, self._newest.get(source.name, newest))

    def _count(self, got: Interpreted, size: int) -> None:
        self.summary.lines += got.lines
        self.summary.events += got.events.num_rows
        self.summary.dead_letters += len(got.dead)
        self.summary.ignored += got.ignored
        self.summary.read_bytes += size
        for action in got.events["action"].value_counts().to_pylist():
            self.summary.by_action[action["values"]] += action["counts"]
        if self._on_progress is not None:
            self._on_progress(self.summary)

    def _commit(self, batch: Batch) -> bool:
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
                self._tell_lag(now=True)
                self._sleep(pause, self._out_of_time)
                if self._out_of_time():
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
        self._after_commit()
        return True

    def _joined(self, batch: Batch) -> pa.Table:
        """The rows of the batch with the ids of the events that they belong to.

        Raises:
            Unavailable: the store, which is asked for the partners, does not answer.
        """
        events = batch.table()
        if self._joiner is not None:
            events = self._joiner.join(events)
        return with_time(events, "stored_at", self._clock())

    def _after_commit(self) -> None:
        for source, after in self._receipts:
            source.stored(after)
        self._receipts.clear()
        self._hurried = False
        self._waiting.clear()
        self._stored_newest.update(self._newest)
        if self._drift is not None:
            self._drift.save(self._clock())
        self._tell_lag(now=True)

    def _tell_lag(self, now: bool = False) -> None:
        if not now and time.monotonic() - self._lag_told < LAG_SECONDS:
            return
        self._lag_told = time.monotonic()
        for feed in self._feeds:
            name = feed.source.name
            unstored = self._waiting[name] + (feed.source.unread() if isinstance(feed.source, KnowsUnread) else 0)
            newest = self._stored_newest.get(name)
            age = (self._clock() - newest).total_seconds() if unstored and newest else 0.0
            self._telemetry.lag(name, unstored, max(0.0, age))
