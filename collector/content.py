"""The bytes of a file, by offset, however they are kept: in a plain file, a compressed one, or a pipe."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from typing import Protocol

from collector.compressed import DamagedError, is_compressed, open_readable
from collector.lines import MAX_LINE_BYTES
from collector.readable import Readable
from collector.record_lines import HEAD_BYTES, RecordLines, begins_export, begins_records

log = logging.getLogger(__name__)

STEP = 1 << 20


class Content(Protocol):
    """Bytes by offset. `plain` content may grow, shrink and be asked anywhere; other content is finite and read
    forwards.
    """

    plain: bool

    def at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the present end."""
        ...

    def close(self) -> None: ...


class PlainContent:
    """A regular file. It is held open, so it stays readable after a rename or a deletion, and its
    inode stays its own.
    """

    plain = True

    def __init__(self, path: str) -> None:
        # O_NONBLOCK: should the path have become a pipe since it was looked at, opening it must not wait for a writer.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(self.status().st_mode):
            self.close()
            raise OSError(f"not a regular file: {path}")

    def status(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def at(self, offset: int, size: int) -> bytes:
        pieces = []
        while size > 0 and (piece := os.pread(self._descriptor, size, offset)):
            pieces.append(piece)
            offset += len(piece)
            size -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class StreamContent:
    """A pipe or a decompressor: holds back only what lies between the offset asked last and the furthest byte asked
    for.
    """

    plain = False

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream, self._name = stream, name
        self._start, self._held, self._ended = 0, b"", False
        self.damage = ""  # why it cannot be read further

    def at(self, offset: int, size: int) -> bytes:
        if offset < self._start:
            raise ValueError(f"{self._name} can only be read forwards")
        while offset > self._start + len(self._held) and not self._ended:
            self._start += len(self._held)
            self._held = self._more(min(STEP, offset - self._start))
        self._held = self._held[offset - self._start :]
        self._start = offset
        while len(self._held) < size and not self._ended:
            self._held += self._more(size - len(self._held))
        return self._held[:size]

    def _more(self, size: int) -> bytes:
        try:
            piece = self._stream.read1(size)
        except DamagedError as error:
            # What was whole before the damage has been read; what is behind it nobody can read.
            log.warning("compressed file is damaged or cut short", extra={"path": self._name, "error": str(error)})
            self.damage = str(error)
            piece = b""
        self._ended = not piece
        return piece

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()


def open_content(path: str, finished: bool = False) -> PlainContent | StreamContent:
    """A plain file, or the inside of a compressed one. A document `{"Records": […]}` is given as one record a line in a
    compressed file, and in a plain one that is `finished`: nothing will be written to it any more. Exports of Quay's logs are
    given so where they are too long for a line; as one document their rows are known again in another export.

    Raises:
        OSError: it is not there, not allowed, or not a regular file.
    """
    plain = PlainContent(path)
    try:
        head = plain.at(0, HEAD_BYTES)
        as_it_is = not is_compressed(path, head) and not (finished and _is_document(plain, head))
    except OSError:
        plain.close()
        raise
    if as_it_is:
        return plain
    plain.close()
    return StreamContent(RecordLines(open_readable(path)), path)


def _is_document(plain: PlainContent, head: bytes) -> bool:
    """Whether records would come out of it in another form than they are in."""
    return begins_records(head) or (begins_export(head) and plain.status().st_size > MAX_LINE_BYTES)
