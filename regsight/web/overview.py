"""What is happening now: the last 24 hours against the 24 before, in numbers and two charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from analytics.reports.charts import Series, line_chart
from analytics.reports.hours import HOUR, hourly, totals
from store.contract import EventReader

DAY = timedelta(hours=24)


def traffic(store: EventReader, now: datetime) -> dict[str, Any]:
    """Sums of the two days by name, and the charts. The last hour is the one that `now` lies in, so far."""
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end += HOUR if end < now else timedelta(0)
    rows = hourly(store, end - 2 * DAY, end)
    before, today = rows[:24], rows[24:]
    labels = [row["start"][11:16] for row in today]
    return {
        "since": end - DAY,
        "until": end,
        "over": end == now,
        "now": totals(today),
        "before": totals(before),
        "charts": [
            _against("Events", "requests", "blue", labels, today, before),
            _against("Refused", "denied", "red", labels, today, before),
        ],
    }


def _against(
    title: str, name: str, look: str, labels: list[str], today: list[dict[str, Any]], before: list[dict[str, Any]]
) -> Markup:
    series = [
        Series(name="the day before", values=[row[name] for row in before], look="grey"),
        Series(name="last 24 hours", values=[row[name] for row in today], look=look),
    ]
    return line_chart(title, labels, series, "per hour")
