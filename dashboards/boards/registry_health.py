"""Do the registries keep their promises: do they answer, and quickly enough?"""

from __future__ import annotations

from dashboards import queries as q
from dashboards.board import Board, Events, Unit
from dashboards.kit import HALF, QUARTER, THIRD, heatmap, stat, time_series
from dashboards.variables import REGISTRY

OVERVIEW, HEALTH, CAPACITY = "regsight-overview", "regsight-collector-health", "regsight-capacity-and-cost"
FAILED = Events(outcome="failure")
MANIFESTS = Events(actions=("pull", "check", "push"))

_figures = (
    stat(
        "Answered",
        q.AVAILABLE,
        unit=Unit.SHARE,
        description="Answers without a 5xx in the chosen time, of the worst registry. Promise: 99.9 %.",
        link=HEALTH,
        warn=0.9995,
        bad=0.999,
        width=QUARTER,
        events=FAILED,
    ),
    stat(
        "Error budget left",
        q.AVAILABILITY_BUDGET,
        unit=Unit.SHARE,
        description="Of the 0.1 % that may fail, as if the chosen time were the promise's period. Below zero: broken.",
        link=HEALTH,
        warn=0.5,
        bad=0.0,
        width=QUARTER,
        events=FAILED,
    ),
    stat(
        "Manifests under a second",
        q.QUICK_ENOUGH,
        unit=Unit.SHARE,
        description="Pulls, checks and pushes of manifests, of the worst registry. Promise: 95 %.",
        link=CAPACITY,
        warn=0.975,
        bad=0.95,
        width=QUARTER,
        events=MANIFESTS,
    ),
    stat(
        "Latency budget left",
        q.LATENCY_BUDGET,
        unit=Unit.SHARE,
        description="Of the 5 % that may take longer, as if the chosen time were the promise's period.",
        link=CAPACITY,
        warn=0.5,
        bad=0.0,
        width=QUARTER,
        events=MANIFESTS,
    ),
)

_burn = (
    time_series(
        "Availability: burn rate",
        *q.AVAILABILITY_BURN,
        unit=Unit.NONE,
        description="1 uses the budget up in 30 days; 14.4 over 1h and 5m, or 6 over 6h and 30m, alerts at once."
        " Needs Regsight's recording rules.",
        link=HEALTH,
        width=HALF,
        events=FAILED,
    ),
    time_series(
        "Latency: burn rate",
        *q.LATENCY_BURN,
        unit=Unit.NONE,
        description="The same of manifests that took longer than a second. Needs Regsight's recording rules.",
        link=CAPACITY,
        width=HALF,
        events=MANIFESTS,
    ),
)

_errors = (
    time_series(
        "Answers by class",
        q.ANSWERS_BY_CLASS,
        unit=Unit.PER_SECOND,
        description="5xx: the registry failed. 4xx: mostly the challenge that starts a login, and what is not there.",
        link=OVERVIEW,
        width=HALF,
        stacked=True,
    ),
    time_series(
        "Failures by action",
        q.FAILED_BY_ACTION,
        unit=Unit.PER_SECOND,
        description="Not found, invalid, or failed in the server. Checks of what is not there yet are a push's first step.",
        link=OVERVIEW,
        width=HALF,
        stacked=True,
        events=FAILED,
    ),
)

_time = (
    time_series(
        "Time of manifests",
        *q.MANIFEST_DURATION,
        unit=Unit.SECONDS,
        description="Half, 95 % and 99 % of pulls, checks and pushes of manifests were faster.",
        link=CAPACITY,
        width=THIRD,
        events=MANIFESTS,
    ),
    time_series(
        "Time by registry, p95",
        q.DURATION_BY_REGISTRY,
        unit=Unit.SECONDS,
        description="95 % of all requests were faster, layers among them: size and the client's line count here.",
        link=CAPACITY,
        width=THIRD,
    ),
    heatmap(
        "How the time of manifests spreads",
        q.DURATION_SPREAD,
        unit=Unit.SECONDS,
        description="Two bands are two kinds of request, or a slow replica: a quantile would hide that.",
        link=CAPACITY,
        width=THIRD,
    ),
)

BOARD = Board(
    uid="regsight-registry-health",
    title="Regsight: registry health",
    description="Availability and latency of the registries against what was promised.",
    variables=(REGISTRY,),
    sections=(
        ("At a glance", _figures),
        ("How fast the budgets burn", _burn),
        ("Errors", _errors),
        ("Time", _time),
    ),
)
