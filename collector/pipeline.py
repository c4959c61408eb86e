"""Read → interpret → batch → commit: the loop, and nothing else.

Threads of `collector.readers` read and interpret into one bounded queue, a thread of `collector.committing` puts batch after batch
into the store; the caller's thread does everything between. While the store does not answer one more batch is filled, then
nothing is taken from the queue, so reading stops by itself, memory stays flat, and no position moves.
"""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collector.backoff import Backoff
from collector.batches import Batch
from collector.committing import Committer
from collector.drift import DriftTallies
from collector.errors import UnknownFormat
from collector.feed import Closes, Feed, as_feed
from collector.interpret import Interpreted, Interpreter
from collector.joins.joiner import Joiner
from collector.ledger import Ledger
from collector.readers import SLICE_SECONDS, Read, Readers
from collector.slow_start import SlowStart
from collector.spare_memory import SpareMemory
from collector.stages import Enricher, Format, Source
from collector.telemetry import CollectorTelemetry
from store.contract import EventWriter

FIRST_ROWS = 500  # in the first batch of a run; twice as many in the next, up to what is set
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
class _Change:
    """What `Pipeline.change` was asked for."""

    add: Sequence[Feed]
    remove: Collection[str]
    enrichers: Sequence[Enricher] | None
    in_force: Callable[[], None]


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
        self._telemetry, self._clock = telemetry, clock
        self._feeds = [as_feed(source, format_name) for source in sources]
        self._interpreter = Interpreter(formats, enrichers)
        self._readers = Readers(store, self._interpreter, telemetry, clock, backoff, sealing=ledger is not None)
        self._committer = Committer(
            store, telemetry, joiner=joiner, drift=drift, ledger=ledger, clock=clock, backoff=backoff
        )
        self._drift, self._ledger = drift, ledger
        self._spare_memory = SpareMemory()
        self._rows = SlowStart(FIRST_ROWS, batch_rows)
        self._batch_seconds, self._stop_seconds = batch_seconds, stop_seconds
        self._on_progress = on_progress
        self._changes: queue.SimpleQueue[_Change] = queue.SimpleQueue()
        self._in_force: Callable[[], None] = lambda: None
        self._coming: list[Feed] = []  # begin when those that leave have ended and are stored
        self._leaving = self._readers.leaving
        self._ended: list[Feed] = []
        self._deadline: float | None = None
        self._reading = 0
        self.summary = Summary()
        self._unknown: BaseException | None = None
        self._over = False

    @property
    def begun(self) -> bool:
        """Whether it has stored something, or has nothing more to read."""
        return self._over or self._committer.stored

    def stop(self) -> None:
        """Stop reading, store what was read, end `run`: within `stop_seconds`, after which what the store does not take
        is left for the next start. Safe twice, from any thread and from a signal handler: it only sets a mark.
        """
        self._readers.stopping = True

    def change(
        self,
        add: Sequence[Feed],
        remove: Collection[str],
        enrichers: Sequence[Enricher] | None = None,
        in_force: Callable[[], None] = lambda: None,
    ) -> None:
        """End the sources of these names, then begin with those: what is in both goes on where it was. The other sources
        read on, with other `enrichers` where there are any. From any thread, while `run` runs. `in_force` is called when no
        line is read by the settings before any more.
        """
        self._changes.put(_Change(add, remove, enrichers, in_force))

    def run(self) -> Summary:
        """Blocks until every source has ended.

        Raises:
            Rejected: the store will never take it.
            UnknownFormat: no format knows files of a strict feed; `summary` tells of the others, which were read.
            CollectorError, OSError: a strict feed (a file named on the command line) cannot be read.
        """
        self._reading = len(self._feeds)
        for feed in self._feeds:
            self._begin(feed)
        try:
            self._write()
        finally:
            self._over = True
            self._readers.abandoned = True
            self._stop_sources()
            self._readers.end(self._stop_seconds)
            self._committer.close()
            for feed in self._feeds:
                if isinstance(feed.source, Closes):
                    feed.source.close()
        if self._unknown is not None:
            raise self._unknown
        return self.summary

    def _begin(self, feed: Feed) -> None:
        self._readers.begin(feed)
        if self._ledger is not None:
            self._ledger.begin(feed.source.name, getattr(feed.source, "registry", None), self._clock())

    def _write(self) -> None:
        batch = self._new_batch()
        while self._reading and not self._out_of_time():
            due = batch.due_in()
            if due is not None and self._committer.hurried:
                due -= self._batch_seconds - min(self._batch_seconds, RECEIPT_SECONDS)
            if due is not None and due <= 0:
                self._commit(batch)
                batch = self._new_batch()
                continue
            self._committer.look(self._feeds)
            self._committer.tell_lag(self._feeds)
            self._spare_memory.give_back()
            if self._ledger is not None:
                self._ledger.save(self._clock())
            if self._changing():
                self._commit(batch, settled=True)
                batch = self._new_batch()
                self._go_over()
                continue
            try:
                read = self._readers.next(SLICE_SECONDS if due is None else min(due, SLICE_SECONDS))
            except queue.Empty:
                continue
            if read.error is not None and not isinstance(read.error, UnknownFormat):
                self._commit(batch, settled=True)  # what was read before it is good
                raise read.error
            if read.block is None:
                self._reading -= 1
                self._ended.append(read.feed)
                self._unknown = self._unknown or read.error
            else:
                self._take(read, batch)
        if not self._out_of_time():
            self._commit(batch)
        self._committer.settle(self._feeds, self._out_of_time)
        if self._drift is not None:
            self._drift.save(self._clock(), at_once=True)
        if self._ledger is not None:
            self._ledger.save(self._clock(), at_once=True)
        self._committer.tell_lag(self._feeds, now=True)

    def _commit(self, batch: Batch, settled: bool = False) -> None:
        """Send it into the store; `settled`: and wait until it is there."""
        self._committer.commit(batch, self._feeds, self._out_of_time)
        if settled:
            self._committer.settle(self._feeds, self._out_of_time)
        if batch:
            self._rows.grow()

    def _changing(self) -> bool:
        """Take up what `change` was asked for; whether the sources that leave have ended, so that others may begin."""
        if not (self._coming or self._leaving or self._readers.stopping or self._changes.empty()):
            change = self._changes.get()
            if change.enrichers is not None:
                self._interpreter.enrichers = change.enrichers
            leaving = [feed for feed in self._feeds if feed.source.name in change.remove]
            for feed in leaving:
                feed.source.stop()
            self._leaving += leaving
            self._coming += change.add
            self._reading += len(change.add)
            self._in_force = change.in_force
            if not (self._coming or self._leaving):
                self._in_force()
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
        self._in_force()

    def _new_batch(self) -> Batch:
        return Batch(self._rows.now, self._batch_seconds)

    def _out_of_time(self) -> bool:
        """Whether a stop has lasted too long. Also the place where the mark set by `stop` takes effect."""
        if not self._readers.stopping:
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

    def _take(self, read: Read, batch: Batch) -> None:
        assert read.block is not None and read.got is not None and read.at is not None
        block, got, source = read.block, read.got, read.feed.source
        if self._ledger is not None:
            got = self._ledger.take(source.name, block, got, read.at)
        size = block.length if len(block.data) else 0
        batch.add(got.events, got.dead, got.after, size)
        self._committer.note(source, got, size)
        self._telemetry.read(source.name, size, got.events.num_rows, got.ignored, got.dead)
        self._count(got, size)
        if self._drift is not None:
            self._drift.take(source.name, block, got, read.at)

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
