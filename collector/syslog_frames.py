"""Messages out of a syslog connection's bytes (RFC 6587), in whatever pieces they come.

Octet-counted (`57 <30>…`) or one a line, decided by the first bytes of the connection. A message beyond the limit is cut,
and the rest of it is skipped without being kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COUNT = re.compile(rb"([1-9]\d{0,8}) ")
_COUNT_BYTES = 10  # of the longest count, its blank included
_ENDS = re.compile(rb"[\n\0]")  # old senders end a message with NUL

HALF = "message cut off by the end of the connection"
TOO_LARGE = "message longer than allowed"
NO_COUNT = "octet-counted connection lost its count"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message, or what there is of it and why that is not all. `length` is its true length as far as it was seen."""

    data: bytes
    problem: str = ""
    length: int = 0


class Framing:
    """The state of one connection. `lost` says that nothing behind it can be read: close it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._counted: bool | None = None
        self._need = 0  # bytes of the counted message that has begun
        self._cut: bytes | None = None  # beginning of a message beyond the limit
        self._skipped = 0
        self.lost = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The messages that these bytes complete."""
        self._held += data
        if self._counted is None and not self._decide(ended=False):
            return
        yield from self._by_count() if self._counted else self._by_line()

    def end(self) -> Iterator[Frame]:
        """What is left when the connection ends."""
        if self._counted is None:
            self._decide(ended=True)
        if self._cut is not None:
            yield Frame(self._cut, TOO_LARGE, self._skipped)
        elif self._held.strip(b"\r\n\0 ") and not self.lost:
            yield Frame(bytes(self._held), HALF, len(self._held))
        self._held.clear()
        self._cut = None

    def _decide(self, *, ended: bool) -> bool:
        if not self._held:
            return False
        if _COUNT.match(self._held):
            self._counted = True
        elif ended or not self._held.isdigit() or len(self._held) >= _COUNT_BYTES:
            self._counted = False
        return self._counted is not None

    def _by_count(self) -> Iterator[Frame]:
        while self._held:
            if self._cut is not None:
                if not self._skip(min(len(self._held), self._need - self._skipped)):
                    return
                yield self._end_of_cut()
                continue
            if not self._need and not self._begin():
                if self.lost:
                    yield Frame(bytes(self._held[: self._limit]), NO_COUNT, len(self._held))
                    self._held.clear()
                return
            if self._need > self._limit:
                if len(self._held) < self._limit:
                    return
                self._cut, self._skipped = bytes(self._held[: self._limit]), 0
                continue
            if len(self._held) < self._need:
                return
            yield Frame(bytes(self._held[: self._need]))
            del self._held[: self._need]
            self._need = 0

    def _begin(self) -> bool:
        """Read a count; False if it is not there yet, or none (`lost`)."""
        while self._held.startswith((b"\n", b"\r")):  # some senders count right and add a line end all the same
            del self._held[:1]
        found = _COUNT.match(self._held)
        if found is None:
            self.lost = bool(self._held) and (not self._held.isdigit() or len(self._held) >= _COUNT_BYTES)
            return False
        self._need = int(found[1])
        del self._held[: found.end()]
        return True

    def _skip(self, size: int) -> bool:
        del self._held[:size]
        self._skipped += size
        return self._skipped == self._need

    def _end_of_cut(self) -> Frame:
        frame = Frame(self._cut or b"", TOO_LARGE, self._skipped)
        self._cut, self._skipped, self._need = None, 0, 0
        return frame

    def _by_line(self) -> Iterator[Frame]:
        at = 0
        while (found := _ENDS.search(self._held, at)) is not None:
            line, at = bytes(self._held[at : found.start()]), found.end()
            if self._cut is not None:
                self._skipped += len(line)
                yield self._end_of_cut()
            elif len(line) > self._limit:
                yield Frame(line[: self._limit], TOO_LARGE, len(line))
            elif line.strip(b"\r "):
                yield Frame(line.rstrip(b"\r"))
        del self._held[:at]
        if len(self._held) > self._limit or self._cut is not None:
            self._cut = self._cut if self._cut is not None else bytes(self._held[: self._limit])
            self._skipped += len(self._held)
            self._held.clear()
