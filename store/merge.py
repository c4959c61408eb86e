"""How the parts of one event become one: the rule that both stores keep.

A request may be told of by the registry's own log, a notification and a proxy's access line. For each field the most
trusted part that has a value gives it; `store.sql` says the same in SQL, and a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from store.event import FIELDS, Channel

# From most to least trusted; what comes from no known channel stands behind them.
TRUST: Mapping[str, int] = {str(channel): rank for rank, channel in enumerate(Channel)}
CERTAIN = "certain"
# From surest to least sure: how well the parts of an event are known to belong together.
CONFIDENCES: tuple[str, ...] = (CERTAIN, "likely", "possible")

PART_FIELDS = ("channel", "revision", "stream", "offset")  # of `part_key`

_NEVER = datetime.max.replace(tzinfo=UTC)


def part_key(row: Mapping[str, Any]) -> tuple[int, int, str, int]:
    """What makes two rows of one event the same part; sorts parts from most to least trusted."""
    trust = TRUST.get(row.get("channel") or "", len(TRUST))
    return trust, -(row.get("revision") or 0), row.get("stream") or "", row.get("offset") or 0


def distinct(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The parts, most trusted first; of a part that was read twice, the first reading."""
    found: dict[tuple[int, int, str, int], Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (part_key(row), row.get("read_at") or _NEVER)):
        found.setdefault(part_key(row), row)
    return list(found.values())


def merge(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One event out of all rows with its `event_id`, in whatever order they come.

    It is as sure as the least sure of its parts; parts that say nothing share an id that the registry gave.
    """
    parts = distinct(rows)
    event: dict[str, Any] = {}
    for field in FIELDS:
        event[field.name] = next((row[field.name] for row in parts if row.get(field.name) is not None), None)
    event["revision"] = max(row.get("revision") or 0 for row in parts)
    event["parts"] = sorted({name for row in parts for name in row.get("parts") or ()})
    if len(event["parts"]) > 1:
        event["join_confidence"] = _least(row.get("join_confidence") for row in parts)
    return event


def _least(confidences: Iterable[str | None]) -> str:
    return max((one for one in confidences if one in CONFIDENCES), key=CONFIDENCES.index, default=CERTAIN)
