"""A panel of a board, and the answers to its questions, as what the page's template draws.

Each kind gives a dict with a `kind` that the template knows: figure, chart, bars, table, events; or empty, error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dashboards.preview.asking import Asker
from dashboards.preview.charts import NARROW, colour, heatmap, time_chart, wide
from dashboards.preview.frames import Line, transformed
from dashboards.preview.servers import AskError
from dashboards.preview.units import shown

Content = dict[str, Any]
# Measures of a page of 1280 pixels: 24 columns and rows of 30 pixels, 8 between them, and what stands around a drawing.
COLUMN, ROW, GAP, AROUND, PADDING = 44.0, 30, 8, 118, 24
LONG_LEGEND = 8  # beyond, only the highest values are told
LONG_LIST = 13  # rows up to here are all seen; more are scrolled


def content(panel: Mapping[str, Any], asker: Asker) -> Content:
    """What to draw in a panel. Never raises for what a data source answers."""
    draw = _KINDS.get(panel["type"])
    if draw is None:
        return {"kind": "error", "text": f"A preview cannot draw a panel of the kind {panel['type']!r}; Grafana can."}
    try:
        return draw(panel, asker) or {"kind": "empty", "text": asker.why_empty(panel)}
    except AskError as error:
        return {"kind": "error", "text": str(error)}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        # An answer may be anything; the other panels are drawn all the same.
        return {"kind": "error", "text": f"The answer cannot be drawn: {type(error).__name__}: {error}"}


def _time_series(panel: Mapping[str, Any], asker: Asker) -> Content | None:
    lines, unit = asker.lines(panel), _unit(panel)
    if not any(value is not None for line in lines.lines for value in line.values):
        return None
    stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    frames = (_frame(panel), NARROW)
    return {
        "kind": "chart",
        "drawing": Markup("").join(time_chart(panel["title"], lines, unit, stacked, frame) for frame in frames),
        **_legend(lines.lines, unit),
    }


def _legend(lines: Sequence[Line], unit: str) -> Content:
    """Name, last and highest value of each line; those without anything to see are only counted."""
    seen = [(colour(place), line) for place, line in enumerate(lines) if line.most()]
    return {
        "keys": [
            {"look": look, "name": line.name, "last": shown(line.last(), unit), "most": shown(line.most(), unit)}
            for look, line in seen
        ],
        "short": len(seen) > LONG_LEGEND,
        "still": [line.name for line in lines if line.most() == 0],
        "silent": [line.name for line in lines if line.most() is None],
    }


def _heatmap(panel: Mapping[str, Any], asker: Asker) -> Content | None:
    lines = asker.lines(panel)
    if not any(value for line in lines.lines for value in line.values):
        return None
    drawn = (heatmap(panel["title"], lines, _unit(panel), frame) for frame in (_frame(panel), NARROW))
    return {"kind": "chart", "drawing": Markup("").join(drawn), **_legend((), "none")}


def _stat(panel: Mapping[str, Any], asker: Asker) -> Content | None:
    found = asker.figures(panel)
    value = found[0].last() if found else None
    if value is None:
        return None
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return {"kind": "figure", "text": shown(value, _unit(panel)), "look": _threshold(value, steps)}


def _threshold(value: float, steps: Sequence[Mapping[str, Any]]) -> str:
    """Colour of the last step that the value reaches; the first has no value and always counts."""
    reached = [step["color"] for step in steps if step.get("value") is None or value >= step["value"]]
    return str(reached[-1]) if reached else "green"


def _bar_gauge(panel: Mapping[str, Any], asker: Asker) -> Content | None:
    found = [(line.name or panel["title"], line.last()) for line in asker.figures(panel)]
    ranked = sorted(((name, value) for name, value in found if value is not None), key=lambda one: (-one[1], one[0]))
    if not ranked:
        return None
    most = max(ranked[0][1], 0.0)
    rows = [{"name": name, "text": shown(value, _unit(panel)), "share": _share(value, most)} for name, value in ranked]
    return {"kind": "bars", "rows": rows, "long": len(rows) > LONG_LIST}


def _table(panel: Mapping[str, Any], asker: Asker) -> Content | None:
    table = transformed(asker.tables(panel), panel.get("transformations", ()))
    if not table.rows:
        return None
    for sort in reversed(panel["options"].get("sortBy", ())):
        name, falling = sort["displayName"], sort["desc"]
        known = [row for row in table.rows if row.get(name) is not None]
        known.sort(key=lambda row: row[name], reverse=falling)
        table.rows = known + [row for row in table.rows if row.get(name) is None]
    columns = [_column(panel, name, [row.get(name) for row in table.rows]) for name in table.columns]
    rows = [[_cell(column, row.get(column["name"])) for column in columns] for row in table.rows]
    return {"kind": "table", "columns": columns, "rows": rows, "long": len(rows) > LONG_LIST}


def _column(panel: Mapping[str, Any], name: str, values: Sequence[Any]) -> Content:
    """What a column's name, and the overrides of that name, say of its cells."""
    said: Content = {"unit": _unit(panel)}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] == {"id": "byName", "options": name}:
            said |= {one["id"]: one["value"] for one in override["properties"]}
    numbers = [value for value in values if isinstance(value, int | float)]
    bars = said.get("custom.cellOptions", {}).get("type") == "gauge" and bool(numbers)
    return {
        "name": name,
        "unit": said["unit"],
        "numeric": bool(numbers) and said["unit"] != "dateTimeAsIso",
        "time": said["unit"] == "dateTimeAsIso",
        "most": max(numbers, default=0.0) if bars else None,
    }


def _cell(column: Content, value: Any) -> Content:
    if not isinstance(value, int | float):
        return {"text": value, "share": None}
    share = None if column["most"] is None else _share(value, column["most"])
    return {"text": shown(value, column["unit"]), "share": share}


def _logs(panel: Mapping[str, Any], asker: Asker) -> Content | None:
    found = asker.events(panel)
    rows = [
        {
            "time": str(event.get("@timestamp", ""))[:19].replace("T", " "),
            "outcome": event.get("event.outcome"),
            "line": event.get("url.original"),
            "fields": [(name, event[name]) for name in _TOLD if event.get(name)],
        }
        for event in found
    ]
    return {"kind": "events", "rows": rows} if rows else None


_TOLD = ("event.action", "event.reason", "user.name", "source.ip", "service.name", "oci.repository", "oci.tag")
_KINDS: Mapping[str, Callable[[Mapping[str, Any], Asker], Content | None]] = {
    "timeseries": _time_series,
    "heatmap": _heatmap,
    "stat": _stat,
    "bargauge": _bar_gauge,
    "table": _table,
    "logs": _logs,
}


def _unit(panel: Mapping[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"].get("unit", "none"))


def _share(value: float, most: float) -> str:
    return f"{100 * min(max(value / most, 0.0), 1.0):.1f}" if most > 0 else "0"


def _frame(panel: Mapping[str, Any]) -> Any:
    place = panel["gridPos"]
    return wide(place["w"] * COLUMN + (place["w"] - 1) * GAP - PADDING, place["h"] * (ROW + GAP) - GAP - AROUND)
