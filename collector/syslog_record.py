"""A received message as a line of the spool: one header for all, RFC 5424, with who sent it and when it came.

`at` and `n` in the structured data make each line another, so two equal messages are two events.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from collector.syslog_frames import HALF, NO_COUNT, TOO_LARGE, Frame
from collector.syslog_header import read_syslog
from store.event import iso

# The streams of what is no whole message. No stream of messages has such a name: theirs hold an `@`.
PROBLEMS = {"half": HALF, "long": TOO_LARGE, "uncounted": NO_COUNT}
STREAM_OF = {problem: name for name, problem in PROBLEMS.items()}

_UNSAFE = re.compile(rb"[^A-Za-z0-9_.-]")
_NOT_PRINTABLE = re.compile(rb"[^\x21-\x7e]")
_LINE_ENDS = {b"\n": b"#012", b"\r": b"#015", b"\0": b"#000"}


def spool_line(frame: Frame, sender: str, received: datetime, number: int, zone: tzinfo = UTC) -> tuple[str, bytes]:
    """(name of the stream, line with its newline). A message without any header is its own text, sent when it came."""
    read = read_syslog(frame.data, received, zone) if not frame.problem else None
    payload = read.payload if read is not None else frame.data
    time = (read.time if read is not None else None) or received
    tag = _UNSAFE.sub(b"_", read.tag if read is not None else b"")[:48] or b"-"
    host = _NOT_PRINTABLE.sub(b"_", read.host if read is not None else b"")[:255] or sender.encode()
    pid = _NOT_PRINTABLE.sub(b"_", read.pid if read is not None else b"")[:32] or b"-"
    pri = read.pri if read is not None and read.pri is not None else 13
    for byte, written in _LINE_ENDS.items():
        payload = payload.replace(byte, written)
    length = b' length="%d"' % frame.length if frame.problem else b""
    origin = b'[regsight@0 from="%b" at="%b" n="%d"%b]' % (sender.encode(), iso(received).encode(), number, length)
    line = b"<%d>1 %b %b %b %b - %b %b\n" % (pri, iso(time).encode(), host, tag, pid, origin, payload)
    name = STREAM_OF[frame.problem] if frame.problem else f"{sender.partition('%')[0]}@{tag.decode()}"
    return name, line
