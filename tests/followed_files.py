"""Files read once and followed, into a shelf that keeps what a store would: the truth is what was written."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from collector.sources.file_tail import FileTail
from collector.stages import Block
from store.contract import Position


class Shelf:
    """Keeps what a store would: one row for each (stream, offset, line), and the newest position of each stream."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, bytes], int] = {}
        self.positions: dict[str, Position] = {}
        self.blocks: list[Block] = []

    def take(self, block: Block) -> None:
        offset = block.offset
        for line in block.data.splitlines(keepends=True):
            row = (block.stream, offset, line)
            self.rows[row] = self.rows.get(row, 0) + 1
            offset += len(line)
        self.positions[block.after.stream] = block.after
        self.blocks.append(block)

    def lines(self) -> Counter[bytes]:
        return Counter(line.rstrip(b"\r\n") for _, _, line in self.rows)


class Following:
    """A tail in its own thread, as the pipeline runs it."""

    def __init__(self, shelf: Shelf, *patterns: Path, watch: bool = False, quiet: float = 0.3, most_open: int = 64):
        self.shelf = shelf
        self.tail = FileTail(
            "log",
            [str(pattern) for pattern in patterns],
            registry="r1",
            follow=True,
            poll_seconds=0.02,
            quiet_seconds=quiet,
            watch=watch,
            most_open=most_open,
            known=lambda: list(shelf.positions.values()),
        )
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            for block in self.tail.blocks(self.shelf.positions.get):
                self.shelf.take(block)
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.tail.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def until(self, lines: Counter[bytes] | int, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            have = self.shelf.lines()
            if (have.total() >= lines) if isinstance(lines, int) else (have == lines):
                return
            time.sleep(0.01)
        missing = lines - have if isinstance(lines, Counter) else lines
        raise AssertionError(f"after {seconds} s: {have.total()} lines, missing {missing}")


class Log:
    """A writer that numbers its lines and knows what it wrote."""

    def __init__(self, path: Path) -> None:
        self.path, self.number, self.written = path, 0, Counter[bytes]()
        self.handle = path.open("ab", buffering=0)

    def write(self, count: int = 1, end: bytes = b"\n") -> None:
        for _ in range(count):
            line = b"line %06d of the log" % self.number
            self.handle.write(line + end)
            self.written[line] += 1
            self.number += 1

    def rotate(self) -> None:
        """Rename and create: the oldest goes up by one, as logrotate does."""
        generations = sorted(
            (path for path in self.path.parent.glob(self.path.name + ".*")), key=lambda p: -int(p.suffix[1:])
        )
        for path in generations:
            path.rename(path.with_suffix(f".{int(path.suffix[1:]) + 1}"))
        self.handle.close()
        self.path.rename(self.path.with_name(self.path.name + ".1"))
        self.handle = self.path.open("ab", buffering=0)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()


def once(*paths: Path | str, shelf: Shelf | None = None) -> Shelf:
    shelf = shelf or Shelf()
    for block in FileTail("files", [str(path) for path in paths]).blocks(shelf.positions.get):
        shelf.take(block)
    return shelf


@pytest.fixture
def log(tmp_path: Path):
    with Log(tmp_path / "registry.log") as log:
        yield log
