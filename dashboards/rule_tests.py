"""For every alert one history in which it fires and one, close by, in which it stays silent, in promtool's format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboards.rules import ALERTS, Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two histories, a value a minute in promtool's notation. `value` is how the description shows the firing value."""

    fires: Mapping[str, str]
    silent: Mapping[str, str]
    at: str
    labels: Mapping[str, str] = field(default_factory=dict)
    value: str = ""


def _commits(result: str) -> str:
    return f'regsight_collector_commits_total{{instance="a:1", result="{result}"}}'


def _errors(kind: str) -> str:
    return f'regsight_collector_store_errors_total{{instance="a:1", kind="{kind}"}}'


def _lines(result: str) -> str:
    return f'regsight_collector_lines_total{{instance="a:1", source="hub", result="{result}"}}'


def _runs(state: str, label: str) -> str:
    return f'regsight_analytics_job_runs_total{{instance="a:1", {label}, state="{state}"}}'


def _delivered(result: str) -> str:
    return f'regsight_alerts_deliveries_total{{instance="a:1", channel="chat", result="{result}"}}'


def _findings(severity: str) -> str:
    return f'regsight_analytics_findings_total{{instance="a:1", detector="credential_probe", severity="{severity}"}}'


def _events(outcome: str) -> str:
    return f'regsight_collector_events_total{{registry="hub", action="pull", outcome="{outcome}"}}'


_BATCHES = 'regsight_collector_batches_total{instance="a:1"}'
_LAG = 'regsight_collector_lag_seconds{instance="a:1", source="hub"}'
_LAST_SUCCESS = "regsight_analytics_job_last_success_timestamp_seconds"
_DETECTIONS = 'regsight_analytics_detection_duration_seconds_count{instance="a:1", detector="pull_spike"}'
_PENDING = 'regsight_alerts_outbox_pending{instance="a:1"}'
_WAITED = 'regsight_alerts_detect_to_notify_seconds_bucket{{instance="a:1", le="{}"}}'
_RENAMED, _HONOURED = 'job="regsight", exported_job="report"', 'job="report"'  # the two ways a scrape may end

CASES: Mapping[str, Case] = {
    "RegsightMissing": Case(fires={}, silent={_BATCHES: "0x60"}, at="30m"),
    "RegsightCollectorLagging": Case(
        fires={_LAG: "360x60"},
        silent={_LAG: "360x12 0x40"},  # it caught up
        at="30m",
        labels={"instance": "a:1", "source": "hub"},
        value="6m 0s",
    ),
    "RegsightDeadLettersRising": Case(
        fires={_lines("event"): "0+95x60", _lines("dead_letter"): "0+5x60"},
        silent={_lines("event"): "0+999x60", _lines("dead_letter"): "0+1x60"},
        at="40m",
        labels={"source": "hub"},
        value="5%",
    ),
    "RegsightStoreUnavailable": Case(
        fires={_errors("unavailable"): "0+2x60", _commits("ok"): "50x60"},
        silent={_errors("unavailable"): "0+2x60", _commits("ok"): "0+1x60"},  # errors in between, but it goes on
        at="40m",
        labels={"instance": "a:1"},
    ),
    "RegsightStoreRejects": Case(
        fires={_errors("rejected"): "_x20 1x40"},  # the very first refusal, from no series at all
        silent={_errors("rejected"): "3x60"},  # old ones
        at="25m",
        labels={"instance": "a:1"},
    ),
    "RegsightJobNotSucceeded": Case(
        fires={f"{_LAST_SUCCESS}{{{_RENAMED}}}": "60x1700"},
        silent={f"{_LAST_SUCCESS}{{{_RENAMED}}}": "60x700 42000x1000"},
        at="27h",
        labels={"task": "report"},
        value="1d 2h 59m 0s",
    ),
    "RegsightJobFailing": Case(
        fires={_runs("failed", _HONOURED): "0+1x120", _runs("ok", _HONOURED): "9x120"},
        silent={_runs("failed", _HONOURED): "0+1x120", _runs("ok", _HONOURED): "0+0.1x120"},
        at="2h",
        labels={"task": "report"},
    ),
    "RegsightDetectionStopped": Case(
        fires={_DETECTIONS: "0+1x60 60x300"},
        silent={_DETECTIONS: "0+0.02x360"},  # once in fifty minutes is seldom, but it runs
        at="5h",
        labels={"instance": "a:1"},
    ),
    "RegsightOutboxStuck": Case(
        fires={_PENDING: "3x90", _delivered("sent"): "7x90", _delivered("retry"): "0+1x90"},
        silent={_PENDING: "3x90", _delivered("sent"): "0+1x90"},  # a long queue that moves
        at="1h",
        labels={"instance": "a:1"},
        value="3",
    ),
    "RegsightDeliveryGivenUp": Case(
        fires={_delivered("failed"): "0x30 1x60"},
        silent={_delivered("failed"): "1x200", _delivered("retry"): "0+1x200"},
        at="80m",
        labels={"channel": "chat"},
    ),
    "RegsightNotificationsSlow": Case(
        fires={_WAITED.format("600"): "0x90", _WAITED.format("1800"): "0+0.5x90", _WAITED.format("+Inf"): "0+1x90"},
        silent={_WAITED.format("600"): "0+1x90", _WAITED.format("1800"): "0+1x90", _WAITED.format("+Inf"): "0+1x90"},
        at="80m",
        labels={"instance": "a:1"},
        value="30m 0s",
    ),
    "RegsightFindingHigh": Case(
        fires={_findings("high"): "_x20 1x40"},  # the first finding ever is told, too
        silent={_findings("medium"): "_x20 1+1x40", _findings("high"): "4x60"},
        at="25m",
        labels={"detector": "credential_probe"},
    ),
    "RegsightDeniedShareHigh": Case(
        fires={_events("success"): "0+60x90", _events("denied"): "0+60x90"},
        silent={_events("success"): "0+1x90", _events("denied"): "0+1x90"},  # half, but of next to nothing
        at="1h",
        labels={"registry": "hub"},
        value="50%",
    ),
}


def alert_tests(runbooks_url: str) -> dict[str, Any]:
    """The file for `promtool test rules`, to lie in `tests/` below the two rule files."""
    return {
        "rule_files": ["../regsight-recording.yml", "../regsight-alerts.yml"],
        "evaluation_interval": "1m",
        "tests": [test for alert in ALERTS for test in _tests(alert, CASES[alert.name], runbooks_url)],
    }


def _tests(alert: Alert, case: Case, runbooks_url: str) -> list[dict[str, Any]]:
    annotations = {name: _filled(text, case) for name, text in alert.as_rule(runbooks_url)["annotations"].items()}
    expected = {"exp_labels": {**case.labels, "severity": alert.severity}, "exp_annotations": annotations}
    return [
        _test(f"{alert.name} fires", case.fires, case.at, alert.name, [expected]),
        _test(f"{alert.name} stays silent", case.silent, case.at, alert.name, []),
    ]


def _test(name: str, series: Mapping[str, str], at: str, alert: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}],
    }


def _filled(text: str, case: Case) -> str:
    """The text as Prometheus fills it in for the firing history."""
    with_labels = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: case.labels[found[1]], text)
    return re.sub(r"\{\{ \$value[^}]*\}\}", case.value, with_labels)
