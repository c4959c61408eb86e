"""journald's export format (`journalctl -o export`): a field a line, records divided by blank lines.

`NAME=value`, or for a value with control bytes `NAME`, a line end, the length as 64 bits little-endian, the bytes, a line
end. The length may itself hold a byte that looks like a line end. https://systemd.io/JOURNAL_EXPORT_FORMATS
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_FIRST = b"__CURSOR="  # journald writes it first
_NAME = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}")
_MOST_BYTES = 1 << 20


def realtime(value: Any) -> datetime | None:
    """`__REALTIME_TIMESTAMP`: microseconds since 1970 as digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        return datetime.fromtimestamp(int(value) // 10**6, UTC).replace(microsecond=int(value) % 10**6)
    return None


@dataclass(slots=True)
class JournalRecord:
    """The record that the lines are in, if they are in one."""

    time: datetime | None = None
    _inside: bool = False
    _name: bytes = b""  # of a binary value that has begun
    _value: bytearray = field(default_factory=bytearray)

    @property
    def open(self) -> bool:
        """Whether a record has begun and not ended."""
        return self._inside

    def takes(self, raw: bytes) -> bool:
        """Whether the line belongs to a record (the line that begins one included)."""
        if self._inside and not self._name and b"=" not in raw and raw and _NAME.fullmatch(raw) is None:
            self._inside = False  # a torn record: whatever this is, it is no field
        return self._inside or raw.startswith(_FIRST)

    def value(self, raw: bytes) -> bytes | None:
        """The message, with the line that completes it."""
        if self._name:
            return self._more(raw)
        if raw.startswith(_FIRST):
            self._inside, self.time = True, None
        elif not raw:
            self._inside = False
        elif raw.startswith(b"__REALTIME_TIMESTAMP="):
            self.time = realtime(raw.partition(b"=")[2].decode("ascii", "replace"))
        elif raw.startswith(b"MESSAGE="):
            return raw[len(b"MESSAGE=") :]
        elif b"=" not in raw:
            self._name, self._value = raw, bytearray()
        return None

    def _more(self, raw: bytes) -> bytes | None:
        self._value += raw + b"\n"
        if len(self._value) < 8:
            return None
        size = int.from_bytes(self._value[:8], "little")
        if size > _MOST_BYTES:
            self._inside, self._name = False, b""
        elif len(self._value) >= 8 + size + 1:
            name, value = self._name, bytes(self._value[8 : 8 + size])
            self._name = b""
            return value if name == b"MESSAGE" else None
        return None
