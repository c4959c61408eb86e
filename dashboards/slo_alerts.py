"""The alerts about burning error budgets: one that wakes somebody and one for the morning, for each promise."""

from __future__ import annotations

from dashboards import slo
from dashboards.rule import Alert

BOARD = "regsight-registry-health"
_ERRORS_FIRST = (
    "Board registry health, answers by class and failures by action: one action, or all of them?",
    "The registry's own log has the reason; its storage is the usual cause when only blobs fail.",
    "Availability counts what the logs tell of: an outage without a line in the log does not show here.",
)
_TIME_FIRST = (
    "Board registry health, how the time spreads: all requests slower, or a second band (one replica, one action)?",
    "Board capacity and cost: does somebody pull far more than usual?",
    "The registry's storage and database: manifests need both, layers mostly the first.",
)

SLO_ALERTS: tuple[Alert, ...] = (
    Alert(
        name="RegsightAvailabilityBurnFast",
        expr=slo.burning(slo.AVAILABILITY, slo.FAST),
        lasting="2m",
        severity="critical",
        summary="{{ $labels.registry }} fails too often",
        description="{{ $value | humanizePercentage }} of the answers of {{ $labels.registry }} are 5xx:"
        " at this pace the error budget of 30 days is gone within five.",
        first=_ERRORS_FIRST,
        panel=(BOARD, "Availability: burn rate"),
    ),
    Alert(
        name="RegsightAvailabilityBurnSlow",
        expr=slo.burning(slo.AVAILABILITY, slo.SLOW),
        lasting="15m",
        severity="warning",
        summary="{{ $labels.registry }} fails more often than promised",
        description="{{ $value | humanizePercentage }} of the answers of {{ $labels.registry }} are 5xx:"
        " the error budget of 30 days will not last.",
        first=_ERRORS_FIRST,
        panel=(BOARD, "Availability: burn rate"),
    ),
    Alert(
        name="RegsightLatencyBurnFast",
        expr=slo.burning(slo.LATENCY, slo.FAST),
        lasting="2m",
        severity="critical",
        summary="{{ $labels.registry }} is much too slow",
        description="{{ $value | humanizePercentage }} of the manifests of {{ $labels.registry }} took longer than"
        " a second: at this pace the budget of 30 days is gone within five.",
        first=_TIME_FIRST,
        panel=(BOARD, "Latency: burn rate"),
    ),
    Alert(
        name="RegsightLatencyBurnSlow",
        expr=slo.burning(slo.LATENCY, slo.SLOW),
        lasting="15m",
        severity="warning",
        summary="{{ $labels.registry }} is slower than promised",
        description="{{ $value | humanizePercentage }} of the manifests of {{ $labels.registry }} took longer than"
        " a second: the budget of 30 days will not last.",
        first=_TIME_FIRST,
        panel=(BOARD, "Latency: burn rate"),
    ),
)
