"""Read → interpret → batch → commit: the loop, and nothing else.

One thread reads and interprets each source into one bounded queue; the caller's thread does everything else. While the store
does not answer nothing is taken from the queue, so reading stops by itself, memory stays flat, and no position moves.
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from collector.ahead import ahead
from collector.backoff import Backoff
from collector.batches import Batch
from collector.drift import DriftTallies
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

QUEUED_BLOCKS = 4  # of up to 4 MiB each, with their rows
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
    """What a reader puts into the queue: a block and what it gave, or its end (with the error that ended it)."""

    feed: Feed
    block: Block | None = None
    got: Interpreted | None = None
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
        self._readers: list[threading.Thread] = []
        self._changes: queue.SimpleQueue[tuple[Sequence[Feed], Collection[str], Sequence[Enricher] | None]]
        self._changes = queue.SimpleQueue()
        self._coming: list[Feed] = []  # begin when those that leave have ended and are stored
        self._leaving: list[Feed] = []
        self._ended: list[Feed] = []
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

    def change(self, add: Sequence[Feed], remove: Collection[str], enrichers: Sequence[Enricher] | None = None) -> None:
        """End the sources of these names, then begin with those: what is in both goes on where it was. The other sources
        read on, with other `enrichers` where there are any. From any thread, while `run` runs.
        """
        self._changes.put((add, remove, enrichers))

    def run(self) -> Summary:
        """Blocks until every source has ended.

        Raises:
            Rejected: the store will never take it.
            CollectorError, OSError: a strict feed (a file named on the command line) cannot be read.
        """
        self._reading = len(self._feeds)
        searched = gc.get_threshold()
        gc.set_threshold(*GARBAGE_SEARCHED)
        for feed in self._feeds:
            self._begin(feed)
        try:
            self._write()
        finally:
            gc.set_threshold(*searched)
            self._abandoned = True
            self._stop_sources()
            for reader in self._readers:
                reader.join(timeout=self._stop_seconds)
            for feed in self._feeds:
                if isinstance(feed.source, Closes):
                    feed.source.close()
        return self.summary

    def _begin(self, feed: Feed) -> None:
        reader = threading.Thread(target=self._read, args=(feed,), name=f"read {feed.source.name}", daemon=True)
        self._readers = [each for each in self._readers if each.is_alive()] + [reader]
        reader.start()
        if self._ledger is not None:
            self._ledger.begin(feed.source.name, getattr(feed.source, "registry", None), self._clock())

    # The readers' threads.

    def _read(self, feed: Feed) -> None:
        """Run a source, again and again if it fails, until it ends."""
        backoff = self._backoff()
        while True:
            try:
                for block in self._blocks(feed.source):
                    backoff.success()
                    self._reached[block.after.stream] = block.after
                    if not self._put(self._interpreted(feed, block)):
                        return
                self._put(_Read(feed))
                return
            except Rejected as error:  # the store shuts its door: trying again would only be a storm
                self._put(_Read(feed, error=error))
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
                self._sleep(pause, lambda: self._stopping or self._abandoned or feed in self._leaving)
                if self._stopping or self._abandoned or feed in self._leaving:
                    self._put(_Read(feed))
                    return

    def _blocks(self, source: Source) -> Iterator[Block]:
        blocks = source.blocks(self._committed)
        return iter(blocks) if getattr(source, "follow", True) else ahead(blocks)

    def _interpreted(self, feed: Feed, block: Block) -> _Read:
        """Here rather than in the writer's thread: scanning, unpacking and writing then go on side by side."""
        at = self._clock()
        try:
            return _Read(feed, block, self._interpreter.interpret(block, feed, at), at)
        except Exception as error:  # nothing that reading again would mend
            return _Read(feed, error=error)

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
            if self._changing():
                self._commit(batch)
                batch = self._new_batch()
                self._go_over()
                continue
            try:
                read = self._queue.get(timeout=SLICE_SECONDS if due is None else min(due, SLICE_SECONDS))
            except queue.Empty:
                continue
            if read.error is not None:
                self._commit(batch)  # what was read before it is good
                raise read.error
            if read.block is None:
                self._reading -= 1
                self._ended.append(read.feed)
            else:
                self._take(read, batch)
        if batch and not self._out_of_time():
            self._commit(batch)
        if self._drift is not None:
            self._drift.save(self._clock(), at_once=True)
        if self._ledger is not None:
            self._ledger.save(self._clock(), at_once=True)
        self._tell_lag(now=True)

    def _changing(self) -> bool:
        """Take up what `change` was asked for; whether the sources that leave have ended, so that others may begin."""
        if not (self._coming or self._leaving or self._stopping or self._changes.empty()):
            add, remove, enrichers = self._changes.get()
            if enrichers is not None:
                self._interpreter.enrichers = enrichers
            leaving = [feed for feed in self._feeds if feed.source.name in remove]
            for feed in leaving:
                feed.source.stop()
            self._leaving += leaving
            self._coming += add
            self._reading += len(add)
        return bool(self._coming or self._leaving) and all(feed in self._ended for feed in self._leaving)

    def _go_over(self) -> None:
        """From the sources that left, whose last lines are stored, to those that come."""
        for feed in self._leaving:
            self._feeds.remove(feed)
            self._telemetry.lag(feed.source.name, 0, 0.0)
            if isinstance(feed.source, Closes):
                feed.source.close()
        for feed in self._coming:
            self._feeds.append(feed)
            self._begin(feed)
        self._leaving.clear()
        self._coming.clear()

    def _new_batch(self) -> Batch:
        return Batch(self._batch_rows, self._batch_seconds)

    def _out_of_time(self) -> bool:
        """Whether a stop has lasted too long. Also the place where the mark set by `stop` takes effect."""
        if not self._stopping:
            return False
        if self._deadline is None:
            self._deadline = time.monotonic() + self._stop_seconds
            self._reading -= len(self._coming)
            self._coming.clear()
            self._stop_sources()
        return time.monotonic() > self._deadline

    def _stop_sources(self) -> None:
        for feed in self._feeds:
            feed.source.stop()

    def _take(self, read: _Read, batch: Batch) -> None:
        import pyarrow.compute as pc

        assert read.block is not None and read.got is not None and read.at is not None
        block, got, source = read.block, read.got, read.feed.source
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
        return events

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
            if newest is not None:
                self._telemetry.watermark(name, min(newest, self._clock()).timestamp())
