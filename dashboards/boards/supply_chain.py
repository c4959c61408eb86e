"""What was pushed, signed and scanned, and what ran before anybody had looked at it."""

from __future__ import annotations

from dashboards import stored_queries as q
from dashboards.board import Board, Events, Unit
from dashboards.kit import FULL, THIRD, joined, logs, table, time_series
from dashboards.variables import STORED_REGISTRY

OVERVIEW, REPOSITORIES, ACTORS = "regsight-overview", "regsight-repositories", "regsight-actors"
PUSHED = Events(actions=("push",), outcome="success")

_chain = (
    time_series(
        "Pushes, signatures, scans",
        q.CHAIN_BY_ACTION,
        unit=Unit.COUNT,
        description="Signatures follow pushes, scans follow both. `referrers`: somebody looked for signatures.",
        link=OVERVIEW,
        stacked=True,
        events=Events(actions=("push", "sign", "scan", "referrers")),
    ),
    time_series(
        "Different images",
        q.DIGESTS_PUSHED,
        q.DIGESTS_PULLED,
        unit=Unit.COUNT,
        description="Different digests pushed and pulled.",
        link=OVERVIEW,
        events=Events(actions=("push", "pull"), outcome="success"),
    ),
)

_looked = (
    table(
        "Pulled, and scanned?",
        q.FIRST_PULLS,
        q.FIRST_SCANS,
        columns={"oci.digest": "Digest", "Count": "Pulls", "Min 1": "First pull", "Min 2": "First scan"},
        unit=Unit.COUNT,
        figure="Pulls",
        units={"First pull": Unit.INSTANT, "First scan": Unit.INSTANT},
        prepared=(joined("oci.digest"),),
        description="The fifty digests pulled most in the chosen time. No first scan, or one later than the first pull:"
        " it ran unseen. Scans before the chosen time do not show: choose a long one.",
        link=REPOSITORIES,
        width=FULL,
        events=Events(actions=("pull", "scan")),
    ),
    time_series(
        "Scans by outcome",
        q.SCANS,
        unit=Unit.COUNT,
        description="Scans that fail leave an image unseen, too.",
        link=OVERVIEW,
        width=THIRD,
        stacked=True,
        events=Events(actions=("scan",)),
    ),
    table(
        "Repositories with signatures",
        q.SIGNED,
        columns={"oci.repository": "Repository", "Count": "Signatures", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Signatures",
        units={"Latest": Unit.INSTANT},
        description="Signatures, attestations and SBOMs stored. A repository that is missing here is not signed.",
        link=REPOSITORIES,
        row_board=(REPOSITORIES, "repository"),
        events=Events(actions=("sign",), outcome="success"),
    ),
    table(
        "Who pushes",
        q.PUSHED_BY,
        columns={"user.name": "Account", "Count": "Pushes", "Unique Count": "Repositories", "Max": "Latest"},
        unit=Unit.COUNT,
        figure="Pushes",
        units={"Latest": Unit.INSTANT},
        description="With how many repositories each pushed to.",
        link=ACTORS,
        row_board=(ACTORS, "actor"),
        events=PUSHED,
    ),
)

_rewritten = (
    logs(
        "Tags and images taken away or set anew",
        q.REWRITTEN,
        description="Deletions, tags set without a push, tags removed, retention: the newest 200.",
        link=REPOSITORIES,
        events=Events(actions=("delete", "untag", "tag", "retain")),
    ),
)

BOARD = Board(
    uid="regsight-supply-chain",
    title="Regsight: supply chain",
    description="Pushes, signatures, scans, and pulls before a scan.",
    variables=(STORED_REGISTRY,),
    span="now-7d",
    sections=(("The chain", _chain), ("Looked at", _looked), ("Rewritten", _rewritten)),
)
