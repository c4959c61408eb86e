"""Lines that a syslog daemon counted instead of writing them: `last message repeated 3 times`.

rsyslog from version 7 on writes `message repeated 3 times: [ the message]`, with the message cut; older ones, and sysklogd,
write only the count, often without the program's name.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field

_REPEATED = re.compile(rb"(?:last message|message) repeated (\d{1,9}) times(?:: \[ ?(.*)\])?\s*", re.DOTALL)
_SURELY_WHOLE_BYTES = 700  # rsyslog cuts the message it quotes at about 800 bytes
PROGRAMS = 64


@dataclass(frozen=True, slots=True)
class Repeated:
    times: int
    quoted: bytes | None


def repeated(payload: bytes) -> Repeated | None:
    """What a daemon says about lines it left out; None if this is an ordinary line."""
    if not payload.startswith((b"last message", b"message")):
        return None
    found = _REPEATED.fullmatch(payload)
    return Repeated(int(found[1]), found[2]) if found is not None else None


def is_repetition(line: bytes) -> bool:
    """Whether a syslog daemon says here that it left out equal lines."""
    return repeated(line) is not None


@dataclass(slots=True)
class LastLines:
    """The last line of each program in a file."""

    _by_tag: OrderedDict[bytes, tuple[int, bytes]] = field(default_factory=OrderedDict)
    _last: tuple[int, bytes] | None = None

    def note(self, tag: bytes, offset: int, payload: bytes) -> None:
        self._last = offset, payload
        if not tag:
            return
        self._by_tag[tag] = self._last
        self._by_tag.move_to_end(tag)
        if len(self._by_tag) > PROGRAMS:
            self._by_tag.popitem(last=False)

    def meant(self, tag: bytes, said: Repeated) -> tuple[int | None, bytes] | None:
        """(offset, line) of the line that came again. The offset is None if it is known by the quotation alone; None if
        it is not known."""
        candidate = self._by_tag.get(tag) if tag else self._last
        if said.quoted is None:
            return candidate
        if candidate is not None and candidate[1].lstrip().startswith(said.quoted.strip()):
            return candidate
        return (None, said.quoted) if len(said.quoted) <= _SURELY_WHOLE_BYTES else None
