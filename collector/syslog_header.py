"""The headers of syslog: RFC 5424, the traditional one (no year, no zone), and what Go's log/syslog and rsyslog make of it.

They stand in front of what a sender sends and, without the priority, in front of what a syslog daemon writes into a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from collector.errors import LineError
from collector.lines import moment, yearless_moment

_PRI = rb"(?:<(?P<pri>\d{1,3})> ?)?"
_TAG = rb"(?P<tag>[^\s:\[]{1,64})(?:\[(?P<pid>[^\]\s]{0,20})\])?:"
_DAY = rb"(?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<clock>\d\d:\d\d:\d\d) "
_RFC3339 = rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))"
# Several programs write time, level and component with blanks between: a level is no host.
_NO_HOST = rb"(?!(?:TRACE|DEBUG|DBG|INFO|INF|NOTICE|WARN|WRN|WARNING|ERROR|ERR|FATAL|PANIC)\b)"
_REPEATED = rb"(?=(?:last )?message repeated \d{1,9} times)"

_PROTOCOL = re.compile(
    rb"(?:<(?P<pri>\d{1,3})>)?1 (?:-|"
    + _RFC3339
    + rb") (?P<host>\S{1,255}) (?P<tag>\S{1,64}) (?P<pid>\S{1,128}) \S{1,32} "
    rb'(?:-|(?P<data>(?:\[[^\]"\\ =]{1,32}(?: [^\]"\\ =]{1,32}="(?:[^"\\]|\\.)*")*\])+))(?: (?:\xef\xbb\xbf)? ?|$)',
    re.DOTALL,
)
# Go's log/syslog (Harbor's forwarded audit log), and what rsyslog calls RSYSLOG_FileFormat and RSYSLOG_ForwardFormat.
_DATED = re.compile(
    _PRI + _RFC3339 + rb" " + _NO_HOST + rb"(?P<host>[^\s\[<]\S{0,254}) (?:" + _TAG + rb" ?|" + _REPEATED + rb")"
)
_TRADITIONAL = re.compile(_PRI + _DAY + rb"(?P<host>\S{1,255}) (?:" + _TAG + rb" ?|" + _REPEATED + rb")")
# Docker's syslog driver names no host unless told to. Only with a priority: without one it may be anybody's text.
_HOSTLESS = re.compile(rb"<(?P<pri>\d{1,3})> ?" + _DAY + _TAG + rb"(?: |$)")

# rsyslog writes control bytes as `#ooo`. Line feed, carriage return and NUL are left as they are written: no log line holds
# them, and a client that sends the text `#012` must not be able to begin a new line inside an old one.
_ESCAPE = re.compile(rb"#(0(?:0[1-7]|1[013467]|[23][0-7])|177)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogLine:
    """`payload` is what the program said. `data` are the structured data of RFC 5424 as written, brackets included."""

    payload: bytes
    time: datetime | None
    host: bytes = b""
    tag: bytes = b""
    pid: bytes = b""
    pri: int | None = None
    data: bytes = b""


def read_syslog(line: bytes, newest: datetime, zone: tzinfo = UTC) -> SyslogLine | None:
    """The line without its header; None if it has none.

    `newest` is the latest that a traditional time can be (when the file was last written, or now), and `zone` the one that
    its writer had.
    """
    found = _match(line)
    if found is None:
        return None
    parts = found.groupdict(b"")
    return SyslogLine(
        payload=unescape(line[found.end() :]),
        time=_time(parts, newest, zone),
        host=parts.get("host", b""),
        tag=parts["tag"],
        pid=parts["pid"],
        pri=int(parts["pri"]) if parts["pri"] else None,
        data=parts.get("data", b""),
    )


def _match(line: bytes) -> re.Match[bytes] | None:
    first = line[:1]
    if first == b"<":
        end = line.find(b">", 1, 6) + 1
        start = line[end : end + 1] if end else b""
        if start == b" ":
            start = line[end + 1 : end + 2]
        if start.isdigit():
            return _PROTOCOL.match(line) or _DATED.match(line)
        return _HOSTLESS.match(line) or _TRADITIONAL.match(line)
    if first.isdigit():
        return _PROTOCOL.match(line) if line.startswith(b"1 ") else _DATED.match(line)
    return _TRADITIONAL.match(line) if line[3:4] == b" " else None


def _time(parts: dict[str, bytes], newest: datetime, zone: tzinfo) -> datetime | None:
    try:
        if parts.get("month"):
            return traditional_moment(
                parts["month"].decode(), parts["day"].decode(), parts["clock"].decode(), newest, zone
            )
        return moment(parts["time"].decode()) if parts.get("time") else None
    except LineError:
        return None


@lru_cache(maxsize=256)  # lines come many to the second
def traditional_moment(month: str, day: str, clock: str, newest: datetime, zone: tzinfo) -> datetime:
    """`Nov  3 15:04:05` in a zone: the last such moment that is not more than a day after `newest`, so that lines of
    December in a file written in January are of the year before.

    Raises:
        Unreadable: there is no such day or time.
    """
    if zone is UTC:
        return yearless_moment(month, day, clock, newest)
    # First as if it were UTC, for the year; a zone can only move it by less than a day.
    read = yearless_moment(month, day, clock, newest + timedelta(hours=14))
    for year in (read.year, read.year - 1):
        try:
            local = read.replace(year=year, tzinfo=zone).astimezone(UTC)
        except ValueError:  # 29 February
            continue
        if local - newest <= timedelta(days=1):
            return local
    return read


def unescape(payload: bytes) -> bytes:
    """Control bytes that rsyslog wrote as `#033` and the like, as they were."""
    if b"#" not in payload:
        return payload
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), payload)
