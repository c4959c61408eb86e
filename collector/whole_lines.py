"""Whole lines out of growing bytes: what may be handed on now, what must wait, what is too long ever to be a line."""

from __future__ import annotations

from dataclasses import dataclass

from collector.content import Content
from collector.identity import HEAD_BYTES, TAIL_BYTES
from collector.lines import MAX_LINE_BYTES
from collector.slow_start import SlowStart

CHUNK_BYTES = 4 << 20
FIRST_BYTES = 64 << 10  # some hundred lines: a moment's work for any store
BEFORE_BYTES = 64 << 10
EDGE_BYTES = 32 << 10  # at the end of a chunk, looked through for the last line end


class ReplacedError(Exception):
    """The bytes in front of the offset are no longer those that were read: truncated, or written anew."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines [offset, end). Of a line longer than 1 MiB `data` is only the first 1 MiB and one byte, without
    newline: no other piece looks like that, so `oversize` tells it, and its true length is end - offset.
    """

    offset: int
    data: bytes
    before: bytes
    end: int


def oversize(data: bytes) -> bool:
    """Whether a block is the beginning of a single line beyond the limit."""
    return len(data) == MAX_LINE_BYTES + 1 and b"\n" not in data


def growing() -> SlowStart:
    """How much one source takes at once, for all its `WholeLines`."""
    return SlowStart(FIRST_BYTES, CHUNK_BYTES)


class WholeLines:
    """Reads `content` from `offset` on, so much at once as `sizes` says; whole chunks without it. `window` is the last (up
    to) 64 KiB in front of the offset, as they were read.
    """

    def __init__(self, content: Content, offset: int = 0, sizes: SlowStart | None = None) -> None:
        self.content, self.offset = content, offset
        self._sizes = sizes or SlowStart(CHUNK_BYTES, CHUNK_BYTES)
        start = max(0, offset - BEFORE_BYTES)
        self.window = content.at(start, offset - start) if offset else b""
        self._long: tuple[bytes, int] | None = (
            None  # a line beyond the limit: its beginning, and how far it was searched
        )
        self.skipped_zeros = 0
        self._zeros_to = 0  # how far there were nothing but zeros when last looked

    def head(self) -> bytes:
        """The first bytes of the stream, behind a hole of zeros if it begins with one. Only before the first `read`.

        Zeros up to the end are none of them: they become text.
        """
        self._skip_zeros()
        first = self.content.at(self.offset, 2 * HEAD_BYTES)
        if first.endswith(b"\0") and not self.content.at(self.offset + len(first), CHUNK_BYTES).strip(b"\0"):
            return first.rstrip(b"\0")
        return first

    def read(self, final: bool) -> Piece | None:
        """The next piece; None when there is no whole line (yet). `final`: nothing follows, so a line without newline
        is a line.

        Raises:
            ReplacedError: the file now holds something else.
        """
        self._skip_zeros()
        if self._long is None:
            if data := self._first_lines():
                self._check_unchanged()
                return self._piece(data, self.offset + len(data))
            data = self._chunk()
            self._check_unchanged()
            if not data:
                return None
            cut = _whole(data, final)
            if cut:
                return self._piece(data[:cut], self.offset + cut)
            if len(data) <= MAX_LINE_BYTES or (not final and self._waits(data)):
                return None
            self._long = data[: MAX_LINE_BYTES + 1], self.offset
        return self._end_of_long_line(final)

    def _first_lines(self) -> bytes:
        """Less than a chunk, while `sizes` says so, and all within the limit; empty where no more than that is there, or where a
        document is longer: that is wanted in one piece.
        """
        size = self._sizes.now
        if size > MAX_LINE_BYTES or len(data := self.content.at(self.offset, size)) < size:
            return b""
        return data[: _between_documents(data)]

    def _chunk(self) -> bytes:
        """What comes next; of a long file up to a line end, so that nothing has to be cut off, which would copy all of it."""
        if self.content.plain:
            edge = self.content.at(self.offset + CHUNK_BYTES - EDGE_BYTES, EDGE_BYTES)
            if len(edge) == EDGE_BYTES and (last := edge.rfind(b"\n")) >= 0:
                return self.content.at(self.offset, CHUNK_BYTES - EDGE_BYTES + last + 1)
        return self.content.at(self.offset, CHUNK_BYTES)

    def _end_of_long_line(self, final: bool) -> Piece | None:
        assert self._long is not None
        start, searched = self._long
        while data := self.content.at(searched, CHUNK_BYTES):
            newline = data.find(b"\n")
            if newline >= 0:
                return self._piece(start, searched + newline + 1)
            searched += len(data)
            self._long = start, searched
        self._check_unchanged()
        return self._piece(start, searched) if final else None

    def _piece(self, data: bytes, end: int) -> Piece:
        before = self.window
        if len(before) < self.offset:  # the window begins somewhere in a line
            before = before[before.find(b"\n") + 1 :] if b"\n" in before else b""
        piece = Piece(self.offset, data, before.lstrip(b"\0"), end)
        if self._long is None:
            self.window = (self.window + data[-BEFORE_BYTES:])[-BEFORE_BYTES:]
        elif self.content.plain:
            self.window = self.content.at(max(0, end - BEFORE_BYTES), min(end, BEFORE_BYTES))
        else:
            self.window = b""
        self.offset, self._long = end, None
        self._sizes.grow()
        return piece

    def _check_unchanged(self) -> None:
        """Asked after the bytes were read, so that a truncation during the read is seen too."""
        tail = self.window[-TAIL_BYTES:]
        if self.content.plain and tail and self.content.at(self.offset - len(tail), len(tail)) != tail:
            raise ReplacedError

    def _waits(self, data: bytes) -> bool:
        """Whether the file ends in zeros, which may become text with line ends."""
        if not self.content.plain:
            return False
        return data[:1] == b"\0" or (data.endswith(b"\0") and not self.content.at(self.offset + len(data), 1))

    def _skip_zeros(self) -> None:
        """Step over a hole at the offset: a writer without O_APPEND goes on at its old offset after `copytruncate`.

        Zeros up to the end are left in a plain file: on network file systems the size is seen before the data, and they
        become text.
        """
        while self._long is None and self.content.at(self.offset, 1) == b"\0":
            place = self._end_of_zeros()
            if place is None:
                return
            self._check_unchanged()
            skipped = place - self.offset
            self.window = (self.window + bytes(min(skipped, BEFORE_BYTES)))[-BEFORE_BYTES:]
            self.offset = place
            self.skipped_zeros += skipped

    def _end_of_zeros(self) -> int | None:
        """Where the zeros at the offset end, or a chunk of them; None where they may become text."""
        if not self.content.plain:  # finite, and only read forwards
            data = self.content.at(self.offset, CHUNK_BYTES)
            return self.offset + len(data) - len(data.lstrip(b"\0"))
        if self._zeros_to > self.offset and not self.content.at(self._zeros_to - 1, 1):  # cut meanwhile
            self._zeros_to = self.offset
        place = max(self.offset, self._zeros_to)
        while data := self.content.at(place, CHUNK_BYTES):
            rest = data.lstrip(b"\0")
            place += len(data) - len(rest)
            if rest:
                break
        self._zeros_to = place
        if not data:
            return None
        start = max(self.offset, place - BEFORE_BYTES)
        if self.content.at(start, place - start).strip(b"\0"):  # became text while what is behind was looked for
            self._zeros_to = self.offset
            return None
        return place


def _between_documents(data: bytes) -> int:
    """The last place behind a line end where no document goes on that is printed over many lines: 0 if there is none."""
    place = len(data) - 1
    while (place := data.rfind(b"\n", 0, place)) > 0:
        if data[place + 1] not in b" \t\r\n}]" and data[place - 1] not in b",:[{":
            return place + 1
    return 0


def _whole(data: bytes, final: bool) -> int:
    """How many bytes from the start are whole lines within the limit; 0 if the first line is not."""
    if len(data) <= MAX_LINE_BYTES:
        return len(data) if final else data.rfind(b"\n") + 1
    end = 0
    while True:
        last = data.rfind(b"\n", end, end + MAX_LINE_BYTES + 1)
        if last < 0:  # the line that begins here is longer than the limit, or not complete
            rest_is_last_line = final and len(data) < CHUNK_BYTES and len(data) - end <= MAX_LINE_BYTES
            return len(data) if rest_is_last_line else end
        end = last + 1
        if end == len(data):
            return end
