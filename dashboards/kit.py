"""The house's panels: units, colours, sizes and the grid, decided once. The only file that knows grafanalib.

grafanalib 0.7.1 writes what Grafana 7 read. What it gets wrong for Grafana 11 is put right here and nowhere else: a
panel without gridPos blanks the whole dashboard, intervalFactor 2 doubles every step, "mean" is a wrong default for a
single figure, Elasticsearch ids default to 0 and collide, and a multi-value variable without `current` breaks the newer
renderer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from grafanalib import core as grafana
from grafanalib._gen import DashboardEncoder

from dashboards.board import Board, Panel, Source, Unit, Variable
from dashboards.leftovers import BOARD_KEYS, PANEL_KEYS, TARGET_KEYS, VARIABLE_KEYS, live
from dashboards.queries import Elastic, PromQL

Query = PromQL | Elastic

SCHEMA_VERSION = 39  # what Grafana 11.0 writes itself: loaded without one of its thirty rewrites of old boards
GRID_WIDTH = 24
FULL, HALF, THIRD, QUARTER = 24, 12, 8, 6
FIGURE_HEIGHT, CHART_HEIGHT = 4, 8


GREEN, YELLOW, RED = "green", "yellow", "red"


def time_series(
    title: str, *queries: Query, unit: Unit, description: str, link: str, width: int = HALF, stacked: bool = False
) -> Panel:
    """Lines over time, or stacked areas where the lines add up to something."""
    model = grafana.TimeSeries(
        title=title,
        description=description,
        unit=unit.value,
        fillOpacity=40 if stacked else 8,
        stacking={"mode": "normal" if stacked else "none", "group": "A"},
        showPoints="auto",
        valueMin=0,
        legendDisplayMode="table",
        legendPlacement="right" if width == FULL else "bottom",
        legendCalcs=["lastNotNull", "max"],
        tooltipMode="multi",
        tooltipSort="desc",
    )
    return _panel(model, queries, link, width, CHART_HEIGHT)


def stat(
    title: str,
    query: Query,
    *,
    unit: Unit,
    description: str,
    link: str,
    width: int = QUARTER,
    warn: float | None = None,
    bad: float | None = None,
) -> Panel:
    """One figure; yellow from `warn`, red from `bad`."""
    model = grafana.Stat(
        title=title,
        description=description,
        format=unit.value,
        reduceCalc="lastNotNull",
        noValue="–",
        colorMode="value",
        graphMode="none",
        thresholds=_steps(warn, bad),
    )
    return _panel(model, (query,), link, width, FIGURE_HEIGHT)


def bar_gauge(
    title: str, query: Query, *, unit: Unit, description: str, link: str, width: int = THIRD, by_row: bool = False
) -> Panel:
    """A ranking as bars: one bar a series, or (`by_row`) one bar a row of a table, which terms without time are."""
    reduce: dict[str, Any] = {"calcs": ["lastNotNull"], "fields": "", "values": by_row}
    model = grafana.BarGauge(
        title=title,
        description=description,
        orientation="horizontal",
        displayMode="gradient",
        extraJson={
            "fieldConfig": {
                "defaults": {
                    "unit": unit.value,
                    "min": 0,
                    "color": {"mode": "continuous-BlPu"},
                    "thresholds": {"mode": "absolute", "steps": _steps(None, None)},
                },
                "overrides": [],
            },
            "options": {"reduceOptions": reduce, "valueMode": "color", "showUnfilled": True},
        },
    )
    return _panel(model, (query,), link, width, CHART_HEIGHT)


def table(
    title: str, query: Query, *, columns: dict[str, str], unit: Unit, description: str, link: str, width: int = THIRD
) -> Panel:
    """Rows and columns. `columns` renames what the data source calls them; the last is the figure, in `unit`."""
    figure = list(columns.values())[-1]
    model = grafana.Table(
        title=title,
        description=description,
        unit=Unit.NONE.value,
        overrides=[
            {
                "matcher": {"id": "byName", "options": figure},
                "properties": [
                    {"id": "unit", "value": unit.value},
                    {"id": "custom.cellOptions", "value": {"type": "gauge", "mode": "gradient"}},
                    {"id": "color", "value": {"mode": "continuous-BlPu"}},
                    {"id": "min", "value": 0},
                ],
            }
        ],
    )
    panel = _panel(model, (query,), link, width, CHART_HEIGHT)
    panel.body["fieldConfig"]["defaults"]["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}}
    panel.body["transformations"] = [
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": columns}}
    ]
    return panel


def logs(title: str, query: Elastic, *, description: str, link: str, width: int = FULL) -> Panel:
    """The events themselves, newest first, each to be opened for all its fields."""
    model = grafana.Logs(
        title=title,
        description=description,
        showTime=True,
        wrapLogMessages=True,
        enableLogDetails=True,
        sortOrder="Descending",
        extraJson={"fieldConfig": {"defaults": {"unit": Unit.NONE.value}}},
    )
    return _panel(model, (query,), link, width, CHART_HEIGHT + 2)


def render(board: Board, sources: Iterable[Source], linkable: Iterable[str]) -> dict[str, Any]:
    """The dashboard as Grafana reads it from a file, with the panels that `sources` can fill.

    `linkable` holds the uids of the boards that are there: a link to any other is left out.
    """
    wanted, known = set(sources), set(linkable)
    model = grafana.Dashboard(
        title=board.title,
        uid=board.uid,
        description=board.description,
        tags=["regsight"],
        schemaVersion=SCHEMA_VERSION,
        editable=False,
        graphTooltip=1,
        refresh="1m",
        time=grafana.Time("now-6h", "now"),
        timezone="browser",
        templating=grafana.Templating([_variable(v) for v in board.variables if v.source in wanted]),
    )
    body = _plain(model)
    body = {key: value for key, value in body.items() if key not in BOARD_KEYS and value is not None}
    body["id"] = None  # Grafana gives it one; anything else must already exist there
    body["timepicker"] = {}
    body["templating"]["list"] = [
        {**live(variable, VARIABLE_KEYS), "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
        for variable in body["templating"]["list"]
    ]
    body["panels"] = _lay_out(board, wanted, known)
    return body


def _lay_out(board: Board, sources: set[Source], linkable: set[str]) -> list[dict[str, Any]]:
    """Panels from left to right, a new line where one does not fit, each section under its heading."""
    placed: list[dict[str, Any]] = []
    y = 0
    for heading, panels in board.sections:
        filled = [panel for panel in panels if panel.source in sources]
        if not filled:
            continue
        row = live(_plain(grafana.RowPanel(title=heading)), PANEL_KEYS | {"fieldConfig", "targets", "links"})
        placed.append({**row, "id": len(placed) + 1, "gridPos": {"h": 1, "w": GRID_WIDTH, "x": 0, "y": y}})
        x, y, tallest = 0, y + 1, 0
        for panel in filled:
            if x + panel.width > GRID_WIDTH:
                x, y, tallest = 0, y + tallest, 0
            place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
            links = [_link(panel.link)] if panel.link in linkable else []
            placed.append({**panel.body, "id": len(placed) + 1, "gridPos": place, "links": links})
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return placed


def _panel(model: Any, queries: Sequence[Query], link: str, width: int, height: int) -> Panel:
    sources = {Source.PROMETHEUS if isinstance(query, PromQL) else Source.ELASTICSEARCH for query in queries}
    if len(sources) != 1:
        # Grafana would silently ask the panel's source for all of them.
        raise ValueError(f"panel {model.title!r} mixes data sources")
    source = sources.pop()
    model.dataSource = source.ref
    body = live(_plain(model), PANEL_KEYS)
    body["options"].pop("fieldOptions", None)
    body["targets"] = [_target(query, chr(ord("A") + place)) for place, query in enumerate(queries)]
    return Panel(model.title, source, width, height, link, body)


def _target(query: Query, ref_id: str) -> dict[str, Any]:
    if isinstance(query, Elastic):
        return _elastic_target(query, ref_id)
    target = grafana.Target(
        expr=query.expr,
        legendFormat=query.legend,
        refId=ref_id,
        datasource=Source.PROMETHEUS.ref,
        instant=query.instant,
    )
    # Both or neither of instant and range would be answered with frames of mixed kind.
    return {**live(_plain(target), TARGET_KEYS), "range": not query.instant}


def _elastic_target(query: Elastic, ref_id: str) -> dict[str, Any]:
    """Ids are strings and run on from the metric ("1") through the buckets, so that none is given twice."""
    return {
        "refId": ref_id,
        "datasource": Source.ELASTICSEARCH.ref,
        "query": query.query,
        "timeField": "@timestamp",
        "alias": "",
        "metrics": [{**query.metric, "id": "1"}],
        "bucketAggs": [{**bucket, "id": str(number)} for number, bucket in enumerate(query.buckets, start=2)],
    }


def _variable(variable: Variable) -> Any:
    return grafana.Template(
        name=variable.name,
        label=variable.label,
        dataSource=variable.source.ref,
        query=variable.query,
        multi=True,
        includeAll=True,
        allValue=variable.all_value,
        refresh=2,  # when the time range changes: a registry of last week should be there when looking at last week
    )


def _steps(warn: float | None, bad: float | None) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"color": GREEN, "value": None}]
    steps += [{"color": colour, "value": at} for colour, at in ((YELLOW, warn), (RED, bad)) if at is not None]
    return steps


def _link(uid: str) -> dict[str, Any]:
    return {"title": "Look further", "url": f"/d/{uid}?${{__url_time_range}}", "targetBlank": False}


def _plain(model: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(model, cls=DashboardEncoder, sort_keys=True))
    return plain
