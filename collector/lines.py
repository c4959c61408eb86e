"""Blocks into lines, and the small readings that every format needs: text, numbers, times, durations, addresses.

Nothing here raises on foreign input save `moment`, which says `Unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from collector.errors import Unreadable
from store.compiled import compiled

MAX_LINE_BYTES = 1 << 20  # Harbor cuts at 32 KiB, journald at 48 KiB: a longer line is no log line
TOO_LONG = "line longer than 1 MiB"
_LARGE_BYTES = 64 << 10


def count_ends(data: bytes) -> int:
    """Newlines; in large blocks at several times the speed of `bytes.count`, where the scanner is installed."""
    if len(data) < _LARGE_BYTES:
        return data.count(b"\n")
    count = getattr(compiled(), "count_ends", None)
    return data.count(b"\n") if count is None else int(count(data))


def count_lines(data: bytes) -> int:
    """Lines in a block: newlines, and one more for a last line without."""
    return count_ends(data) + (0 if not data or data.endswith(b"\n") else 1)


def split_lines(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """(absolute offset, line without its line end) of every line, as many as `count_lines` says."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            end = len(data)
        yield offset + at, data[at:end].rstrip(b"\r")
        at = end + 1


def as_text(line: bytes) -> str:
    """UTF-8, and bytes that are not as `\\xNN`."""
    return line.decode("utf-8", "backslashreplace")


def word(value: Any) -> str | None:
    """A non-empty string, or None for whatever else a foreign document holds there."""
    return value if isinstance(value, str) and value else None


def whole(value: Any) -> int | None:
    """A number of things: an int, or digits, that fits 63 bits; None otherwise."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 1 << 63 else None
    if isinstance(value, str) and len(value) < 19 and value.isascii() and value.isdigit():
        return int(value)
    return None


def moment(value: Any) -> datetime:
    """RFC 3339 with up to nine digits of fraction, as an aware UTC datetime.

    Raises:
        Unreadable: it is no time, has no zone, or lies outside 1970 … 9998.
    """
    if isinstance(value, str) and len(value) <= 40:
        try:
            read = datetime.fromisoformat(value)
            if read.tzinfo is not None and 1970 <= read.year <= 9998:
                return read.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Unreadable("no time that can be read")


_MONTHS = {
    m: i + 1 for i, m in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])
}


@lru_cache(maxsize=256)  # access lines come many to the second
def apache_moment(value: str) -> datetime:
    """`24/Nov/2026:02:17:24 +0000`, whatever the locale says about names of months."""
    try:
        day, month, rest = value.split("/", 2)
        year, clock, zone = rest[:4], rest[5:13], rest[14:]
        return moment(f"{year}-{_MONTHS[month]:02d}-{day}T{clock}{zone[:3]}:{zone[3:]}")
    except (ValueError, KeyError):
        raise Unreadable("no time that can be read") from None


def yearless_moment(month: str, day: str, clock: str, now: datetime) -> datetime:
    """A syslog time such as `Nov  3 15:04:05`: the newest such moment that is not more than a day after `now`.

    The line has no zone either. UTC is taken, which is what Harbor's log container has unless it was changed.
    """
    for year in (now.year + 1, now.year, now.year - 1, now.year - 2, now.year - 3, now.year - 4):
        try:
            read = moment(f"{year}-{_MONTHS[month]:02d}-{int(day):02d}T{clock}+00:00")
        except (ValueError, KeyError, Unreadable):  # 29 February exists in some of these years only
            continue
        if (read - now).total_seconds() <= 86_400:
            return read
    raise Unreadable("no time that can be read")


_GO_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_GO_DURATION = re.compile(r"(\d{1,12}(?:\.\d{0,12})?)(ns|us|µs|μs|ms|s|m|h)")


def go_duration_ns(value: Any) -> int | None:
    """Nanoseconds of Go's `1m51.9s`, `2.4298s`, `941.512µs`; None if it is none."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    total, at = 0.0, 0
    while at < len(value):
        found = _GO_DURATION.match(value, at)
        if found is None:
            return None
        total += float(found[1]) * _GO_UNITS[found[2]]
        at = found.end()
    return round(total) if at and total < 2**62 else None


def seconds_ns(value: str) -> int | None:
    """Nanoseconds of nginx' `0.001`; None for `-`."""
    return round(float(value) * 10**9) if re.fullmatch(r"\d{1,9}\.\d{1,6}", value) else None


def milliseconds_ns(value: Any) -> int | None:
    """Nanoseconds of a number of milliseconds, or of its text (`38.212784`); None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:.6f}"
    if not isinstance(value, str) or re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", value) is None:
        return None
    return round(float(value) * 10**6)


@lru_cache(maxsize=4096)
def address(value: str) -> str | None:
    """An IP address in its canonical form, or None: names, masks and forged headers are no address.

    `::ffff:203.0.113.9`, as a socket for both families tells it, is the client 203.0.113.9 and no second one.
    """
    try:
        read = ip_address(value.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return str(getattr(read, "ipv4_mapped", None) or read)


def address_and_port(value: Any) -> tuple[str | None, int | None]:
    """`127.1.0.10:36077`, `[2001:db8::1]:33432`, or bare: address, and port where there is one."""
    if not isinstance(value, str) or len(value) > 100:
        return None, None
    host, colon, port = value.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5 and (host.endswith("]") or ":" not in host):
        return address(host), int(port)
    return address(value), None
