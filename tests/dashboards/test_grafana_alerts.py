"""The alerts as Grafana's own rules, and each thing that would keep Grafana from starting or a rule from firing."""

from __future__ import annotations

import copy

import pytest
import yaml

from dashboards import rules
from dashboards.build import build
from dashboards.grafana_alerts import alerting
from dashboards.validate_alerts import validate

RUNBOOKS = "https://docs.example.org/alerts.md"


@pytest.fixture
def file(boards):
    """The file as it is built, to break."""
    return copy.deepcopy(alerting(boards, RUNBOOKS))


def rule(file):
    return next(rule for rule in file["groups"][0]["rules"] if rule["title"] == "RegsightCollectorLagging")


def test_the_built_file_is_right(tmp_path, boards):
    """What is written is read back as what was checked, with every alert in it."""
    build(tmp_path, runbooks_url=RUNBOOKS, grafana_alerts=True)
    written = yaml.safe_load((tmp_path / "provisioning/alerting/regsight.yml").read_text())
    assert written == alerting(boards, RUNBOOKS)
    assert validate(written, boards) == []
    assert [one["title"] for one in written["groups"][0]["rules"]] == [alert.name for alert in rules.ALERTS]


def test_every_rule_is_on_a_panel_that_asks_for_it(file, boards):
    """Each alert's state shows on a panel about one of its own figures."""
    for one in file["groups"][0]["rules"]:
        notes = one["annotations"]
        panels = {str(panel["id"]): panel for panel in boards[notes["__dashboardUid__"]]["panels"]}
        panel = panels[notes["__panelId__"]]
        assert panel["datasource"]["type"] == "prometheus"
        assert panel["type"] != "row", one["title"]


def test_values_are_named_as_grafana_names_them(file):
    """`$value` of Prometheus is a sentence in Grafana; no annotation holds it, and the figure is asked of B."""
    assert rule(file)["annotations"]["description"].count("$values.B.Value | humanizeDuration") == 1
    for one in file["groups"][0]["rules"]:
        for text in one["annotations"].values():
            assert "$value " not in text
            assert "$value}" not in text


def _part(name, ref_id, key, value):
    def break_it(file):
        part = next(part for part in rule(file)["data"] if part["refId"] == ref_id)
        part = part["model"] if name == "model" else part
        if value is KeyError:
            del part[key]
        else:
            part[key] = value

    return break_it


def _rule(key, value):
    def break_it(file):
        rule(file)[key] = value

    return break_it


def _group(key, value):
    def break_it(file):
        file["groups"][0][key] = value

    return break_it


def _note(key, value):
    def break_it(file):
        if value is KeyError:
            del rule(file)["annotations"][key]
        else:
            rule(file)["annotations"][key] = value

    return break_it


def _same(key):
    def break_it(file):
        first, second, *_ = file["groups"][0]["rules"]
        second[key] = first[key]

    return break_it


def _range_to_threshold(file):
    data = rule(file)["data"]
    data[0]["model"].update(instant=False, range=True)
    data[2]["model"]["expression"] = "A"


ELASTIC = {
    "refId": "A",
    "relativeTimeRange": {"from": 300, "to": 0},
    "datasourceUid": "regsight-elasticsearch",
    "model": {"refId": "A", "query": "action:push", "metrics": [{"id": "1", "type": "count"}]},
}


def _elastic(**model):
    def break_it(file):
        part = copy.deepcopy(ELASTIC)
        part["model"].update(model)
        rule(file)["data"][0] = part

    return break_it


def _math(file):
    rule(file)["data"][1]["model"] = {"refId": "B", "type": "math", "expression": "$A + $Z"}


def _settings(file):
    rule(file)["data"][1]["model"]["settings"] = {"mode": "strict"}


OVER_TIME = [{"id": "2", "type": "date_histogram", "field": "@timestamp"}]
BROKEN = [
    (lambda file: file.update(apiVersion=2), "apiVersion 1"),
    (lambda file: file.update(groups={}), "a list of groups"),
    (_group("name", ""), "no name"),
    (_group("folder", None), "no folder"),
    (_group("folder", "a $HOME"), "a single $ in folder"),
    (_group("interval", "15s"), "is no multiple of 10s"),
    (_group("interval", None), "is no multiple of 10s"),
    (_group("rules", []), "no rules"),
    (_same("uid"), "uid 'regsight-missing' is used 2 times"),
    (_same("title"), "'RegsightMissing') is used 2 times"),
    (_rule("uid", "x" * 41), "uid 'xxx"),
    (_rule("uid", "a b"), "uid 'a b'"),
    (_rule("title", " "), "no title"),
    (_rule("title", "$job"), "a single $ in title or labels"),
    (_rule("labels", {"job": "{{ $labels.job }}"}), "a single $ in title or labels"),
    (_rule("for", None), "for None is no duration"),
    (_rule("no_data_state", "OK"), "key 'no_data_state' would be ignored"),
    (_rule("noDataState", "No Data"), "noDataState 'No Data'"),
    (_rule("execErrState", "Fail"), "execErrState 'Fail'"),
    (_rule("condition", "D"), "condition 'D' is no refId"),
    (_rule("data", []), "no data"),
    (_note("__panelId__", KeyError), "go together"),
    (_note("__panelId__", "999"), "no panel '999'"),
    (_note("__panelId__", "1"), "no panel '1'"),  # a row
    (_note("__dashboardUid__", "gone"), "on board 'gone'"),
    (_part("part", "B", "refId", "A"), "refIds are empty or not unique"),
    (_part("part", "A", "datasourceUid", "Prometheus"), "datasourceUid 'Prometheus' is unknown"),
    (_part("part", "A", "datasourceUid", KeyError), "datasourceUid None is unknown"),
    (_part("part", "A", "relativeTimeRange", KeyError), "relativeTimeRange"),
    (_part("part", "A", "relativeTimeRange", {"from": "300", "to": "0"}), "relativeTimeRange"),
    (_part("part", "A", "relativeTimeRange", {"from": 0, "to": 300}), "relativeTimeRange"),
    (_part("model", "A", "datasource", "Prometheus"), "model.datasource is absent"),
    (_part("model", "A", "refId", "Z"), "its model has another refId"),
    (_part("model", "A", "expr", ""), "no expr"),
    (_part("model", "A", "expr", "sum(up"), "'(' is not closed"),
    (_part("model", "A", "expr", 'up{job="$job"}'), "dashboard variables ['job']"),
    (_part("model", "A", "range", True), "instant or range"),
    (_range_to_threshold, "a range goes through reduce"),
    (_part("model", "B", "type", "last"), "expression of type 'last'"),
    (_part("model", "B", "expression", "Z"), "expression 'Z' is no other refId"),
    (_part("model", "B", "expression", "B"), "expression 'B' is no other refId"),
    (_part("model", "B", "reducer", "newest"), "reducer 'newest'"),
    (_part("model", "B", "refId", "Z"), "its model has another refId"),
    (_settings, "reducer mode 'strict'"),
    (_part("model", "C", "conditions", []), "no conditions"),
    (_math, "$Z is no refId"),
    (_elastic(bucketAggs=OVER_TIME), "the last bucket over time is still empty"),
    (_elastic(metrics=[{"id": "1", "type": "logs"}], bucketAggs=[]), "single documents cannot be judged"),
    (_elastic(query="service.name:$registry", bucketAggs=[]), "dashboard variables are not filled in"),
]


@pytest.mark.parametrize(("break_it", "said"), BROKEN, ids=[f"{n}-{said}" for n, (_, said) in enumerate(BROKEN)])
def test_broken_rule_is_reported(file, boards, break_it, said):
    """A file that Grafana would refuse, or that would never fire, is told so in words."""
    break_it(file)
    told = validate(file, boards)
    assert any(said in problem for problem in told), told


def test_rankings_of_stored_events_are_right(file, boards):
    """A rule over the event store is fine where its answer is one value a name."""
    terms = [{"id": "2", "type": "terms", "field": "oci.repository"}]
    _elastic(bucketAggs=terms)(file)
    assert validate(file, boards) == []
