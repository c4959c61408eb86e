"""Incidents of a span with the time each step took, and whether those times get better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import mean, median
from typing import Any

from analytics.incidents import in_a_sentence, times
from store.contract import Delivery, Records
from store.event import iso
from store.incident import CLOSED, State

SPANS_BEFORE = 3  # so many spans of equal length before, for the trend
STEPS = ("detect", "notify", "acknowledge", "close")


def incident_rows(store: Records, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Incidents that touch [since, until), the most severe first: `Incident.as_json` with `about` (a sentence) and
    `seconds_to_…` for each of `STEPS`; None for what has not happened.
    """
    told: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in store.deliveries():
        told[delivery.finding_id].append(delivery)
    rows = []
    for incident in store.incidents(since, until):
        took = times(incident, [one for id in incident.findings for one in told[id]])
        rows.append(
            {
                **incident.as_json(),
                "about": in_a_sentence(incident),
                "rank": incident.severity.rank,
                **{f"seconds_to_{step}": getattr(took, step) for step in STEPS},
            }
        )
    return sorted(rows, key=lambda row: (-row["rank"], row["start"], row["id"]))


def response_times(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Mean and median of each step over the incidents in which it was taken, in seconds (MTTD, MTTA and MTTR are the means
    of detect, acknowledge and close), and how many wait.
    """
    rows = list(rows)
    found: dict[str, Any] = {
        "incidents": len(rows),
        "open": sum(row["state"] == State.OPEN for row in rows),
        "acknowledged": sum(row["state"] == State.ACKNOWLEDGED for row in rows),
        "closed": sum(row["state"] in CLOSED for row in rows),
    }
    for step in STEPS:
        took = [row[f"seconds_to_{step}"] for row in rows if row[f"seconds_to_{step}"] is not None]
        found[f"mean_seconds_to_{step}"] = mean(took) if took else None
        found[f"median_seconds_to_{step}"] = median(took) if took else None
    return found


def response_trend(
    store: Records, since: datetime, until: datetime, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The same for the spans of equal length before, oldest first, this one (`rows`) last. An incident counts in the span
    in which it was detected.
    """
    length = until - since
    trend = []
    for back in range(SPANS_BEFORE, -1, -1):
        start, end = since - back * length, until - back * length
        inside = rows if back == 0 else incident_rows(store, start, end)
        detected = [row for row in inside if iso(start) <= row["detected_at"] < iso(end)]
        trend.append({"since": iso(start), "until": iso(end), **response_times(detected)})
    return trend
