"""What happens at the registries: how much, of what sort, how fast, by whom."""

from __future__ import annotations

from dashboards import queries as q
from dashboards.board import Board, Events, Unit
from dashboards.kit import FULL, HALF, THIRD, bar_gauge, stat, table, time_series
from dashboards.variables import REGISTRY, STORED_REGISTRY

SECURITY, HEALTH, REGISTRIES = "regsight-security", "regsight-collector-health", "regsight-registry-health"
REPOSITORIES, ACTORS, CAPACITY = "regsight-repositories", "regsight-actors", "regsight-capacity-and-cost"
CHAIN = "regsight-supply-chain"
PULLED, PUSHED = Events(actions=("pull",)), Events(actions=("push",))

_figures = (
    stat(
        "Events",
        q.EVENTS_IN_RANGE,
        unit=Unit.COUNT,
        description="Everything that clients did or tried in the chosen time.",
        link=HEALTH,
    ),
    stat(
        "Pulls",
        q.PULLS_IN_RANGE,
        unit=Unit.COUNT,
        description="Manifests fetched; layers are counted apart.",
        link=CAPACITY,
        events=PULLED,
    ),
    stat(
        "Pushes",
        q.PUSHES_IN_RANGE,
        unit=Unit.COUNT,
        description="Manifests stored; layers are counted apart.",
        link=CHAIN,
        events=PUSHED,
    ),
    stat(
        "Bytes moved",
        q.BYTES_IN_RANGE,
        unit=Unit.BYTES,
        description="Bytes of pulls and pushes, as far as the logs say.",
        link=CAPACITY,
    ),
)

_traffic = (
    time_series(
        "Events by action",
        q.EVENTS_BY_ACTION,
        unit=Unit.PER_SECOND,
        description="Events a second by what was done. A new colour on top is a change of habit.",
        link=SECURITY,
        stacked=True,
    ),
    time_series(
        "Pulls against pushes",
        q.PULLS,
        q.PUSHES,
        unit=Unit.PER_SECOND,
        description="Pulls follow deployments, pushes follow builds.",
        link=CHAIN,
        events=Events(actions=("pull", "push")),
    ),
    bar_gauge(
        "Top registries",
        q.TOP_REGISTRIES,
        unit=Unit.COUNT,
        description="Events in the chosen time, the ten busiest registries.",
        link=REGISTRIES,
    ),
    time_series(
        "Events by outcome",
        q.EVENTS_BY_OUTCOME,
        unit=Unit.PER_SECOND,
        description="How requests ended. `unknown` is mostly the challenge that starts every login.",
        link=SECURITY,
        width=THIRD,
        stacked=True,
    ),
    time_series(
        "Client classes",
        q.EVENTS_BY_CLIENT_CLASS,
        unit=Unit.PER_SECOND,
        description="The tools behind the user agents. Clients choose what they send: a hint, never an identity.",
        link=ACTORS,
        width=THIRD,
        stacked=True,
    ),
)

_weight = (
    time_series(
        "Bytes by action",
        q.BYTES_BY_ACTION,
        unit=Unit.BYTES_PER_SECOND,
        description="Bytes a second; layers weigh, manifests do not.",
        link=CAPACITY,
        width=THIRD,
        stacked=True,
    ),
    time_series(
        "Request duration",
        *q.REQUEST_DURATION,
        unit=Unit.SECONDS,
        description="Time the registry took to answer: half, 95 % and 99 % of requests were faster.",
        link=REGISTRIES,
        width=THIRD,
    ),
    time_series(
        "Request duration by action, p95",
        q.SLOW_REQUESTS_BY_ACTION,
        unit=Unit.SECONDS,
        description="95 % of requests of each action were faster.",
        link=REGISTRIES,
        width=THIRD,
    ),
)

_stored = (
    table(
        "Top repositories",
        q.TOP_REPOSITORIES,
        columns={"oci.repository": "Repository", "Count": "Events"},
        unit=Unit.COUNT,
        description="Repositories with most events in the chosen time.",
        link=REPOSITORIES,
        row_board=(REPOSITORIES, "repository"),
    ),
    table(
        "Top actors",
        q.TOP_ACTORS,
        columns={"user.name": "Actor", "Count": "Events"},
        unit=Unit.COUNT,
        description="Accounts with most events, as the registries know them. Anonymous requests are not among them.",
        link=ACTORS,
        row_board=(ACTORS, "actor"),
    ),
    table(
        "Actions",
        q.TOP_ACTIONS,
        columns={"action": "Action", "Count": "Events"},
        unit=Unit.COUNT,
        description="Every action in the chosen time, including the rare ones.",
        link=SECURITY,
    ),
    time_series(
        "Stored events by action",
        q.STORED_BY_ACTION,
        unit=Unit.COUNT,
        description="Events in the store by when they happened, which for replayed logs is not when they were read.",
        link=SECURITY,
        width=HALF,
        stacked=True,
    ),
    bar_gauge(
        "Most downloaded repositories",
        q.TOP_DOWNLOADS,
        unit=Unit.BYTES,
        description="Bytes answered to pulls and layer downloads, by repository.",
        link=CAPACITY,
        width=FULL - HALF,
        by_row=True,
        events=Events(actions=("pull", "layer_download")),
    ),
)

BOARD = Board(
    uid="regsight-overview",
    title="Regsight: overview",
    description="What happens at the container registries.",
    variables=(REGISTRY, STORED_REGISTRY),
    sections=(
        ("At a glance", _figures),
        ("Traffic", _traffic),
        ("Bytes and time", _weight),
        ("Who and what", _stored),
    ),
)
