"""For every alert one history in which it fires and one, close by, in which it stays silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Of each file of tests. A value a minute for days would keep promtool busy for minutes.
_HOURLY, _SLOWLY = "5m", "15m"
STEPS: Mapping[str, str] = {"regsight-alerts": "1m", "regsight-hours": _HOURLY, "regsight-days": _SLOWLY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two histories in promtool's notation, a value every `step`. `value` is how the description shows the firing value."""

    fires: Mapping[str, str]
    silent: Mapping[str, str]
    at: str
    labels: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    step: str = "1m"


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


def _answers(status_class: str) -> str:
    return f'regsight_collector_answers_total{{registry="hub", status_class="{status_class}"}}'


def _availability(bad: str, good: str) -> dict[str, str]:
    return {_answers("5xx"): bad, _answers("2xx"): good}


def _latency(quick: str, every: str) -> dict[str, str]:
    series = 'regsight_collector_request_duration_seconds_{}{{registry="hub", action="pull"{}}}'
    return {series.format("bucket", ', le="1.0"'): quick, series.format("count", ""): every}


_GAPS = 'regsight_collector_gaps_total{instance="a:1", source="hub", kind="truncated"}'
_OPEN = 'regsight_incidents_open{instance="a:1", severity="high"}'
_HUB = {"registry": "hub"}
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
        fires={f"{_LAST_SUCCESS}{{{_RENAMED}}}": "60x120"},
        silent={f"{_LAST_SUCCESS}{{{_RENAMED}}}": "60x47 42000x70"},
        at="27h",
        step=_SLOWLY,
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
    "RegsightGapNoticed": Case(
        fires={_GAPS: "_x20 1x40"},
        silent={_GAPS: "2x60"},  # known for long
        at="25m",
        labels={"source": "hub", "kind": "truncated"},
    ),
    "RegsightIncidentOpenLong": Case(
        fires={_OPEN: "2x110"},
        silent={_OPEN: "2x60 0 1x40"},  # closed in between
        at="26h",
        step=_SLOWLY,
        labels={"severity": "high"},
        value="2",
    ),
    "RegsightAvailabilityBurnFast": Case(
        fires=_availability("0+2x90", "0+98x90"),
        silent=_availability("0+10x30 300x60", "0+90x90"),  # much in this hour, but it is over
        at="80m",
        labels=_HUB,
        value="2%",
    ),
    "RegsightAvailabilityBurnSlow": Case(
        fires=_availability("0+4x120", "0+996x120"),
        silent=_availability("0+1x120", "0+1999x120"),  # half of what may fail
        at="27h",
        step=_SLOWLY,
        labels=_HUB,
        value="0.4%",
    ),
    "RegsightLatencyBurnFast": Case(
        fires=_latency("0+20x90", "0+100x90"),
        silent=_latency("0x30 0+100x60", "0+100x90"),  # it is quick again
        at="80m",
        labels=_HUB,
        value="80%",
    ),
    "RegsightLatencyBurnSlow": Case(
        fires=_latency("0+80x120", "0+100x120"),
        silent=_latency("0+96x120", "0+100x120"),
        at="27h",
        step=_SLOWLY,
        labels=_HUB,
        value="20%",
    ),
}

# The second pair of windows of each, in which the first pair is content.
MORE: Sequence[tuple[str, Case]] = (
    (
        "RegsightAvailabilityBurnFast",
        Case(
            fires=_availability("0+8x110", "0+992x110"),
            silent=_availability("0+8x80 640x30", "0+992x110"),
            at="8h",
            step=_HOURLY,
            labels=_HUB,
            value="0.8%",
        ),
    ),
    (
        "RegsightAvailabilityBurnSlow",
        Case(
            fires=_availability("0+15x320", "0+9985x320"),
            silent=_availability("_x320", "0+9985x320"),  # never a 5xx: no such series, and no budget used
            at="75h",
            step=_SLOWLY,
            labels=_HUB,
            value="0.15%",
        ),
    ),
    (
        "RegsightLatencyBurnFast",
        Case(
            fires=_latency("0+60x110", "0+100x110"),
            silent=_latency("0+80x110", "0+100x110"),
            at="8h",
            step=_HOURLY,
            labels=_HUB,
            value="40%",
        ),
    ),
    (
        "RegsightLatencyBurnSlow",
        Case(
            fires=_latency("0+90x320", "0+100x320"),
            silent=_latency("0x320", "0x320"),  # nobody asked for anything
            at="75h",
            step=_SLOWLY,
            labels=_HUB,
            value="10%",
        ),
    ),
)
