"""Who and what moved most against the span before: not the busiest, but those that changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def movers(
    now: Iterable[dict[str, Any]], before: Iterable[dict[str, Any]], column: str, top: int
) -> list[dict[str, Any]]:
    """Names by the size of their change in events: `{name, now, before, change}`, `change` negative where it became less.

    Empty where nothing was recorded before: then everything would have moved.
    """
    then = _sums(before, column)
    if not then:
        return []
    today = _sums(now, column)
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "now": today.get(name, 0),
            "before": then.get(name, 0),
            "change": today.get(name, 0) - then.get(name, 0),
        }
        for name in today.keys() | then.keys()
    ]
    changed = [row for row in rows if row["change"]]
    return sorted(changed, key=lambda row: (-abs(row["change"]), row["name"]))[:top]


def _sums(counts: Iterable[dict[str, Any]], column: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for count in counts:
        if count[column] is not None:
            sums[count[column]] = sums.get(count[column], 0) + count["events"]
    return sums
