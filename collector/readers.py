"""The reading side of the pipeline: one thread for each source, and one bounded queue towards the writer.

The next block is read while the last ones are interpreted and the one before is committed. What is small is interpreted by
the thread that read it, without a detour. Large blocks, and those of finished files, go to a few threads that all sources
share; their places in the queue are taken when they are read, so the order of a stream is that of its reading.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from collector.backoff import Backoff
from collector.errors import UnknownFormat
from collector.feed import Feed
from collector.interpret import Interpreted, Interpreter
from collector.ledger import digest_alone
from collector.stages import Block
from collector.telemetry import CollectorTelemetry
from store.contract import EventWriter, Position
from store.errors import Rejected, Unavailable

log = logging.getLogger(__name__)

QUEUED_BLOCKS = 2  # of up to 4 MiB each, with their rows; more gain nothing
SLICE_SECONDS = 0.1  # how often waiting looks up
INTERPRETING = 2  # threads; the writer keeps up with no more
LARGE_BYTES = 1 << 20  # a backlog's block; what is written now comes in far smaller ones


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader puts into the queue: a block and what it gave, or its end (with the error that ended it)."""

    feed: Feed
    block: Block | None = None
    got: Interpreted | None = None
    at: datetime | None = None
    error: BaseException | None = None
    pending: Future[Interpreted] | None = None


class Readers:
    """Begin with `begin`; `next` gives what they read. `stopping`, `abandoned` and `leaving` are set by who owns them."""

    def __init__(
        self,
        store: EventWriter,
        interpreter: Interpreter,
        telemetry: CollectorTelemetry,
        clock: Callable[[], datetime],
        backoff: Callable[[], Backoff],
        sealing: bool = False,
    ) -> None:
        self._store, self._interpreter, self._telemetry = store, interpreter, telemetry
        self._sealing = sealing
        self._clock, self._backoff = clock, backoff
        self._queue: queue.Queue[Read] = queue.Queue(maxsize=QUEUED_BLOCKS)
        self._threads: list[threading.Thread] = []
        self._beside: ThreadPoolExecutor | None = None
        self._making = threading.Lock()
        self._reached: dict[str, Position] = {}  # handed on by a reader, committed or about to be
        self.stopping = self.abandoned = False
        self.leaving: list[Feed] = []

    def begin(self, feed: Feed) -> None:
        reader = threading.Thread(target=self._read, args=(feed,), name=f"read {feed.source.name}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [reader]
        reader.start()

    def next(self, seconds: float) -> Read:
        """The next of all sources; it may still have to be interpreted.

        Raises:
            queue.Empty: nothing was read in so many seconds.
        """
        read = self._queue.get(timeout=seconds)
        if read.pending is None:
            return read
        try:
            return replace(read, got=read.pending.result(), pending=None)
        except Exception as error:  # nothing that reading again would mend
            return Read(read.feed, error=error)

    def end(self, seconds: float) -> None:
        """Wait for the threads, `seconds` for each at most; what they still hold is thrown away."""
        self.abandoned = True
        for reader in self._threads:
            reader.join(timeout=seconds)
        with self._making:
            if self._beside is not None:
                self._beside.shutdown(wait=False, cancel_futures=True)

    def _read(self, feed: Feed) -> None:
        """Run a source, again and again if it fails, until it ends. Of several files those that no format knows are left
        out, and told of behind the others.
        """
        backoff = self._backoff()
        unknown: dict[str, UnknownFormat] = {}
        while True:
            try:
                for block in feed.source.blocks(self._committed):
                    backoff.success()
                    stream = block.after.stream
                    if stream in unknown:
                        continue
                    read = self._interpreted(feed, block)
                    if isinstance(read.error, UnknownFormat):
                        log.error("no format knows it: it is left out", extra={"path": block.path})
                        unknown[stream] = read.error
                        continue
                    self._reached[stream] = block.after
                    if not self._put(read):
                        return
                self._put(Read(feed, error=_together(list(unknown.values()))))
                return
            except Rejected as error:  # the store shuts its door: trying again would only be a storm
                self._put(Read(feed, error=error))
                return
            except Exception as error:
                if feed.strict and not isinstance(error, Unavailable):
                    self._put(Read(feed, error=error))
                    return
                pause = backoff.pause(getattr(error, "retry_after_seconds", None))
                log.warning(
                    "source failed and is started again",
                    extra={"source": feed.source.name, "error": str(error), "pause_seconds": round(pause, 1)},
                    exc_info=backoff.failures == 1,
                )
                self._telemetry.source_failed(feed.source.name)
                sleep(pause, lambda: self._ends(feed))
                if self._ends(feed):
                    self._put(Read(feed))
                    return

    def _ends(self, feed: Feed) -> bool:
        return self.stopping or self.abandoned or feed in self.leaving

    def _interpreted(self, feed: Feed, block: Block) -> Read:
        """Here rather than in the writer's thread: scanning, unpacking and writing then go on side by side."""
        at = self._clock()
        large = len(block.data) >= LARGE_BYTES or not getattr(feed.source, "follow", True)
        if large and self._interpreter.knows(block, feed):
            with self._making:
                if self.abandoned:
                    return Read(feed)
                if self._beside is None:
                    self._beside = ThreadPoolExecutor(INTERPRETING, thread_name_prefix="interpret")
                return Read(feed, block, at=at, pending=self._beside.submit(self._whole, block, feed, at))
        try:
            return Read(feed, block, self._interpreter.interpret(block, feed, at), at)
        except Exception as error:  # nothing that reading again would mend
            return Read(feed, error=error)

    def _whole(self, block: Block, feed: Feed, at: datetime) -> Interpreted:
        """Large blocks: hashed here too, which would keep the writer busy for a fifth of its time."""
        got = self._interpreter.interpret(block, feed, at)
        return replace(got, digest=digest_alone(block)) if self._sealing else got

    def _put(self, read: Read) -> bool:
        while not self.abandoned:
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


def _together(errors: list[UnknownFormat]) -> UnknownFormat | None:
    """One error that names all files, with the first line of the first."""
    return (
        UnknownFormat(errors[0].tried, errors[0].first_line, ", ".join(one.name for one in errors)) if errors else None
    )


def sleep(seconds: float, enough: Callable[[], bool]) -> None:
    """Until the time is over, or it is enough."""
    until = time.monotonic() + seconds
    while not enough() and (left := until - time.monotonic()) > 0:
        time.sleep(min(SLICE_SECONDS, left))
