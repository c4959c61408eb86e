"""Each rule of the validator, broken on purpose on a board that is otherwise right."""

from __future__ import annotations

import copy

import pytest

from dashboards.metrics import series_names
from dashboards.validate import duplicates, validate


@pytest.fixture
def board(boards):
    """A right board to break: panel 1 is a row, others are found by type and source."""
    return copy.deepcopy(boards["regsight-overview"])


def panel(board, kind, source="prometheus"):
    return next(p for p in board["panels"] if p["type"] == kind and p["datasource"]["type"] == source)


def elastic(board, kind="table"):
    return panel(board, kind, "elasticsearch")["targets"][0]


def _set(path, value):
    """A breaker that puts `value` at a path like ("panels", 1, "gridPos")."""

    def break_it(board):
        *way, last = path
        part = board
        for step in way:
            part = part[step]
        part[last] = value

    return break_it


def _in(find, key, value):
    def break_it(board):
        find(board)[key] = value

    return break_it


def _target(board):
    return panel(board, "timeseries")["targets"][0]


def _terms(board):
    return elastic(board)["bucketAggs"][0]


def _both(board):
    _target(board)["instant"] = _target(board)["range"] = True


def _collapse(board):
    board["panels"][0]["collapsed"] = True


def _overlap(board):
    board["panels"][2]["gridPos"] = dict(board["panels"][1]["gridPos"])


def _same_ref_id(board):
    two = panel(board, "timeseries")
    two["targets"] = [*two["targets"], *copy.deepcopy(two["targets"])]


def _other_source(board):
    _target(board)["datasource"] = {"type": "elasticsearch", "uid": "regsight-elasticsearch"}


def _time_first(board):
    target = elastic(board, "timeseries")
    target["bucketAggs"].reverse()


def _buckets_around_logs(board):
    target = elastic(board)
    target["metrics"] = [{"id": "1", "type": "logs"}]


def _ranking_over_time(board):
    elastic(board)["bucketAggs"].append({"id": "9", "type": "date_histogram", "field": "@timestamp"})


def _without(find, key):
    def break_it(board):
        del find(board)[key]

    return break_it


def _annotate(ref):
    def break_it(board):
        board["annotations"]["list"].append({"name": "deploys", "datasource": ref})

    return break_it


def _nest(board):
    board["panels"][0]["panels"] = [copy.deepcopy(board["panels"][1]) | {"id": 99}]


def _wrap(board):
    inner = copy.deepcopy(board)
    board.clear()
    board["dashboard"] = inner


ELASTIC = {"type": "elasticsearch", "uid": "regsight-elasticsearch"}
BROKEN = [
    (_wrap, "wrapped"),
    (_set(("panels",), {}), "panels is not a list"),
    (_set(("uid",), "x" * 41), "uid 'xxx"),
    (_set(("uid",), None), "uid None"),
    (_set(("title",), " "), "no title"),
    (_set(("id",), 7), "id is not null"),
    (_set(("schemaVersion",), 12), "schemaVersion 12"),
    (_set(("rows",), []), "dead key 'rows'"),
    (_set(("panels", 1, "id"), None), "panel id None"),
    (_set(("panels", 1, "id"), 1), "panel id 1 is used 2 times"),
    (_set(("panels", 1, "gridPos"), None), "no gridPos"),
    (_set(("panels", 1, "gridPos"), {"h": 4, "w": 20, "x": 6, "y": 1}), "outside the grid"),
    (_overlap, "overlaps"),
    (_collapse, "behind a collapsed row"),
    (_nest, "is open and holds panels"),
    (_set(("panels", 1, "type"), "natel-discrete-panel"), "no panel of Grafana's own"),
    (_set(("panels", 1, "description"), ""), "no description"),
    (_set(("panels", 1, "fieldConfig", "defaults", "unit"), ""), "no unit"),
    (_set(("panels", 1, "targets"), []), "no targets"),
    (_set(("panels", 1, "datasource"), "regsight-prometheus"), "is not {type, uid}"),
    (_set(("panels", 1, "datasource"), {"type": "prometheus", "uid": "Nope"}), "'Nope' is unknown"),
    (_set(("panels", 1, "datasource"), {"type": "elasticsearch", "uid": "regsight-prometheus"}), "is not of type"),
    (_other_source, "another data source than its panel"),
    (_same_ref_id, "refIds are empty or not unique"),
    (_in(_target, "refId", ""), "refIds are empty or not unique"),
    (_in(_target, "datasource", None), "data source None"),
    (_in(_target, "expr", ""), "no expr"),
    (_in(_target, "expr", "sum(rate(regsight_collector_batches_total[5m])"), "'(' is not closed"),
    (_in(_target, "expr", "sum(regsight_collector_batches_total]"), "']' closes nothing"),
    (_in(_target, "expr", 'regsight_collector_lag_bytes{source="a}'), "quotation mark"),
    (_in(_target, "expr", "sum(rate(regsight_collector_evnts_total[5m]))"), "nobody exports 'regsight_collector_evnts"),
    (_in(_target, "expr", 'regsight_collector_lag_bytes{registry="a"}'), "has no label 'registry'"),
    (_in(_target, "expr", "sum by (actor) (regsight_collector_lag_bytes)"), "grouped by label 'actor'"),
    (_in(_target, "expr", 'regsight_collector_lag_bytes{source=~"$sorce"}'), "variable $sorce is not defined"),
    (_in(_target, "intervalFactor", 2), "intervalFactor"),
    (_both, "instant or range"),
    (_without(elastic, "metrics"), "the key is `metrics`"),
    (_without(elastic, "bucketAggs"), "no bucketAggs"),
    (_in(elastic, "bucketAggs", []), "no buckets around"),
    (_in(elastic, "query", "service.name:$regstry"), "variable $regstry is not defined"),
    (_in(_terms, "id", 2), "is not a string"),
    (_in(_terms, "id", "1"), "ids are not unique"),
    (_in(_terms, "field", "oci.repositry"), "no field 'oci.repositry'"),
    (_in(_terms, "field", "url.original"), "terms does not fit field 'url.original'"),
    (_without(_terms, "field"), "terms without a field"),
    (_in(elastic, "metrics", [{"id": "1", "type": "sum", "field": "user.name"}]), "sum does not fit field 'user.name'"),
    (_in(_terms, "settings", {"size": "10", "orderBy": "5"}), "terms ordered by '5'"),
    (_in(_terms, "settings", {"size": "10"}), "terms ordered by None"),
    (_in(_terms, "settings", {"size": 0, "orderBy": "1"}), "terms of size '0'"),
    (_time_first, "needs a date_histogram as its last bucket"),
    (_ranking_over_time, "must not end in a date_histogram"),
    (_buckets_around_logs, "belong together"),
    (_buckets_around_logs, "buckets around single documents"),
    (_set(("templating", "list", 0, "datasource"), "Prometheus"), "variable 'registry': data source 'Prometheus'"),
    (_set(("templating", "list", 0, "current"), {"text": None, "value": None}), "current has no value"),
    (_set(("templating", "list", 0, "current"), {"text": "All", "value": "$__all"}), "current is a list exactly"),
    (_set(("templating", "list", 0, "type"), "datasource"), "data sources of type"),
    (_annotate(ELASTIC), "annotation 'deploys': Grafana 11 asks Elasticsearch 9"),
    (_annotate("Prometheus"), "annotation 'deploys': data source 'Prometheus'"),
]


@pytest.mark.parametrize(("break_it", "said"), BROKEN, ids=[f"{n}-{said}" for n, (_, said) in enumerate(BROKEN)])
def test_broken_rule_is_reported(board, fields, break_it, said):
    """A board that breaks a rule is told so, in words."""
    break_it(board)
    assert any(said in problem for problem in validate(board, series_names(), fields))


def test_right_board_with_odd_but_allowed_parts(board, fields):
    """A variable without a choice yet, Grafana's own annotation and a Prometheus one are no problems."""
    board["templating"]["list"][0]["current"] = {}
    board["annotations"]["list"] = [
        {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}},
        {"name": "starts", "datasource": {"type": "prometheus", "uid": "regsight-prometheus"}},
    ]
    assert validate(board, series_names(), fields) == []


def test_mixed_panel_may_ask_both_sources(board, fields):
    """A panel that says Mixed may hold targets of both data sources."""
    mixed = panel(board, "timeseries")
    mixed["datasource"] = {"type": "datasource", "uid": "-- Mixed --"}
    mixed["targets"].append({**copy.deepcopy(elastic(board, "timeseries")), "refId": "B"})
    assert validate(board, series_names(), fields) == []


def test_duplicates_are_named(board):
    """Two boards with one uid and title: Grafana would save neither any more."""
    assert duplicates([board, board]) == [
        "uid 'regsight-overview' is used 2 times",
        "title 'Regsight: overview' is used 2 times",
    ]
