"""Syslog messages on the disk between their arrival and their commit, because nobody will send them again.

A folder per stream (sender and program), in it segments named after the offset of their first byte. What is committed is
deleted segment by segment; what is not is read on after a restart from the committed offset, so each message counts once.
Written without fsync: a killed collector loses nothing, a machine that loses power may lose the last moments.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collector.content import PlainContent
from collector.errors import CollectorError
from collector.slow_start import SlowStart
from collector.whole_lines import BEFORE_BYTES, Piece, WholeLines, growing
from store.contract import Position

SEGMENT_BYTES = 8 << 20
SMALL_BYTES = 64 << 10  # a segment this short is kept although it is committed
MOST_STREAMS = 128  # each holds two descriptors
OTHERS = "others"  # the stream of all that come when there are so many already
_SEGMENT = re.compile(r"\d{20}")


class SpoolInUse(CollectorError):
    """Another process writes to the folder: give each its own."""


@dataclass(slots=True)
class _Stream:
    """`begins` are the offsets of the segments there are, the last of them being written to."""

    folder: Path
    begins: list[int]
    end: int
    descriptor: int = -1
    reader: WholeLines | None = None
    reading: int = -1  # which segment the reader is in
    read: int = 0
    carried: bytes = b""
    committed: int = 0

    def segment(self, begin: int) -> Path:
        return self.folder / f"{begin:020d}"


@dataclass(slots=True)
class Spool:
    """Written by the receiver's thread, read by the pipeline's, trimmed by the writer's."""

    folder: Path
    limit_bytes: int
    segment_bytes: int = SEGMENT_BYTES
    torn: str = "half"  # the stream of lines that a killed run left unfinished
    id: str = ""
    filled: threading.Event = field(default_factory=threading.Event)
    _streams: dict[str, _Stream] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _held: int = -1
    _used: int = 0
    _sizes: SlowStart = field(default_factory=growing)

    def open(self) -> None:
        """Take the folder and what is left in it. Segments of an earlier run are never written to again: the last line
        of one may be cut.

        Raises:
            SpoolInUse: another process has it.
            OSError: it cannot be had.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._held)
            raise SpoolInUse(
                f"another process uses the spool {self.folder}; give this one a folder of its own"
            ) from error
        # The id makes the streams of a spool that was deleted others than those of the next: offsets begin anew.
        id_file = self.folder / "id"
        if not id_file.exists():
            id_file.write_text(secrets.token_hex(4), encoding="ascii")
        self.id = id_file.read_text(encoding="ascii").strip()
        for folder in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            self._take_over(folder)
        for torn in [tail for stream in self._streams.values() if (tail := self._cut_torn(stream))]:
            self.append(self.torn, torn + b"\n")

    def _take_over(self, folder: Path) -> None:
        begins = sorted(int(path.name) for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))
        end = begins[-1] + (folder / f"{begins[-1]:020d}").stat().st_size if begins else 0
        stream = self._streams[folder.name] = _Stream(folder, begins, end, read=begins[0] if begins else 0)
        stream.committed = stream.read
        self._used += end - stream.read
        if not begins or end > begins[-1]:
            begins.append(end)

    def _cut_torn(self, stream: _Stream) -> bytes:
        """Take away, and give, the part of a line at the end of a stream: its writer was killed in the middle of it."""
        last = stream.segment(stream.begins[-2]) if len(stream.begins) > 1 else None
        if last is None:
            return b""
        data = last.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole == len(data):
            return b""
        os.truncate(last, whole)
        self._used -= len(data) - whole
        stream.end = stream.begins[-1] = stream.begins[-2] + whole
        if not whole:
            stream.begins.pop()
        return data[whole:].strip(b"\0")

    def room(self) -> bool:
        return self._used < self.limit_bytes

    def unread(self) -> int:
        with self._lock:
            return sum(stream.end - stream.read for stream in self._streams.values())

    def append(self, name: str, line: bytes) -> None:
        """Keep a line (with its newline) of a stream. The name must be safe as the name of a folder.

        Raises:
            OSError: the disk is full or broken; the line is not kept.
        """
        with self._lock:
            stream = self._streams.get(name) or self._new(name)
            if stream.end - stream.begins[-1] >= self.segment_bytes:
                self._roll(stream)
            if stream.descriptor < 0:
                path = stream.segment(stream.begins[-1])
                stream.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            _write(stream.descriptor, line, stream.end - stream.begins[-1])
            stream.end += len(line)
            self._used += len(line)
        self.filled.set()

    def _new(self, name: str) -> _Stream:
        if len(self._streams) >= MOST_STREAMS:
            name = OTHERS
            if name in self._streams:
                return self._streams[name]
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        stream = self._streams[name] = _Stream(folder, [0], 0)
        return stream

    def _roll(self, stream: _Stream) -> None:
        if stream.descriptor >= 0:
            os.close(stream.descriptor)
            stream.descriptor = -1
        stream.begins.append(stream.end)

    def pieces(
        self, committed: Callable[[str], Position | None], label: Callable[[str], str]
    ) -> Iterator[tuple[str, Piece]]:
        """One piece of each stream that has one, by its name; offsets are those of the stream. `label` gives the name under
        which the positions of a stream are kept."""
        self.filled.clear()
        for name, stream in list(self._streams.items()):
            if stream.reading < 0:
                position = committed(label(name))
                if position is not None and stream.read < position.offset <= stream.end:
                    stream.read = position.offset
                    self.committed(name, position.offset)
            piece = self._piece(stream)
            if piece is not None:
                yield name, piece

    def _piece(self, stream: _Stream) -> Piece | None:
        while True:
            with self._lock:
                if stream.read >= stream.end:
                    return None
                self._turn_to_segment(stream)
                assert stream.reader is not None
                begin, reader, closed = stream.reading, stream.reader, stream.reading != stream.begins[-1]
            piece = reader.read(final=closed)
            if piece is None:
                if not closed:
                    return None
                with self._lock:  # only zeros were left of it
                    stream.read = next(other for other in stream.begins if other > begin)
                continue
            stream.read = begin + piece.end
            before = piece.before if len(piece.before) < piece.offset else _last_lines(stream.carried + piece.before)
            return Piece(begin + piece.offset, piece.data, before, begin + piece.end)

    def _turn_to_segment(self, stream: _Stream) -> None:
        begin = max(begin for begin in stream.begins if begin <= stream.read)
        if stream.reading == begin and stream.reader is not None:
            return
        if stream.reader is not None:
            stream.carried = _last_lines(stream.carried + stream.reader.window)
            stream.reader.content.close()
        stream.reader = WholeLines(PlainContent(str(stream.segment(begin))), stream.read - begin, self._sizes)
        stream.reading = begin

    def committed(self, name: str, offset: int) -> None:
        """Everything before the offset is in the store: delete the segments that hold nothing else."""
        with self._lock:
            stream = self._streams[name]
            stream.committed = max(stream.committed, offset)
            if stream.committed == stream.end and stream.end - stream.begins[-1] > self._small():
                self._roll(stream)
            while len(stream.begins) > 1 and stream.begins[1] <= stream.committed:
                # The last segment's name is what tells the next run where the stream ends.
                stream.segment(stream.begins[-1]).touch(mode=0o600)
                begin = stream.begins.pop(0)
                self._used -= stream.begins[0] - begin
                stream.segment(begin).unlink(missing_ok=True)

    def _small(self) -> int:
        """Whatever the bound is, committed segments that are kept must never fill it."""
        return min(SMALL_BYTES, self.limit_bytes // (2 * MOST_STREAMS))

    def close(self) -> None:
        with self._lock:
            for stream in self._streams.values():
                if stream.descriptor >= 0:
                    os.close(stream.descriptor)
                    stream.descriptor = -1
                if stream.reader is not None:
                    stream.reader.content.close()
                    stream.reader = None
                stream.reading = -1
            if self._held >= 0:
                os.close(self._held)
                self._held = -1


def _write(descriptor: int, line: bytes, size: int) -> None:
    try:
        written = os.write(descriptor, line)
        if written < len(line):
            raise OSError("the disk is full")
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _last_lines(data: bytes) -> bytes:
    if len(data) <= BEFORE_BYTES:
        return data
    data = data[-BEFORE_BYTES:]
    return data[data.find(b"\n") + 1 :] if b"\n" in data else b""
