"""What a forecast is, and how the end of something is reckoned from what is used and a trend."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.replay import floor
from analytics.trend import COVERS, Trend, of_levels
from analytics.windows import DAY
from store.contract import EventReader
from store.event import iso

HISTORY = timedelta(days=56)  # eight weeks: older growth says little of the next
FARTHEST = 3650.0  # days; beyond, nothing is said
NOT_ENOUGH = "not enough data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is used of a limit, how it grows, and when it is reached. `unit`: bytes, pulls or days (of age or validity).

    `per_day` and `exhausted_at` are None where they cannot be told, `note` then says why; both intervals cover 90 %,
    and an end that is None is beyond ten years.
    """

    subject: str
    kind: str
    unit: str
    now: float | None = None
    limit: float | None = None
    per_day: float | None = None
    per_day_interval: tuple[float, float] | None = None
    exhausted_at: datetime | None = None
    exhausted_interval: tuple[datetime | None, datetime | None] | None = None
    method: str = ""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """With times as ISO 8601 UTC."""
        ends = self.exhausted_interval
        return {
            "subject": self.subject,
            "kind": self.kind,
            "unit": self.unit,
            "now": self.now,
            "limit": self.limit,
            "per_day": self.per_day,
            "per_day_interval": list(self.per_day_interval) if self.per_day_interval else None,
            "exhausted_at": iso(self.exhausted_at) if self.exhausted_at else None,
            "exhausted_interval": [iso(end) if end else None for end in ends] if ends else None,
            "method": self.method,
            "note": self.note,
        }


def first_day(store: EventReader, now: datetime) -> datetime | None:
    """The first whole day that counts; None without any event."""
    span = store.span()
    return None if span is None else max(floor(span[0], DAY) + DAY, floor(now - HISTORY, DAY))


def reached(known: Forecast, now: datetime) -> Forecast:
    """It has run out."""
    return replace(known, exhausted_at=now, exhausted_interval=(now, now), note="it is reached")


def filling(known: Forecast, growth: Trend | None, now: datetime) -> Forecast:
    """The forecast of what adds up, from what is used now."""
    assert known.now is not None
    assert known.limit is not None
    if known.now >= known.limit:
        return reached(_with(known, growth), now)
    if growth is None:
        return replace(known, note=NOT_ENOUGH)
    return _ending(known, growth, known.limit - known.now, now, "it does not grow towards its limit")


def rising(known: Forecast, peaks: Iterable[float], now: datetime) -> Forecast:
    """The forecast of a level that was taken once a day, from as high as the busiest days of late."""
    assert known.limit is not None
    values = list(peaks)
    change = of_levels(values)
    if change is None:
        return replace(known, note=NOT_ENOUGH)
    level = float(np.quantile(values[-14:], 0.9))
    left = max(known.limit - level, 0.0)
    return _ending(known, change, left, now, f"busy days reach {level:,.0f}, and do not rise")


def _ending(known: Forecast, trend: Trend, left: float, now: datetime, otherwise: str) -> Forecast:
    def days(rate: float) -> float:
        return left / rate if rate > 0 else (0.0 if not left else math.inf)

    times = sorted(days(rate) for rate in trend.draws)
    early, late = times[int(len(times) * (1 - COVERS) / 2)], times[int(len(times) * (1 + COVERS) / 2)]
    middle = days(trend.slope)
    at = in_days(now, middle)
    if at is None:
        return replace(_with(known, trend), note=otherwise)
    ends = in_days(now, min(early, middle)), in_days(now, max(late, middle))
    return replace(_with(known, trend), exhausted_at=at, exhausted_interval=ends)


def _with(known: Forecast, trend: Trend | None) -> Forecast:
    if trend is None:
        return known
    return replace(known, per_day=trend.slope, per_day_interval=(trend.low, trend.high), method=trend.method)


def in_days(now: datetime, days: float) -> datetime | None:
    """So many days from now; None where that is too far to say."""
    return now + timedelta(days=days) if days <= FARTHEST else None
