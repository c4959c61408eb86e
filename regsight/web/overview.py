"""What is happening now: the last 24 hours against the 24 before and against what is usual, in numbers and two charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from analytics.reports.charts import Band, Series, line_chart
from analytics.reports.hours import HOUR, hourly, totals
from regsight.web.usual import UsualTraffic
from store.contract import EventReader

DAY = timedelta(hours=24)


def traffic(store: EventReader, now: datetime, usual: UsualTraffic) -> dict[str, Any]:
    """Sums of the two days by name, and the charts. The last hour is the one that `now` lies in, so far.

    `above` counts the hours of the day with more events than usual; None while nothing is usual yet.
    """
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end += HOUR if end < now else timedelta(0)
    rows = hourly(store, end - 2 * DAY, end)
    before, today = rows[:24], rows[24:]
    bands = {name: usual.band(name, end - DAY, len(today)) for name in ("requests", "denied")}
    return {
        "since": end - DAY,
        "until": end,
        "over": end == now,
        "now": totals(today),
        "before": totals(before),
        "above": {
            name: None if band is None else band.above([row[name] for row in today]) for name, band in bands.items()
        },
        "charts": [
            _against("Events", "requests", "blue", today, before, bands["requests"]),
            _against("Refused", "denied", "red", today, before, bands["denied"]),
        ],
    }


def _against(
    title: str, name: str, look: str, today: list[dict[str, Any]], before: list[dict[str, Any]], band: Band | None
) -> Markup:
    """Against the band where there is one, else against the day before."""
    labels = [row["start"][11:16] for row in today]
    series = [Series(name="last 24 hours", values=[row[name] for row in today], look=look)]
    if band is None:
        series.insert(0, Series(name="the day before", values=[row[name] for row in before], look="grey"))
    return line_chart(title, labels, series, "per hour", band)
