"""Traffic hour by hour, as people count it: a pull is one that worked, a refusal is one whatever it wanted.

The windows of the detectors count attempts; people who read "203 pushes" mean images that are there now.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from store.contract import EventReader
from store.event import BAD_CREDENTIALS, Action, Outcome, iso

HOUR = timedelta(hours=1)
WORKED = {Action.PULL: "pulls", Action.PUSH: "pushes", Action.DELETE: "deletes", Action.LOGIN: "logins"}
COUNTED = ("requests", *WORKED.values(), "denied", "bad_credentials", "failures", "bytes")


def hourly(store: EventReader, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """One row per hour touched by [since, until): `start` (ISO 8601) and `COUNTED`; quiet hours are rows of zeros."""
    rows: dict[datetime, dict[str, Any]] = {}
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < until:
        rows[hour] = {"start": iso(hour), **dict.fromkeys(COUNTED, 0)}
        hour += HOUR
    frame = store.counts(since, until, ["action", "outcome", "reason"], HOUR)
    for count in frame.to_dict("records"):
        row, events = rows[count["window_start"].to_pydatetime()], int(count["events"])
        row["requests"] += events
        row["bytes"] += int(count["bytes"])
        for name in _counted_as(count):
            row[name] += events
    return list(rows.values())


def totals(rows: list[dict[str, Any]]) -> dict[str, int]:
    """The sums of `COUNTED` over hours."""
    return {name: sum(row[name] for row in rows) for name in COUNTED}


def _counted_as(count: dict[Any, Any]) -> list[str]:
    """The columns an event with this action, outcome and reason counts in, besides requests and bytes."""
    if count["outcome"] == Outcome.DENIED:
        return ["denied", "bad_credentials"] if count["reason"] == BAD_CREDENTIALS else ["denied"]
    if count["outcome"] == Outcome.FAILURE:
        return ["failures"]
    if count["outcome"] == Outcome.SUCCESS and count["action"] in WORKED:
        return [WORKED[count["action"]]]
    return []
