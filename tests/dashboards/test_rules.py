"""Rules and their unit tests: complete, and accepted by promtool itself."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from dashboards import promql, rules
from dashboards.build import build
from dashboards.metrics import series_labels, series_names
from dashboards.rule_cases import CASES


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with everything written."""
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    return folder


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=400)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.external_service
def test_promtool_accepts_rules_and_config(promtool, built):
    """`promtool check` finds nothing in the rule files, and the example configuration finds the rules."""
    code, said = run(promtool, "check", "rules", *sorted((built / "rules").glob("*.yml")))
    assert code == 0, said
    assert f"{len(rules.ALERTS)} rules found" in said
    code, said = run(promtool, "check", "config", built / "prometheus.yml")
    assert code == 0, said
    assert "2 rule files found" in said


@pytest.mark.external_service
def test_promtool_runs_the_unit_tests(promtool, built):
    """Every alert fires in its firing history and stays silent in the other."""
    tests = sorted((built / "rules" / "tests").glob("*.yml"))
    assert tests
    code, said = run(promtool, "test", "rules", *tests)
    assert code == 0, said


@pytest.mark.external_service
def test_unit_tests_can_fail(promtool, built, tmp_path):
    """An alert with another threshold does not pass them."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "regsight-recording.yml").write_text((built / "rules" / "regsight-recording.yml").read_text())
    tests = yaml.safe_load((built / "rules" / "tests" / "regsight-alerts.yml").read_text())
    tests["tests"] = [test for test in tests["tests"] if test["name"].startswith("RegsightCollectorLagging")]
    (tmp_path / "tests" / "regsight-alerts.yml").write_text(yaml.safe_dump(tests))
    changed = (built / "rules" / "regsight-alerts.yml").read_text().replace("lag_seconds) > 300", "lag_seconds) > 3000")
    (tmp_path / "regsight-alerts.yml").write_text(changed)
    code, said = run(promtool, "test", "rules", tmp_path / "tests" / "regsight-alerts.yml")
    assert code != 0
    assert "RegsightCollectorLagging fires" in said


def test_every_alert_has_both_cases(built):
    """The written tests hold a firing and a silent case of each alert, and none of another."""
    assert set(CASES) == {alert.name for alert in rules.ALERTS}
    files = (built / "rules" / "tests").glob("*.yml")
    written = [test for file in files for test in yaml.safe_load(file.read_text())["tests"]]
    fires = {test["alert_rule_test"][0]["alertname"] for test in written if test["alert_rule_test"][0]["exp_alerts"]}
    silent = {
        test["alert_rule_test"][0]["alertname"] for test in written if not test["alert_rule_test"][0]["exp_alerts"]
    }
    assert fires == silent == set(CASES)


def test_alerts_are_complete(built):
    """CamelCase name, known severity, all annotations, and a runbook heading where the link leads."""
    headings = re.findall(r"^## (\w+)$", (built / "runbooks" / "alerts.md").read_text(), re.MULTILINE)
    written = yaml.safe_load((built / "rules" / "regsight-alerts.yml").read_text())["groups"][0]["rules"]
    assert [rule["alert"] for rule in written] == headings
    for rule in written:
        assert re.fullmatch(r"(?:[A-Z][a-z]+)+", rule["alert"])
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert {"summary", "description", "runbook_url"} == set(rule["annotations"])
        page, _, heading = rule["annotations"]["runbook_url"].partition("#")
        assert page == (built / "runbooks" / "alerts.md").as_uri()
        assert heading == rule["alert"].lower()
    assert all(alert.first for alert in rules.ALERTS)


def test_rules_speak_of_metrics_that_exist():
    """Names of figures worked out ahead are level:metric:operations; all else in an expression is exported."""
    recorded = {rule.record for rule in rules.RECORDINGS}
    assert all(re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", name) for name in recorded)
    known = series_labels()
    for expr in [rule.expr for rule in rules.RECORDINGS] + [alert.expr for alert in rules.ALERTS]:
        assert promql.problems(expr) == []
        assert promql.metrics(expr) <= series_names() | recorded, expr
        for metric, labels in promql.matched_labels(expr).items():
            assert labels <= known[metric], expr
