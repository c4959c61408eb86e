"""What the registries carry and grow by, for whom, what it costs, and what a cache would have saved."""

from __future__ import annotations

from dashboards import queries as q
from dashboards import stored_queries as stored
from dashboards.board import Board, Events, Unit
from dashboards.kit import FULL, HALF, THIRD, bar_gauge, stat, table, time_series, worked_out
from dashboards.variables import PRICE, REGISTRY, STORED_REGISTRY

OVERVIEW, HEALTH, ACTORS = "regsight-overview", "regsight-registry-health", "regsight-actors"
REPOSITORIES = "regsight-repositories"
OUT = Events(actions=("pull", "layer_download"))
IN = Events(actions=("push", "layer_upload"))
LAYERS = Events(actions=("layer_download",), outcome="success")

_figures = (
    stat(
        "Out",
        q.BYTES_OUT,
        unit=Unit.BYTES,
        description="Bytes of pulls and layers in the chosen time, as far as the logs say. A registry that sends clients"
        " on to a bucket logs only the redirect.",
        link=OVERVIEW,
        width=THIRD,
        events=OUT,
    ),
    stat(
        "In",
        q.BYTES_IN,
        unit=Unit.BYTES,
        description="Bytes of pushes and layers in the chosen time, as far as the logs say.",
        link=OVERVIEW,
        width=THIRD,
        events=IN,
    ),
    stat(
        "Cost of what went out",
        q.COST_OUT,
        unit=Unit.NONE,
        description="Gigabytes (1e9 bytes) out, times the price above, in its currency. Without a price it is 0.",
        link=OVERVIEW,
        width=THIRD,
        events=OUT,
    ),
)

_flow = (
    time_series(
        "Bytes by registry",
        q.BYTES_BY_REGISTRY,
        unit=Unit.BYTES_PER_SECOND,
        description="Bytes a second in both directions.",
        link=HEALTH,
        width=THIRD,
        stacked=True,
    ),
    time_series(
        "Growth a day",
        q.GROWTH,
        unit=Unit.BYTES,
        description="Bytes pushed in the day before each moment: how much is added, before cleaning up.",
        link=HEALTH,
        width=THIRD,
        events=IN,
    ),
    bar_gauge(
        "Bytes out by action",
        stored.OUT_BY_ACTION,
        unit=Unit.BYTES,
        description="What the answers weigh. Catalogs and lists of tags that weigh much are polled too often.",
        link=OVERVIEW,
        by_row=True,
    ),
    time_series(
        "Out by project",
        stored.OUT_BY_PROJECT,
        unit=Unit.BYTES,
        description="Bytes of layers downloaded, the ten heaviest projects.",
        link=REPOSITORIES,
        stacked=True,
        events=LAYERS,
    ),
    time_series(
        "In by project",
        stored.IN_BY_PROJECT,
        unit=Unit.BYTES,
        description="Bytes uploaded, the ten heaviest projects: where the growth is.",
        link=REPOSITORIES,
        stacked=True,
        events=IN,
    ),
)

_again = (
    time_series(
        "Downloads and different layers",
        stored.DOWNLOADS,
        stored.LAYERS,
        unit=Unit.COUNT,
        description="The distance between the lines was fetched before, by somebody: what a cache would have answered.",
        link=REPOSITORIES,
        width=FULL,
        events=LAYERS,
    ),
    table(
        "Downloaded again",
        stored.AGAIN_BY_REPOSITORY,
        columns={
            "oci.repository": "Repository",
            "Count": "Downloads",
            "Unique Count": "Different layers",
            "Sum": "Bytes",
            "Again": "Again",
            "Share": "Share again",
        },
        unit=Unit.SHARE,
        units={"Bytes": Unit.BYTES},
        prepared=(worked_out("Again", "Count", "-", "Unique Count"), worked_out("Share", "Again", "/", "Count")),
        description="Downloads of layers that had been downloaded before in the chosen time, and their share.",
        link=REPOSITORIES,
        width=HALF,
        row_board=(REPOSITORIES, "repository"),
        events=LAYERS,
    ),
    table(
        "Heaviest accounts",
        stored.OUT_BY_ACTOR,
        columns={"user.name": "Account", "Count": "Downloads", "Sum": "Bytes"},
        unit=Unit.BYTES,
        description="Bytes of layers downloaded, by account.",
        link=ACTORS,
        width=HALF,
        row_board=(ACTORS, "actor"),
        events=LAYERS,
    ),
)

BOARD = Board(
    uid="regsight-capacity-and-cost",
    title="Regsight: capacity and cost",
    description="Bytes moved and stored, by whom, and how much of it twice.",
    variables=(REGISTRY, STORED_REGISTRY, PRICE),
    span="now-24h",
    sections=(("At a glance", _figures), ("Bytes", _flow), ("Fetched again", _again)),
)
