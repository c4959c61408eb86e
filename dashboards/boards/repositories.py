"""One repository's life: what was pushed, who pulls it, which tags moved, who was refused."""

from __future__ import annotations

from dashboards import stored_queries as q
from dashboards.board import Board, Events, Unit
from dashboards.kit import FULL, HALF, logs, table, time_series
from dashboards.variables import REPOSITORY, STORED_REGISTRY

OVERVIEW, ACTORS, CHAIN, SECURITY = "regsight-overview", "regsight-actors", "regsight-supply-chain", "regsight-security"
HERE = (("repository", "repository"),)
PULLED = Events(actions=("pull",), outcome="success", by=HERE)
PUSHED = Events(actions=("push",), outcome="success", by=HERE)
LATEST = {"Latest": Unit.INSTANT}

_life = (
    time_series(
        "What happens",
        q.REPOSITORY_EVENTS,
        unit=Unit.COUNT,
        description="Everything done or tried in this repository, by action.",
        link=OVERVIEW,
        width=FULL,
        stacked=True,
        events=Events(by=HERE),
    ),
    time_series(
        "Pulls by tag",
        q.REPOSITORY_PULLS,
        unit=Unit.COUNT,
        description="The ten tags pulled most. Pulls by digest have no tag and are not among them.",
        link=OVERVIEW,
        stacked=True,
        events=PULLED,
    ),
    time_series(
        "Pushes by tag",
        q.REPOSITORY_PUSHES,
        unit=Unit.COUNT,
        description="The ten tags pushed most.",
        link=CHAIN,
        stacked=True,
        events=PUSHED,
    ),
)

_who = (
    table(
        "Who pulls",
        q.REPOSITORY_PULLERS,
        columns={"user.name": "Account", "Count": "Pulls", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Pulls",
        units=LATEST,
        description="Accounts that had an image of it. Anonymous pulls are not among them: see the addresses.",
        link=ACTORS,
        row_board=(ACTORS, "actor"),
        events=PULLED,
    ),
    table(
        "From where",
        q.REPOSITORY_ADDRESSES,
        columns={"source.ip": "Address", "Count": "Pulls", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Pulls",
        units=LATEST,
        description="Addresses that pulled it.",
        link=ACTORS,
        events=PULLED,
    ),
    table(
        "Who pushes",
        q.REPOSITORY_PUSHERS,
        columns={"user.name": "Account", "Count": "Pushes", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Pushes",
        units=LATEST,
        description="A second account in a repository that one build has always pushed is worth a question.",
        link=ACTORS,
        row_board=(ACTORS, "actor"),
        events=PUSHED,
    ),
)

_changes = (
    table(
        "Tags that moved",
        q.TAG_MOVES,
        columns={"oci.tag": "Tag", "Unique Count": "Different digests", "Max": "Latest push"},
        unit=Unit.COUNT,
        figure="Different digests",
        units={"Latest push": Unit.INSTANT},
        description="Digests pushed under each tag in the chosen time. More than one: the tag is not what it was.",
        link=CHAIN,
        width=HALF,
        events=PUSHED,
    ),
    time_series(
        "Refused",
        q.REPOSITORY_REFUSED,
        unit=Unit.COUNT,
        description="Requests to this repository refused, by reason.",
        link=SECURITY,
        width=HALF,
        stacked=True,
        events=Events(outcome="denied", by=HERE),
    ),
    logs(
        "What changed it",
        q.REPOSITORY_CHANGES,
        description="Pushes, deletions, tags set and removed, replications: the newest 200.",
        link=CHAIN,
        events=Events(actions=("push", "delete", "tag", "untag", "retain", "replicate"), by=HERE),
    ),
)

BOARD = Board(
    uid="regsight-repositories",
    title="Regsight: one repository",
    description="The life of one repository, chosen above.",
    variables=(STORED_REGISTRY, REPOSITORY),
    span="now-7d",
    sections=(("Its life", _life), ("Who and from where", _who), ("What changed", _changes)),
)
