"""The house's panels: units, colours, sizes, decided once.

grafanalib 0.7.1 writes what Grafana 7 read. What it gets wrong for Grafana 11 is put right here, in `dashboards.layout`
and in `dashboards.targets`, and nowhere else: a missing gridPos, doubled steps, "mean" as the default of a single figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grafanalib import core as grafana

from dashboards.board import Events, Panel, Unit
from dashboards.leftovers import PANEL_KEYS, live, plain
from dashboards.targets import Query, source_of, targets
from dashboards.words import Elastic, PromQL

FULL, HALF, THIRD, QUARTER = 24, 12, 8, 6
FIGURE_HEIGHT, CHART_HEIGHT = 4, 8
GREEN, YELLOW, RED = "green", "yellow", "red"
ANY = Events()
_NO_UNITS: Mapping[str, Unit] = {}


def time_series(
    title: str,
    *queries: Query,
    unit: Unit,
    description: str,
    link: str,
    width: int = HALF,
    stacked: bool = False,
    events: Events = ANY,
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
    return _panel(model, queries, link, width, CHART_HEIGHT, events)


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
    events: Events = ANY,
) -> Panel:
    """One figure; yellow from `warn`, red from `bad`, or the other way round where `bad` is the lower of the two."""
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
    return _panel(model, (query,), link, width, FIGURE_HEIGHT, events)


def bar_gauge(
    title: str,
    query: Query,
    *,
    unit: Unit,
    description: str,
    link: str,
    width: int = THIRD,
    by_row: bool = False,
    events: Events = ANY,
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
    return _panel(model, (query,), link, width, CHART_HEIGHT, events)


def heatmap(title: str, query: PromQL, *, unit: Unit, description: str, link: str, width: int = HALF) -> Panel:
    """How observations spread over a histogram's buckets, over time. grafanalib's own is of the renderer before last."""
    body: dict[str, Any] = {
        "title": title,
        "type": "heatmap",
        "description": description,
        "datasource": source_of(title, [query]).ref,
        "fieldConfig": {"defaults": {"unit": unit.value}, "overrides": []},
        "options": {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5, "scale": "exponential"},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "unit": unit.value},
        },
        "targets": targets([query]),
    }
    return Panel(title, source_of(title, [query]), width, CHART_HEIGHT, link, body)


def table(
    title: str,
    *queries: Query,
    columns: dict[str, str],
    unit: Unit,
    description: str,
    link: str,
    width: int = THIRD,
    figure: str | None = None,
    units: Mapping[str, Unit] = _NO_UNITS,
    prepared: Sequence[dict[str, Any]] = (),
    row_board: tuple[str, str] | None = None,
    events: Events = ANY,
) -> Panel:
    """Rows and columns. `columns` renames what the data source calls them.

    The column `figure` (the last, if not said) gets bars, in `unit`; `units` are those of other columns. `prepared` are
    Grafana's transformations before the renaming, for columns that are worked out or joined.
    """
    figure = figure or list(columns.values())[-1]
    bars: list[dict[str, Any]] = [
        {"id": "unit", "value": unit.value},
        {"id": "custom.cellOptions", "value": {"type": "gauge", "mode": "gradient"}},
        {"id": "color", "value": {"mode": "continuous-BlPu"}},
        {"id": "min", "value": 0},
    ]
    others = [_column(name, [{"id": "unit", "value": other.value}]) for name, other in units.items()]
    model = grafana.Table(
        title=title,
        description=description,
        unit=Unit.NONE.value,
        overrides=[_column(figure, bars), *others],
    )
    panel = _panel(model, queries, link, width, CHART_HEIGHT, events, row_board)
    panel.body["fieldConfig"]["defaults"]["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}}
    places = {name: place for place, name in enumerate(columns)}
    renamed = {"excludeByName": {"Time": True}, "renameByName": columns, "indexByName": places}
    panel.body["options"]["sortBy"] = [{"displayName": figure, "desc": True}]
    panel.body["transformations"] = [*prepared, {"id": "organize", "options": renamed}]
    return panel


def _column(name: str, properties: list[dict[str, Any]]) -> dict[str, Any]:
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def worked_out(alias: str, left: str, operator: str, right: str) -> dict[str, Any]:
    """A transformation: one more column, of two that are there."""
    binary = {"left": left, "operator": operator, "right": right}
    options = {"mode": "binary", "alias": alias, "binary": binary, "replaceFields": False}
    return {"id": "calculateField", "options": options}


def joined(by: str) -> dict[str, Any]:
    """A transformation: the rows of all questions with the same value in the column `by`; equal names get 1, 2 … behind."""
    return {"id": "joinByField", "options": {"byField": by, "mode": "outer"}}


def logs(title: str, query: Elastic, *, description: str, link: str, width: int = FULL, events: Events = ANY) -> Panel:
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
    return _panel(model, (query,), link, width, CHART_HEIGHT + 2, events)


def _panel(
    model: Any,
    queries: Sequence[Query],
    link: str,
    width: int,
    height: int,
    events: Events,
    row_board: tuple[str, str] | None = None,
) -> Panel:
    source = source_of(model.title, queries)
    model.dataSource = source.ref
    body = live(plain(model), PANEL_KEYS)
    body["options"].pop("fieldOptions", None)
    body["targets"] = targets(queries)
    return Panel(model.title, source, width, height, link, body, events, row_board)


def _steps(warn: float | None, bad: float | None) -> list[dict[str, Any]]:
    """Colours from the lowest value up; the first has none."""
    steps: list[dict[str, Any]]
    if warn is not None and bad is not None and bad < warn:
        steps = [{"color": RED, "value": None}, {"color": YELLOW, "value": bad}, {"color": GREEN, "value": warn}]
        return steps
    steps = [{"color": GREEN, "value": None}]
    steps += [{"color": colour, "value": at} for colour, at in ((YELLOW, warn), (RED, bad)) if at is not None]
    return steps
