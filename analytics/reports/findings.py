"""The findings of a span with the three times that matter: when it began, when it was seen, when somebody was told."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from statistics import mean, median
from typing import Any

from store.contract import Delivery, Records
from store.event import iso


def finding_rows(store: Records, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Findings that touch [since, until), the most severe first, each with `notified_at` and the spans between."""
    told: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in store.deliveries():
        told[delivery.finding_id].append(delivery)
    rows: list[dict[str, Any]] = []
    for finding in store.findings(since, until):
        sent = [delivery.sent_at for delivery in told[finding.id] if delivery.sent_at is not None]
        first = min(sent, default=None)
        rows.append(
            {
                **finding.as_json(),
                "notified_at": None if first is None else iso(first),
                "channels": sorted({delivery.channel for delivery in told[finding.id] if delivery.sent_at}),
                "seconds_to_detect": max(0.0, (finding.detected_at - finding.start).total_seconds()),
                "seconds_to_notify": _later(finding.detected_at, first),
                "rank": finding.severity.rank,
            }
        )
    return sorted(rows, key=lambda row: (-row["rank"], row["start"], row["id"]))


def _later(detected: datetime, told: datetime | None) -> float | None:
    """None where nobody was told, or the clock says told before seen (a replay of old logs): no span to speak of."""
    return None if told is None or told < detected else (told - detected).total_seconds()


def detection_times(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and median time to detect (MTTD) and to notify, in seconds; None where there is nothing to average."""
    detect = [row["seconds_to_detect"] for row in rows]
    notify = [row["seconds_to_notify"] for row in rows if row["seconds_to_notify"] is not None]
    return {
        "findings": len(rows),
        "notified": sum(1 for row in rows if row["notified_at"] is not None),
        "mean_seconds_to_detect": mean(detect) if detect else None,
        "median_seconds_to_detect": median(detect) if detect else None,
        "mean_seconds_to_notify": mean(notify) if notify else None,
        "median_seconds_to_notify": median(notify) if notify else None,
    }
