"""What was stored lately about times gone by: the question behind re-opening windows that were judged already.

Rows are asked by when they were handed to the store (`stored_at`), not by when they happened. In Elasticsearch an event
has one such time, that of its most trusted part: a less trusted part that is added later does not count as an arrival.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from store.event import BY_NAME, iso

HOUR = timedelta(hours=1)
_TIME, _STORED = BY_NAME["timestamp"].ecs, BY_NAME["stored_at"].ecs


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Rows of one hour of event time: how many, their first time, and when the last of them was stored."""

    hour: datetime
    rows: int
    first: datetime
    stored: datetime


def embedded(source: str) -> str:
    """The question in SQL; parameters $stored, $since and $before."""
    return f"""SELECT time_bucket(INTERVAL 1 HOUR, timestamp, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS hour,
            count(*), min(timestamp), max(stored_at)
        FROM {source} WHERE stored_at >= $stored AND timestamp >= $since AND timestamp < $before
        GROUP BY 1 ORDER BY 1"""  # noqa: S608 (the source is ours)


def elastic(stored_since: datetime, since: datetime, before: datetime) -> dict[str, Any]:
    """The same for Elasticsearch."""
    chosen = [
        {"range": {_STORED: {"gte": iso(stored_since)}}},
        {"range": {_TIME: {"gte": iso(since), "lt": iso(before)}}},
    ]
    ends = {"first": {"min": {"field": _TIME}}, "stored": {"max": {"field": _STORED}}}
    histogram = {"field": _TIME, "fixed_interval": "1h", "min_doc_count": 1}
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {"bool": {"filter": chosen}},
        "aggs": {"hours": {"date_histogram": histogram, "aggs": ends}},
    }


def from_elastic(answer: Mapping[str, Any]) -> list[Arrival]:
    return [
        Arrival(
            hour=_moment(bucket["key"]),
            rows=bucket["doc_count"],
            first=_moment(bucket["first"]["value"]),
            stored=_moment(bucket["stored"]["value"]),
        )
        for bucket in answer.get("aggregations", {}).get("hours", {}).get("buckets", ())
    ]


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
