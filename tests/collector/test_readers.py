"""Blocks are interpreted side by side, and come to the writer in the order in which they were read."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from collector.backoff import Backoff
from collector.errors import CollectorError
from collector.feed import Feed
from collector.formats import nginx_combined
from collector.interpret import Interpreted, Interpreter
from collector.readers import LARGE_BYTES, QUEUED_BLOCKS, Read, Readers
from collector.stages import Block
from collector.telemetry import CollectorTelemetry
from store.contract import Position

LINE = b'127.0.0.1 - - [24/Nov/2026:10:00:00 +0000] "GET /v2/app/manifests/v1 HTTP/1.1" 200 7 "-" "skopeo/1.9.3"\n'


class Blocks:
    """A source of `count` blocks of so many lines."""

    name = "blocks"

    def __init__(self, count: int, lines: int, follow: bool = False) -> None:
        self.follow, self._count, self._data = follow, count, LINE * lines
        self.given = 0

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        for number in range(self._count):
            offset, end = number * len(self._data), (number + 1) * len(self._data)
            self.given += 1
            yield Block(stream="s", offset=offset, data=self._data, after=Position(stream="s", offset=end))

    def stop(self) -> None: ...


class Slow(Interpreter):
    """The first blocks take longest. Notes which threads were at work, and how many at once; may fail at one block."""

    def __init__(self, fails_at: int = -1) -> None:
        super().__init__([nginx_combined.FORMAT], [])
        self.threads: set[str] = set()
        self._at_work, self.most_at_work, self._fails_at = 0, 0, fails_at
        self._lock = threading.Lock()

    def interpret(self, block: Block, feed: Feed, read_at: datetime) -> Interpreted:
        number = block.offset // len(block.data)
        with self._lock:
            self._at_work += 1
            self.most_at_work = max(self.most_at_work, self._at_work)
            self.threads.add(threading.current_thread().name)
        time.sleep(0.05 / (1 + number))
        try:
            if number == self._fails_at:
                raise CollectorError("broken")
            return super().interpret(block, feed, read_at)
        finally:
            with self._lock:
                self._at_work -= 1


class NoStore:
    def position(self, stream: str) -> None:
        return None


def readers_over(interpreter: Interpreter) -> Readers:
    telemetry = CollectorTelemetry(CollectorRegistry())
    return Readers(NoStore(), interpreter, telemetry, lambda: datetime.now(UTC), Backoff)  # type: ignore[arg-type]  # only asked for a position


def all_of(readers: Readers, source: Blocks) -> list[Read]:
    readers.begin(Feed(source=source, strict=not source.follow))
    found: list[Read] = []
    while True:
        found.append(readers.next(20))
        if found[-1].block is None:
            readers.end(5)
            return found


def test_finished_files_are_interpreted_side_by_side_in_order() -> None:
    interpreter = Slow()
    *found, last = all_of(readers_over(interpreter), Blocks(12, 3))
    offsets = [read.block.offset for read in found if read.block is not None]
    assert len(offsets) == 12 and offsets == sorted(offsets)
    assert all(read.got is not None and read.got.events.num_rows == 3 for read in found)
    assert [read.got.after.offset for read in found if read.got] == [
        read.block.after.offset for read in found if read.block
    ]
    assert last.error is None
    assert (
        interpreter.most_at_work == 2 and len(interpreter.threads) == 3
    )  # the reader took the first, whose format was new


def test_a_live_log_needs_no_detour_and_a_backlog_takes_it() -> None:
    few = Slow()
    all_of(readers_over(few), Blocks(5, 1, follow=True))
    assert few.threads == {"read blocks"}
    many = Slow()
    all_of(readers_over(many), Blocks(5, LARGE_BYTES // len(LINE) + 1, follow=True))
    assert len(many.threads) == 3


def test_what_fails_comes_in_its_place() -> None:
    found = all_of(readers_over(Slow(fails_at=3)), Blocks(6, 2))
    assert [read.got is not None for read in found[:3]] == [True] * 3
    assert isinstance(found[3].error, CollectorError) and found[3].block is None


def test_nobody_reads_far_ahead() -> None:
    readers, source = readers_over(Slow()), Blocks(100, 2)
    readers.begin(Feed(source=source, strict=True))
    time.sleep(0)
    deadline = time.monotonic() + 20
    while source.given < QUEUED_BLOCKS + 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    readers.abandoned = True
    readers.end(10)
    assert source.given <= QUEUED_BLOCKS + 2
    with pytest.raises(queue.Empty):
        while True:
            readers.next(0.01)
