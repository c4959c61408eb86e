"""Who works with the registries, with what rights in use, from where, and who of them is refused."""

from __future__ import annotations

from dashboards import stored_queries as q
from dashboards.board import Board, Events, Unit
from dashboards.kit import FULL, HALF, THIRD, bar_gauge, logs, table, time_series
from dashboards.variables import ACTOR, STORED_REGISTRY

OVERVIEW, SECURITY, CAPACITY = "regsight-overview", "regsight-security", "regsight-capacity-and-cost"
THIS = "regsight-actors"
LATEST = {"Latest": Unit.INSTANT}

_activity = (
    time_series(
        "What they do",
        q.ACTOR_ACTIONS,
        unit=Unit.COUNT,
        description="Events of the chosen accounts by action.",
        link=OVERVIEW,
        width=FULL,
        stacked=True,
    ),
    time_series(
        "Accounts at work",
        q.ACTORS_COUNTED,
        unit=Unit.COUNT,
        description="How many different accounts did something. A step up is a new team, or a list of names tried.",
        link=SECURITY,
        width=THIRD,
    ),
    time_series(
        "Kinds of account",
        q.ACTOR_KINDS,
        unit=Unit.COUNT,
        description="human, robot, ci, node, anonymous, internal: as the account's name or the registry says.",
        link=OVERVIEW,
        width=THIRD,
        stacked=True,
    ),
    time_series(
        "Sorts of traffic",
        q.ACTOR_TRAFFIC,
        unit=Unit.COUNT,
        description="What the lines show: people, builds, clusters, scanners, mirrors, probes, noise.",
        link=OVERVIEW,
        width=THIRD,
        stacked=True,
    ),
)

_who = (
    table(
        "Busiest accounts",
        q.ACTORS_BUSIEST,
        columns={"user.name": "Account", "Count": "Events", "Unique Count": "Addresses", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Events",
        units=LATEST,
        description="With how many addresses each came from: a person has few.",
        link=OVERVIEW,
        width=HALF,
        row_board=(THIS, "actor"),
    ),
    table(
        "Addresses",
        q.ACTOR_ADDRESSES,
        columns={"source.ip": "Address", "Count": "Events", "Unique Count": "Accounts", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Events",
        units=LATEST,
        description="With how many accounts each used: many accounts from one address are a proxy, or an attack.",
        link=SECURITY,
        width=HALF,
    ),
    bar_gauge(
        "Repositories pulled",
        q.ACTORS_SPREAD,
        unit=Unit.COUNT,
        description="Different repositories by account: whoever pulls everything is a scanner, a mirror, or leaving.",
        link=CAPACITY,
        by_row=True,
        events=Events(actions=("pull",), outcome="success"),
    ),
    table(
        "Refused accounts",
        q.ACTORS_REFUSED,
        columns={"user.name": "Account", "Count": "Refused", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Refused",
        units=LATEST,
        description="Requests refused, by account as it was written in the request.",
        link=SECURITY,
        row_board=(THIS, "actor"),
        events=Events(outcome="denied"),
    ),
    bar_gauge(
        "Tools",
        q.ACTOR_TOOLS,
        unit=Unit.COUNT,
        description="By what the clients call themselves: a hint, never an identity.",
        link=OVERVIEW,
        by_row=True,
    ),
)

_changes = (
    logs(
        "What they changed",
        q.ACTOR_CHANGES,
        description="Pushes, deletions, tags removed, rights and settings changed: the newest 200.",
        link=SECURITY,
        events=Events(actions=("push", "delete", "untag", "permission", "config")),
    ),
)

BOARD = Board(
    uid=THIS,
    title="Regsight: actors",
    description="Accounts and addresses, and what they do.",
    variables=(STORED_REGISTRY, ACTOR),
    span="now-24h",
    sections=(("Activity", _activity), ("Who", _who), ("Changes", _changes)),
)
