"""The Prometheus rules: figures worked out ahead, and the alerts about Regsight itself and about what it found.

Each alert says what is wrong, what it means, and what to look at first. Its unit tests are in `dashboards.rule_tests`.
"""

from __future__ import annotations

from typing import Any

from dashboards import slo
from dashboards.rule import Alert, Recording, risen
from dashboards.slo_alerts import SLO_ALERTS
from dashboards.words import by_task

HEALTH, SECURITY = "regsight-collector-health", "regsight-security"
EVENTS = "regsight_collector_events_total"
DENIED_RATIO = "registry:regsight_collector_events_denied:ratio_rate15m"
DEAD_RATIO = "source:regsight_collector_lines_dead:ratio_rate15m"
_LAST_SUCCESS = by_task("regsight_analytics_job_last_success_timestamp_seconds > 0")
SUCCESS_AGE = f"time() - max by (task) ({_LAST_SUCCESS})"

RECORDINGS: tuple[Recording, ...] = (
    Recording("registry_action:regsight_collector_events:rate5m", f"sum by (registry, action) (rate({EVENTS}[5m]))"),
    Recording(
        DENIED_RATIO,
        f'sum by (registry) (rate({EVENTS}{{outcome="denied"}}[15m])) / sum by (registry) (rate({EVENTS}[15m]))',
    ),
    Recording(
        DEAD_RATIO,
        'sum by (source) (rate(regsight_collector_lines_total{result="dead_letter"}[15m]))'
        " / sum by (source) (rate(regsight_collector_lines_total[15m]))",
    ),
    Recording(
        "registry_action:regsight_collector_request_duration_seconds:p95_rate15m",
        "histogram_quantile(0.95, sum by (registry, action, le)"
        " (rate(regsight_collector_request_duration_seconds_bucket[15m])))",
    ),
    Recording("task:regsight_analytics_job_last_success:age_seconds", SUCCESS_AGE),
    *(Recording(promise.record(window), promise.expr(window)) for promise in slo.PROMISES for window in slo.WINDOWS),
)


def _runs(state: str) -> str:
    series = f'regsight_analytics_job_runs_total{{state="{state}"}}'
    return f"sum by (task) ({by_task(f'increase({series}[1h])')})"


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="RegsightMissing",
        expr="absent(regsight_collector_batches_total)",
        lasting="10m",
        severity="critical",
        summary="Regsight reports nothing",
        description="No figures of the collector for ten minutes: nobody is watching the registries.",
        first=(
            "Does the process run, and does `/readyz` answer?",
            "Does Prometheus reach it (Status, Targets)?",
        ),
        panel=(HEALTH, "Batches"),
    ),
    Alert(
        name="RegsightCollectorLagging",
        expr="max by (instance, source) (regsight_collector_lag_seconds) > 300",
        lasting="10m",
        severity="warning",
        summary="Source {{ $labels.source }} is behind",
        description="The newest stored event of {{ $labels.source }} is {{ $value | humanizeDuration }} old"
        " while there is unread data.",
        first=(
            "Board collector health: do commits fail or take long? Then the store is the cause.",
            "Are batches full? Then more is written than one collector reads: look for the loudest registry.",
            "`regsight status` shows each source with its position.",
        ),
        panel=(HEALTH, "Lag in seconds"),
    ),
    Alert(
        name="RegsightDeadLettersRising",
        expr=f"{DEAD_RATIO} > 0.01",
        lasting="10m",
        severity="warning",
        summary="Lines of {{ $labels.source }} cannot be read",
        description="{{ $value | humanizePercentage }} of the lines of {{ $labels.source }} end as dead letters.",
        first=(
            "Board collector health, dead letters by reason.",
            "Was the registry upgraded, its log format changed? `regsight parse --check FILE` shows the first rejects.",
            "The lines are kept; they can be read again after a fix.",
        ),
        panel=(HEALTH, "Dead letters by reason"),
    ),
    Alert(
        name="RegsightStoreUnavailable",
        expr='sum by (instance) (increase(regsight_collector_store_errors_total{kind="unavailable"}[10m])) > 0'
        ' unless sum by (instance) (increase(regsight_collector_commits_total{result="ok"}[10m])) > 0',
        lasting="5m",
        severity="critical",
        summary="The store does not answer",
        description="No commit of {{ $labels.instance }} has succeeded for ten minutes."
        " Positions are kept, nothing is lost as long as the logs are.",
        first=(
            "Is the store up, is its disk full? `regsight status` names it.",
            "How long do the registries keep their logs? That is the time left.",
        ),
        panel=(HEALTH, "Store errors"),
    ),
    Alert(
        name="RegsightStoreRejects",
        expr=risen('regsight_collector_store_errors_total{kind="rejected"}', "instance", "15m"),
        lasting="0m",
        severity="critical",
        summary="The store refuses what Regsight writes",
        description="The store answered {{ $labels.instance }} with a refusal that trying again will not change.",
        first=(
            "The log of Regsight has the reason: credentials, address, or a table or mapping of another version.",
            "`regsight config check` reads the settings without starting.",
        ),
        panel=(HEALTH, "Store errors"),
    ),
    Alert(
        name="RegsightJobNotSucceeded",
        # Not the recorded figure: it may be one evaluation old, and the text says the age.
        expr=f"{SUCCESS_AGE} > 26 * 3600",
        lasting="10m",
        severity="warning",
        summary="Job {{ $labels.task }} has not succeeded for a day",
        description="The last success of {{ $labels.task }} was {{ $value | humanizeDuration }} ago.",
        first=("`regsight status` shows the last runs with their notes.", "Is the process restarted again and again?"),
        panel=(HEALTH, "Time since the last success"),
    ),
    Alert(
        name="RegsightJobFailing",
        expr=f"{_runs('failed')} > 0 unless {_runs('ok')} > 0",
        lasting="15m",
        severity="warning",
        summary="Job {{ $labels.task }} fails",
        description="{{ $labels.task }} failed in the last hour and did not succeed once.",
        first=("`regsight status` shows the last runs with their notes.", "The log has the error with its traceback."),
        panel=(HEALTH, "Job runs"),
    ),
    Alert(
        name="RegsightDetectionStopped",
        expr="sum by (instance) (increase(regsight_analytics_detection_duration_seconds_count[3h])) == 0",
        lasting="30m",
        severity="critical",
        summary="No detector runs",
        description="No detector of {{ $labels.instance }} has run for three hours: attacks go unseen.",
        first=("`regsight status` shows when the detection job last ran.", "Does another process hold its lease?"),
        panel=(HEALTH, "Detection duration, p95"),
    ),
    Alert(
        name="RegsightOutboxStuck",
        expr="min_over_time(regsight_alerts_outbox_pending[30m]) > 0"
        ' unless on (instance) sum by (instance) (increase(regsight_alerts_deliveries_total{result="sent"}[30m])) > 0',
        lasting="5m",
        severity="critical",
        summary="Findings do not reach anybody",
        description="{{ $value }} messages of {{ $labels.instance }} wait, and none went out in half an hour.",
        first=(
            "`regsight alerts test` sends a sample to every channel and says what each answers.",
            "Board security, deliveries: which channel retries?",
        ),
        panel=(SECURITY, "Waiting to be told"),
    ),
    Alert(
        name="RegsightDeliveryGivenUp",
        expr=risen('regsight_alerts_deliveries_total{result="failed"}', "channel", "1h"),
        lasting="0m",
        severity="critical",
        summary="A finding was not told to {{ $labels.channel }}",
        description="Regsight gave up on a message to {{ $labels.channel }}; nobody there knows of that finding.",
        first=(
            "`regsight findings list` has the finding itself.",
            "`regsight alerts test` shows what the channel says.",
        ),
        panel=(SECURITY, "Deliveries"),
    ),
    Alert(
        name="RegsightNotificationsSlow",
        expr="histogram_quantile(0.95, sum by (instance, le)"
        " (rate(regsight_alerts_detect_to_notify_seconds_bucket[1h]))) > 600",
        lasting="10m",
        severity="warning",
        summary="People hear late of findings",
        description="5 % of the messages of {{ $labels.instance }} left more than"
        " {{ $value | humanizeDuration }} after detection.",
        first=("Board security, deliveries: which channel retries?",),
        panel=(SECURITY, "From detection to message"),
    ),
    Alert(
        name="RegsightFindingHigh",
        expr=risen('regsight_analytics_findings_total{severity=~"high|critical"}', "detector", "15m"),
        lasting="0m",
        severity="critical",
        summary="{{ $labels.detector }} found something grave",
        description="A new finding of high or critical severity by {{ $labels.detector }}.",
        first=(
            "`regsight findings list`, then `regsight findings show ID`: each names the first thing to check.",
            "Board security shows the refused requests around it.",
        ),
        panel=(SECURITY, "Findings by severity"),
    ),
    Alert(
        name="RegsightDeniedShareHigh",
        expr=f"{DENIED_RATIO} > 0.3 and on (registry)"
        f' sum by (registry) (rate({EVENTS}{{outcome="denied"}}[15m])) > 0.1',
        lasting="15m",
        severity="warning",
        summary="Many requests to {{ $labels.registry }} are refused",
        description="{{ $value | humanizePercentage }} of the requests to {{ $labels.registry }} are denied.",
        first=(
            "Board security: one address or many, one account or many?",
            "One tool with an expired token is the usual cause; many accounts from one address are a probe.",
        ),
        panel=(SECURITY, "Share denied"),
    ),
    Alert(
        name="RegsightGapNoticed",
        expr=risen("regsight_collector_gaps_total", "source, kind", "15m"),
        lasting="0m",
        severity="warning",
        summary="Lines of {{ $labels.source }} are missing",
        description="The collector noticed a loss at {{ $labels.source }}: {{ $labels.kind }}.",
        first=(
            "`regsight gaps` names the file, the place and the time that is missing.",
            "Does logrotate cut in place (copytruncate), or remove files before they are read?",
        ),
        panel=(HEALTH, "Gaps noticed"),
    ),
    Alert(
        name="RegsightIncidentOpenLong",
        expr='max by (severity) (regsight_incidents_open{severity=~"high|critical"}) > 0',
        lasting="1d",
        severity="warning",
        summary="Incidents of severity {{ $labels.severity }} stay open",
        description="For a day there has always been one open; now {{ $value }}.",
        first=("`regsight incidents list` shows who has taken on which.", "Close what was expected, with a word why."),
        panel=(SECURITY, "Open incidents by severity"),
    ),
    *SLO_ALERTS,
)


def recording_rules() -> dict[str, Any]:
    """The file of figures worked out ahead, as Prometheus reads it."""
    rules = [{"record": rule.record, "expr": rule.expr} for rule in RECORDINGS]
    return {"groups": [{"name": "regsight-recording", "rules": rules}]}


def alert_rules(runbooks_url: str) -> dict[str, Any]:
    """The file of alerts; each points at its heading in the runbook."""
    rules = [alert.as_rule(runbooks_url) for alert in ALERTS]
    return {"groups": [{"name": "regsight-alerts", "rules": rules}]}


def runbook() -> str:
    """What to do about each alert, as Markdown, one heading an alert."""
    parts = ["# What to do when Regsight alerts\n"]
    for alert in ALERTS:
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(alert.first, start=1))
        condition = f"It fires when this holds for {alert.lasting}:\n\n```promql\n{alert.expr}\n```"
        parts.append(f"## {alert.name}\n\nSeverity: {alert.severity}.\n\n{steps}\n\n{condition}\n")
    return "\n".join(parts)
