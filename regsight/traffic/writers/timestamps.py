"""Times and durations as Go programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1_000_000_000


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=4096)
def apache(second: int) -> str:
    """`24/Nov/2026:02:17:47 +0000`"""
    moment = datetime.fromtimestamp(second, UTC)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{moment.day:02d}/{month}/{moment.year}:{moment:%H:%M:%S} +0000"


def rfc3339(at: int) -> str:
    """`2026-11-24T02:17:47.2759434Z`: nanoseconds without the zeros at their end, as RFC3339Nano has it."""
    second, rest = divmod(at, SECOND)
    if not rest:
        return _second(second) + "Z"
    return f"{_second(second)}.{rest:09d}".rstrip("0") + "Z"


def duration(nanoseconds: int) -> str:
    """`1.917313ms`, `22.038µs`, `1m2.5s`: Go's `time.Duration.String`."""
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1_000:.3f}".rstrip("0").rstrip(".") + "µs"
    if nanoseconds < SECOND:
        return f"{nanoseconds / 1_000_000:.6f}".rstrip("0").rstrip(".") + "ms"
    whole, rest = divmod(nanoseconds, SECOND)
    hours, below = divmod(whole, 3600)
    minutes, seconds = divmod(below, 60)
    tail = f"{seconds}.{rest:09d}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail
