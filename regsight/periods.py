"""Whole days, weeks and months in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


def month_of(text: str) -> tuple[datetime, datetime]:
    """`2026-11` → its first moment and that of the next month.

    Raises:
        ValueError: no month.
    """
    match = _MONTH.fullmatch(text.strip())
    if match is None or not (1 <= int(match[2]) <= 12 and 1 <= int(match[1]) <= 9998):
        raise ValueError(f"{text!r} is no month; write 2026-11")
    start = datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)
    return start, (start + timedelta(days=32)).replace(day=1)


def last_period(name: str, now: datetime) -> tuple[datetime, datetime]:
    """The last whole `day`, `week` (from Monday) or `month` that is over at `now`."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if name == "day":
        return today - timedelta(days=1), today
    if name == "week":
        monday = today - timedelta(days=today.weekday())
        return monday - timedelta(days=7), monday
    first = today.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1), first
