"""A board as Grafana reads it from a file: the frame around the panels, the variables, the grid.

A panel without gridPos blanks the whole dashboard, and a multi-value variable without `current` breaks the newer
renderer: both are put right here.
"""

from __future__ import annotations

from typing import Any

from grafanalib import core as grafana

from dashboards.board import Board, Entry, Panel, Variable
from dashboards.leftovers import BOARD_KEYS, PANEL_KEYS, VARIABLE_KEYS, live, plain
from dashboards.links import Ways, links, row_links

SCHEMA_VERSION = 39  # what Grafana 11.0 writes itself: loaded without one of its thirty rewrites of old boards
GRID_WIDTH = 24


def render(board: Board, ways: Ways) -> dict[str, Any]:
    """The dashboard with the panels that the data sources can fill, and links to what is there."""
    model = grafana.Dashboard(
        title=board.title,
        uid=board.uid,
        description=board.description,
        tags=["regsight"],
        schemaVersion=SCHEMA_VERSION,
        editable=False,
        graphTooltip=1,
        refresh="1m",
        time=grafana.Time(board.span, "now"),
        timezone="browser",
    )
    body = {key: value for key, value in plain(model).items() if key not in BOARD_KEYS and value is not None}
    body["id"] = None  # Grafana gives it one; anything else must already exist there
    body["timepicker"] = {}
    listed = [v for v in board.variables if isinstance(v, Entry) or v.source in ways.sources]
    body["templating"] = {"list": [_entry(v) if isinstance(v, Entry) else _variable(v) for v in listed]}
    body["panels"] = _lay_out(board, ways)
    return body


def _lay_out(board: Board, ways: Ways) -> list[dict[str, Any]]:
    """Panels from left to right, a new line where one does not fit, each section under its heading."""
    placed: list[dict[str, Any]] = []
    y = 0
    for heading, panels in board.sections:
        filled = [panel for panel in panels if panel.source in ways.sources]
        if not filled:
            continue
        row = live(plain(grafana.RowPanel(title=heading)), PANEL_KEYS | {"fieldConfig", "targets", "links"})
        placed.append({**row, "id": len(placed) + 1, "gridPos": {"h": 1, "w": GRID_WIDTH, "x": 0, "y": y}})
        x, y, tallest = 0, y + 1, 0
        for panel in filled:
            if x + panel.width > GRID_WIDTH:
                x, y, tallest = 0, y + tallest, 0
            place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
            placed.append({**_linked(panel, ways), "id": len(placed) + 1, "gridPos": place})
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return placed


def _linked(panel: Panel, ways: Ways) -> dict[str, Any]:
    config = panel.body["fieldConfig"]
    overrides = [*config.get("overrides", []), *row_links(panel, ways)]
    return {**panel.body, "fieldConfig": {**config, "overrides": overrides}, "links": links(panel, ways)}


def _variable(variable: Variable) -> dict[str, Any]:
    several = variable.all_value is not None
    model = grafana.Template(
        name=variable.name,
        label=variable.label,
        dataSource=variable.source.ref,
        query=variable.query,
        multi=several,
        includeAll=several,
        allValue=variable.all_value,
        refresh=2,  # when the time range changes: a registry of last week should be there when looking at last week
    )
    everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
    # Without a choice yet, Grafana takes the first of the list.
    return {**live(plain(model), VARIABLE_KEYS), "current": everything if several else {}}


def _entry(entry: Entry) -> dict[str, Any]:
    """grafanalib's textbox has no `current`."""
    chosen = {"selected": True, "text": entry.value, "value": entry.value}
    return {
        "name": entry.name,
        "label": entry.label,
        "type": "textbox",
        "query": entry.value,
        "hide": 0,
        "options": [chosen],
        "current": chosen,
    }
