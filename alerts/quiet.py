"""Quiet hours: when a channel is told only what is critical."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

_HOURS = re.compile(r"\s*([01]\d|2[0-3]):([0-5]\d)\s*[-–]\s*([01]\d|2[0-3]):([0-5]\d)\s*")


def read_hours(text: str) -> tuple[time, time]:
    """`22:00-07:00` as from and to; ValueError for anything else, and for a span that is empty."""
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} are no hours: write them like 22:00-07:00")
    begin, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if begin == end:
        raise ValueError(f"{text!r} begins when it ends: leave quiet_hours out, or write two different times")
    return begin, end


def quiet_until(hours: str | None, zone: str, now: datetime) -> datetime | None:
    """The moment at which the quiet hours end that `now` lies in; None outside them. By the wall clock of `zone`."""
    if hours is None:
        return None
    begin, end = read_hours(hours)
    local = now.astimezone(ZoneInfo(zone))
    clock = local.time()
    over_midnight = begin > end
    inside = (clock >= begin or clock < end) if over_midnight else begin <= clock < end
    if not inside:
        return None
    day = local.date() + timedelta(days=1) if over_midnight and clock >= begin else local.date()
    return datetime.combine(day, end, tzinfo=local.tzinfo).astimezone(now.tzinfo)
