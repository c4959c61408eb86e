"""Keys that grafanalib writes and Grafana 11 no longer reads, or reads to our harm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from grafanalib._gen import DashboardEncoder

PANEL_KEYS = frozenset(
    [
        "cacheTimeout",
        "editable",
        "error",
        "height",
        "hideTimeOverride",
        "maxDataPoints",
        "maxPerRow",
        "minSpan",
        "span",
        "repeat",
        "repeatDirection",
        "color",
        "columns",
        "fontSize",
        "mappings",
        "timeFrom",
        "timeShift",
        "transformations",
        "transparent",
        "interval",
    ]
)
TARGET_KEYS = frozenset(["intervalFactor", "step", "metric", "target", "query", "hide", "interval"])
BOARD_KEYS = frozenset(["__inputs", "gnetId", "hideControls", "rows", "sharedCrosshair", "style"])
VARIABLE_KEYS = frozenset(["auto", "auto_count", "auto_min", "tags", "tagValuesQuery", "tagsQuery", "useTags"])


def live(body: dict[str, Any], dead: Iterable[str]) -> dict[str, Any]:
    """`body` without the dead keys and without nulls."""
    gone = set(dead)
    return {key: _without_nulls(value) for key, value in body.items() if key not in gone and value is not None}


def _without_nulls(value: Any) -> Any:
    """Nulls mean the default, except for the lowest step of thresholds, which starts at "null"."""
    if isinstance(value, dict):
        return {
            key: inner if key == "steps" else _without_nulls(inner) for key, inner in value.items() if inner is not None
        }
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def plain(model: Any) -> dict[str, Any]:
    """A model of grafanalib as plain values."""
    values: dict[str, Any] = json.loads(json.dumps(model, cls=DashboardEncoder, sort_keys=True))
    return values
