"""The histories of `dashboards.rule_cases` in promtool's format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dashboards.rule import Alert
from dashboards.rule_cases import CASES, MORE, STEPS, Case
from dashboards.rules import ALERTS


def alert_tests(runbooks_url: str) -> dict[str, dict[str, Any]]:
    """Name → file for `promtool test rules`, to lie in `tests/` below the two rule files."""
    return {
        name: {
            "rule_files": ["../regsight-recording.yml", "../regsight-alerts.yml"],
            "evaluation_interval": step,
            # Without it promtool takes the groups in any order, and an alert might not see what is recorded for it.
            "group_eval_order": ["regsight-recording", "regsight-alerts"],
            "tests": [
                test
                for alert in ALERTS
                for case in _cases(alert)
                if case.step == step
                for test in _tests(alert, case, runbooks_url)
            ],
        }
        for name, step in STEPS.items()
    }


def _cases(alert: Alert) -> list[Case]:
    return [CASES[alert.name], *(case for name, case in MORE if name == alert.name)]


def _tests(alert: Alert, case: Case, runbooks_url: str) -> list[dict[str, Any]]:
    annotations = {name: _filled(text, case) for name, text in alert.as_rule(runbooks_url)["annotations"].items()}
    expected = {"exp_labels": {**case.labels, "severity": alert.severity}, "exp_annotations": annotations}
    return [
        _test(f"{alert.name} fires", case.fires, case, alert.name, [expected]),
        _test(f"{alert.name} stays silent", case.silent, case, alert.name, []),
    ]


def _test(
    name: str, series: Mapping[str, str], case: Case, alert: str, expected: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": name,
        "interval": case.step,
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": alert, "exp_alerts": expected}],
    }


def _filled(text: str, case: Case) -> str:
    """The text as Prometheus fills it in for the firing history."""
    with_labels = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: case.labels[found[1]], text)
    return re.sub(r"\{\{ \$value[^}]*\}\}", case.value, with_labels)
