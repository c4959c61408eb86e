"""Each rule of the validator, broken on purpose on a board that is otherwise right."""

from __future__ import annotations

import copy

import pytest

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


def _row_link(board):
    properties = panel(board, "table", "elasticsearch")["fieldConfig"]["overrides"][0]["properties"]
    properties.append({"id": "links", "value": [{"title": "x", "url": "/d/gone?var-x=${__value.raw}"}]})


def _heatmap(board):
    panel(board, "timeseries")["type"] = "heatmap"
    _target(board)["format"] = "heatmap"


def _at_one_moment(board):
    _target(board).update(instant=True, range=False)


def _ranking_of_a_range(board):
    panel(board, "bargauge")["targets"][0].update(instant=False, range=True)


def _as_logs(board):
    panel(board, "timeseries")["type"] = "logs"


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
    (_set(("templating", "list", 0, "name"), "my list"), "a name is letters"),
    (_set(("templating", "list", 0, "type"), "made-up"), "type 'made-up' is none of Grafana's"),
    (_set(("templating", "list", 0, "query"), "query_result(up)"), "is not label_values"),
    (_set(("templating", "list", 0, "query"), "label_values(upp, registry)"), "nobody exports 'upp'"),
    (
        _set(("templating", "list", 0, "query"), "label_values(regsight_collector_events_total, actor)"),
        "no label 'actor'",
    ),
    (_set(("templating", "list", 1, "query"), "service.name"), 'is not {"find": "terms"'),
    (_set(("templating", "list", 1, "query"), '{"find": "terms", "field": "servce"}'), "no field 'servce'"),
    (_set(("templating", "list", 1, "name"), "registry"), "variable 'registry' is defined 2 times"),
    (_set(("panels", 1, "datasource"), {"type": "prometheus", "uid": "${ds}"}), "is no variable of data sources"),
    (_set(("panels", 1, "links"), [{"title": "x", "url": "/d/nowhere?x=1"}]), "no board 'nowhere'"),
    (_set(("panels", 1, "links"), [{"title": "x", "url": "/events?actor=$who"}]), "variable $who is not defined"),
    (_set(("panels", 1, "links"), [{"title": "x", "url": "/explore?panes=%24%7Bwho%7D"}]), "variable $who is not"),
    (_set(("panels", 1, "links"), [{"title": "x", "url": "javascript:alert(1)"}]), "leads nowhere"),
    (_set(("panels", 1, "links"), [{"title": "x", "url": "//evil.example"}]), "leads nowhere"),
    (_row_link, "no board 'gone'"),
    (_in(_target, "expr", 'sum(rate(regsight_collector_events_total{registry="$registry"}[5m]))'), "compare with =~"),
    (_in(_target, "format", "heatmap"), "a heatmap and the format"),
    (_heatmap, "a heatmap needs its buckets"),
    (_at_one_moment, "a panel over time asks for a range"),
    (_ranking_of_a_range, "a ranking asks for an instant"),
    (_as_logs, "Prometheus has no logs"),
    (_in(elastic, "timeField", "event.ingested"), "timeField 'event.ingested'"),
    (_in(_terms, "type", "termz"), "bucket of type 'termz' is unknown"),
    (_in(elastic, "metrics", [{"id": "1", "type": "top_metrics"}]), "metric of type 'top_metrics' is unknown"),
    (_in(elastic, "metrics", [{"id": "1", "type": "max", "field": "user.name"}]), "max does not fit"),
    (_in(elastic, "query", "oci.repositry:x"), "no field 'oci.repositry' in the mapping: nothing"),
    (_in(elastic, "query", "NOT _exists_:user.nme"), "no field 'user.nme' in the mapping: nothing"),
    (_in(elastic, "query", 'user.name:"anna'), "a quotation mark of the query"),
    (_in(elastic, "query", "(user.name:anna"), "the brackets of the query"),
    (_time_first, "that is not the last bucket"),
    (_annotate(ELASTIC), "annotation 'deploys': Grafana 11 asks Elasticsearch 9"),
    (_annotate("Prometheus"), "annotation 'deploys': data source 'Prometheus'"),
]


@pytest.mark.parametrize(("break_it", "said"), BROKEN, ids=[f"{n}-{said}" for n, (_, said) in enumerate(BROKEN)])
def test_broken_rule_is_reported(board, series, fields, break_it, said):
    """A board that breaks a rule is told so, in words."""
    break_it(board)
    assert any(said in problem for problem in validate(board, series, fields, {"regsight-overview"}))


def test_right_board_with_odd_but_allowed_parts(board, series, fields):
    """A variable without a choice yet, Grafana's own annotation and a Prometheus one are no problems."""
    board["templating"]["list"][0]["current"] = {}
    board["annotations"]["list"] = [
        {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}},
        {"name": "starts", "datasource": {"type": "prometheus", "uid": "regsight-prometheus"}},
    ]
    assert validate(board, series, fields) == []


def test_mixed_panel_may_ask_both_sources(board, series, fields):
    """A panel that says Mixed may hold targets of both data sources."""
    mixed = panel(board, "timeseries")
    mixed["datasource"] = {"type": "datasource", "uid": "-- Mixed --"}
    mixed["targets"].append({**copy.deepcopy(elastic(board, "timeseries")), "refId": "B"})
    assert validate(board, series, fields) == []


def test_data_source_may_be_chosen_by_a_variable(board, series, fields):
    """`${ds}` stands for a data source where the board has such a list, and its type must fit."""
    board["templating"]["list"].append({"name": "ds", "type": "datasource", "query": "prometheus", "current": {}})
    chosen = panel(board, "timeseries")
    ref = {"type": "prometheus", "uid": "${ds}"}
    chosen["datasource"] = chosen["targets"][0]["datasource"] = ref
    assert validate(board, series, fields) == []
    ref["type"] = "elasticsearch"
    assert any("'${ds}' is not of type" in problem for problem in validate(board, series, fields))


def test_every_board_is_told_when_broken(boards, series, fields):
    """The checks do not hold for one board alone: a wrong field, series or place is found on each panel of each."""
    for right in boards.values():
        for place, original in enumerate(right["panels"]):
            if original["type"] == "row":
                continue
            for harm in (_lose_place, _ask_nonsense, _lose_reference):
                hurt = copy.deepcopy(right)
                harm(hurt["panels"][place])
                told = validate(hurt, series, fields)
                assert any(original["title"] in problem for problem in told), (right["uid"], original["title"], harm)


def _lose_place(part):
    part["gridPos"] = None


def _ask_nonsense(part):
    target = part["targets"][-1]
    target["expr" if "expr" in target else "query"] = "nonsense_total" if "expr" in target else "nonsense:1"


def _lose_reference(part):
    part["targets"][0]["datasource"] = "Prometheus"


def test_duplicates_are_named(board):
    """Two boards with one uid and title: Grafana would save neither any more."""
    assert duplicates([board, board]) == [
        "uid 'regsight-overview' is used 2 times",
        "title 'Regsight: overview' is used 2 times",
    ]
