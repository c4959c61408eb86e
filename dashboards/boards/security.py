"""Who was refused, what was found, and whether people were told."""

from __future__ import annotations

from dashboards import queries as q
from dashboards.board import Board, Events, Unit
from dashboards.kit import FULL, HALF, QUARTER, THIRD, bar_gauge, logs, stat, table, time_series
from dashboards.variables import REGISTRY, STORED_REGISTRY

OVERVIEW, HEALTH, ACTORS = "regsight-overview", "regsight-collector-health", "regsight-actors"
REPOSITORIES = "regsight-repositories"
DENIED = Events(outcome="denied")

_figures = (
    stat(
        "Denied",
        q.DENIED_IN_RANGE,
        unit=Unit.COUNT,
        description="Requests refused for want of credentials or rights.",
        link=OVERVIEW,
        events=DENIED,
    ),
    stat(
        "Findings",
        q.FINDINGS_IN_RANGE,
        unit=Unit.COUNT,
        description="What the detectors found in the chosen time, of any severity.",
        link=OVERVIEW,
        warn=1,
    ),
    stat(
        "Waiting to be told",
        q.OUTBOX_PENDING,
        unit=Unit.COUNT,
        description="Messages about findings that have not gone out yet.",
        link=HEALTH,
        warn=1,
        bad=20,
    ),
    stat(
        "Open incidents",
        q.INCIDENTS_OPEN_NOW,
        unit=Unit.COUNT,
        description="Incidents that nobody has closed yet, acknowledged ones included.",
        link=HEALTH,
        warn=1,
    ),
)

_denied = (
    time_series(
        "Denied by action",
        q.DENIED_BY_ACTION,
        unit=Unit.PER_SECOND,
        description="Refused requests a second, by what was tried.",
        link=OVERVIEW,
        width=THIRD,
        stacked=True,
        events=DENIED,
    ),
    time_series(
        "Denied by client class",
        q.DENIED_BY_CLIENT_CLASS,
        unit=Unit.PER_SECOND,
        description="Refused requests a second, by the tool that asked. Scanners rarely call themselves docker.",
        link=OVERVIEW,
        width=THIRD,
        stacked=True,
        events=DENIED,
    ),
    time_series(
        "Share denied",
        q.DENIED_SHARE,
        unit=Unit.SHARE,
        description="Refused part of all requests, by registry.",
        link=OVERVIEW,
        width=THIRD,
        events=DENIED,
    ),
)

_refused = (
    time_series(
        "Bad credentials by client address",
        q.BAD_CREDENTIALS_BY_CLIENT,
        unit=Unit.COUNT,
        description="Passwords and tokens refused, the five addresses with most of them.",
        link=ACTORS,
        stacked=True,
        events=DENIED,
    ),
    time_series(
        "Denied by reason",
        q.DENIED_REASONS,
        unit=Unit.COUNT,
        description="bad_credentials: refused; no_credentials: none presented; forbidden: known user, no right.",
        link=OVERVIEW,
        stacked=True,
        events=DENIED,
    ),
    table(
        "Accounts with refused credentials",
        q.BAD_CREDENTIALS_BY_ACTOR,
        columns={"user.name": "Account", "Count": "Refused"},
        unit=Unit.COUNT,
        description="Accounts tried with a wrong password or token. Many at once from one address is a probe.",
        link=ACTORS,
        width=HALF,
        row_board=(ACTORS, "actor"),
        events=DENIED,
    ),
    table(
        "Repositories refused",
        q.DENIED_REPOSITORIES,
        columns={"oci.repository": "Repository", "Count": "Refused"},
        unit=Unit.COUNT,
        description="Repositories that somebody asked for without being allowed to.",
        link=REPOSITORIES,
        width=HALF,
        row_board=(REPOSITORIES, "repository"),
        events=DENIED,
    ),
    logs(
        "Newest denied requests",
        q.DENIED_EVENTS,
        description="The requests themselves; open one for all its fields.",
        link=OVERVIEW,
        events=DENIED,
    ),
)

_findings = (
    bar_gauge(
        "Findings by severity",
        q.FINDINGS_BY_SEVERITY,
        unit=Unit.COUNT,
        description="How many findings of each severity in the chosen time.",
        link=HEALTH,
        width=HALF,
    ),
    bar_gauge(
        "Findings by detector",
        q.FINDINGS_BY_DETECTOR,
        unit=Unit.COUNT,
        description="How many findings of each detector in the chosen time.",
        link=HEALTH,
        width=HALF,
    ),
)

_incidents = (
    time_series(
        "Open incidents by severity",
        q.INCIDENTS_OPEN,
        unit=Unit.COUNT,
        description="What waits to be closed. A line that never comes down is one that nobody owns: `regsight incidents`.",
        link=OVERVIEW,
        width=FULL,
        stacked=True,
    ),
    bar_gauge(
        "Time to detect (MTTD)",
        q.TIME_TO_DETECT,
        unit=Unit.SECONDS,
        description="Mean from an incident's first event to its detection, of those detected in the chosen time.",
        link=HEALTH,
        width=QUARTER,
    ),
    bar_gauge(
        "Time to notify",
        q.TIME_TO_NOTIFY,
        unit=Unit.SECONDS,
        description="Mean from an incident's detection to the first message that was sent.",
        link=HEALTH,
        width=QUARTER,
    ),
    bar_gauge(
        "Time to acknowledge (MTTA)",
        q.TIME_TO_ACKNOWLEDGE,
        unit=Unit.SECONDS,
        description="Mean from an incident's detection until somebody took it on.",
        link=HEALTH,
        width=QUARTER,
    ),
    bar_gauge(
        "Time to resolve (MTTR)",
        q.TIME_TO_RESOLVE,
        unit=Unit.SECONDS,
        description="Mean from an incident's detection until it was closed.",
        link=HEALTH,
        width=QUARTER,
    ),
)

_told = (
    time_series(
        "Deliveries",
        q.DELIVERIES,
        unit=Unit.PER_SECOND,
        description="Messages by channel: sent, to be tried again, given up.",
        link=HEALTH,
        width=THIRD,
    ),
    time_series(
        "From detection to message",
        *q.DETECT_TO_NOTIFY,
        unit=Unit.SECONDS,
        description="How long a finding waited until somebody was told.",
        link=HEALTH,
        width=THIRD,
    ),
    time_series(
        "From event to message",
        *q.EVENT_TO_NOTIFY,
        unit=Unit.SECONDS,
        description="How long after it happened somebody was told; for logs read late this is long by nature.",
        link=HEALTH,
        width=THIRD,
    ),
)

BOARD = Board(
    uid="regsight-security",
    title="Regsight: security",
    description="Refused requests, findings, and the messages about them.",
    variables=(REGISTRY, STORED_REGISTRY),
    sections=(
        ("At a glance", _figures),
        ("Denied", _denied),
        ("Who was refused", _refused),
        ("Findings", _findings),
        ("Incidents", _incidents),
        ("Messages", _told),
    ),
)
