"""Pulls: when a rate limit is reached, and where the pulls of each image are going."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.forecast import HISTORY, Forecast, first_day, in_days, reached, rising
from analytics.limits import Limit
from analytics.replay import floor
from analytics.trend import Floats, Trend, of_levels
from analytics.windows import DAY, HOUR
from store.contract import EventReader
from store.event import Action, Outcome


def pulls(store: EventReader, limit: Limit, now: datetime) -> Forecast:
    """At the pace of the last hour, where that alone would pass the limit; else by the trend of each day's peak."""
    assert limit.pulls is not None
    width = max(1, round(limit.per / HOUR))
    used, pace = (float(_counted(store, limit, now - span, now)) for span in (limit.per, HOUR))
    known = Forecast(subject=limit.name, kind=limit.kind, unit="pulls", now=used, limit=limit.pulls)
    if used >= limit.pulls:
        return reached(known, now)
    if pace * width > limit.pulls:
        left = limit.pulls - used
        low, high = max(pace - 1.645 * math.sqrt(pace), 1e-9), pace + 1.645 * math.sqrt(pace)  # a Poisson count's 90 %
        ends = now + left / high * HOUR, in_days(now, left / low / 24)
        return replace(
            known, exhausted_at=now + left / pace * HOUR, exhausted_interval=ends, method="pace of the last hour"
        )
    hours = _pulls_an_hour(store, limit, now)
    rolling = np.convolve(hours, np.ones(width), "valid") if len(hours) >= width else np.zeros(0)
    whole = len(rolling) // 24 * 24
    peaks = rolling[len(rolling) - whole :].reshape(-1, 24).max(axis=1) if whole else np.zeros(0)
    return rising(known, peaks, now)


def _pulls_an_hour(store: EventReader, limit: Limit, now: datetime) -> Floats:
    """Successful pulls in each whole hour of the clock, oldest first."""
    span, end = store.span(), floor(now, HOUR)
    begin = end if span is None else max(floor(span[0], HOUR), end - HISTORY)
    hours = np.zeros(max(int((end - begin) / HOUR), 0))
    if len(hours):
        for row in _pulled(store, limit, begin, end, HOUR):
            hours[(row["window_start"] - begin) // HOUR] += row["events"]
    return hours


def _counted(store: EventReader, limit: Limit, since: datetime, until: datetime) -> int:
    return sum(int(row["events"]) for row in _pulled(store, limit, since, until))


def _pulled(
    store: EventReader, limit: Limit, since: datetime, until: datetime, width: timedelta | None = None
) -> Iterator[dict[str, Any]]:
    """Counts of the successful pulls that the limit is about."""
    for found in store.counts(since, until, ["action", "outcome", *limit.fields()], width).to_dict("records"):
        row = {str(name): value for name, value in found.items()}
        if row["action"] == Action.PULL and row["outcome"] == Outcome.SUCCESS and limit.fits(row):
            yield row


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Pulls of one repository: a day on average in the last week, and the change per day with its interval."""

    repository: str
    pulls_a_day: float
    trend: Trend | None


def demand(store: EventReader, now: datetime, most: int = 20) -> list[Demand]:
    """The repositories pulled most in the last eight weeks, and where their pulls are going."""
    begin, end = first_day(store, now), floor(now, DAY)
    if begin is None or begin >= end:
        return []
    frame = store.counts(begin, end, ["repository", "action", "outcome"], DAY)
    frame = frame[(frame["action"] == Action.PULL) & (frame["outcome"] == Outcome.SUCCESS)].dropna(
        subset=["repository"]
    )
    total = frame.groupby("repository")["events"].sum().sort_values(ascending=False, kind="stable").head(most)
    found = []
    for repository in total.index:
        days = np.zeros(int((end - begin) / DAY))
        own = frame[frame["repository"] == repository]
        for start, events in zip(own["window_start"], own["events"], strict=True):
            days[int((start - begin) / DAY)] += events
        found.append(
            Demand(repository=str(repository), pulls_a_day=float(days[-7:].mean()), trend=of_levels(list(days)))
        )
    return found
