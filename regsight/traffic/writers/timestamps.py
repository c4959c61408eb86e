"""Times and durations as Go programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1_000_000_000


@lru_cache(maxsize=1)
def _clock() -> list[str]:
    """`02:17:47` for every second of a day: looked up a million times, which a formatter would take minutes for."""
    return [f"{of // 3600:02d}:{of // 60 % 60:02d}:{of % 60:02d}" for of in range(86_400)]


@lru_cache(maxsize=64)
def _days(day: int) -> tuple[str, str]:
    """A day (since 1970) as RFC 3339 has it before the clock, and as the access log has it."""
    moment = datetime.fromtimestamp(day * 86_400, UTC)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{moment:%Y-%m-%d}T", f"{moment.day:02d}/{month}/{moment.year}:"


def apache(second: int) -> str:
    """`24/Nov/2026:02:17:47 +0000`"""
    day, of = divmod(second, 86_400)
    return f"{_days(day)[1]}{_clock()[of]} +0000"


def rfc3339(at: int) -> str:
    """`2026-11-24T02:17:47.2759434Z`: nanoseconds without the zeros at their end, as RFC3339Nano has it."""
    second, rest = divmod(at, SECOND)
    day, of = divmod(second, 86_400)
    if not rest:
        return f"{_days(day)[0]}{_clock()[of]}Z"
    return f"{_days(day)[0]}{_clock()[of]}.{rest:09d}".rstrip("0") + "Z"


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
