"""Who was refused, what was found, and whether people were told."""

from __future__ import annotations

from dashboards import queries as q
from dashboards.board import Board, Unit
from dashboards.kit import HALF, QUARTER, THIRD, bar_gauge, logs, stat, table, time_series
from dashboards.variables import REGISTRY, STORED_REGISTRY

OVERVIEW, HEALTH = "regsight-overview", "regsight-collector-health"

_figures = (
    stat(
        "Denied",
        q.DENIED_IN_RANGE,
        unit=Unit.COUNT,
        description="Requests refused for want of credentials or rights.",
        link=OVERVIEW,
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
        width=2 * QUARTER,
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
    ),
    time_series(
        "Denied by client class",
        q.DENIED_BY_CLIENT_CLASS,
        unit=Unit.PER_SECOND,
        description="Refused requests a second, by the tool that asked. Scanners rarely call themselves docker.",
        link=OVERVIEW,
        width=THIRD,
        stacked=True,
    ),
    time_series(
        "Share denied",
        q.DENIED_SHARE,
        unit=Unit.SHARE,
        description="Refused part of all requests, by registry.",
        link=OVERVIEW,
        width=THIRD,
    ),
)

_refused = (
    time_series(
        "Bad credentials by client address",
        q.BAD_CREDENTIALS_BY_CLIENT,
        unit=Unit.COUNT,
        description="Passwords and tokens refused, the five addresses with most of them.",
        link=OVERVIEW,
        stacked=True,
    ),
    time_series(
        "Denied by reason",
        q.DENIED_REASONS,
        unit=Unit.COUNT,
        description="bad_credentials: refused; no_credentials: none presented; forbidden: known user, no right.",
        link=OVERVIEW,
        stacked=True,
    ),
    table(
        "Accounts with refused credentials",
        q.BAD_CREDENTIALS_BY_ACTOR,
        columns={"user.name": "Account", "Count": "Refused"},
        unit=Unit.COUNT,
        description="Accounts tried with a wrong password or token. Many at once from one address is a probe.",
        link=OVERVIEW,
        width=HALF,
    ),
    table(
        "Repositories refused",
        q.DENIED_REPOSITORIES,
        columns={"oci.repository": "Repository", "Count": "Refused"},
        unit=Unit.COUNT,
        description="Repositories that somebody asked for without being allowed to.",
        link=OVERVIEW,
        width=HALF,
    ),
    logs(
        "Newest denied requests",
        q.DENIED_EVENTS,
        description="The requests themselves; open one for all its fields.",
        link=OVERVIEW,
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
        ("Messages", _told),
    ),
)
