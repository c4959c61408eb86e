"""A registry as a drop: something that is no image is stored in a project of images, and fetched from where nobody ever was.

Notices: an artifact of a media type that its project never held and that no container tool makes, once it is pulled from a
network from which nobody pulled or pushed before it was there. Needs: logs that tell media types and addresses (Distribution with
notifications, CloudTrail); a week of history. Method: bookkeeping of the types of each project and of all networks. Wakes nobody
for a first chart, signature or SBOM, nor for a new sort of artifact that is fetched from known networks. Never sees: data that is
packed as an image, and whoever fetches it from a known network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.ledger import home, network, project_of
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.wording import duration, plain
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

SETTLED = timedelta(days=7)  # of history, before a network is unknown
MOST_IDS = 20
_OF_CONTAINERS = (
    "application/vnd.oci.",
    "application/vnd.docker.",
    "application/vnd.cncf.",
    "application/vnd.dev.cosign.",
    "application/vnd.dev.sigstore.",
    "application/vnd.in-toto",
    "application/vnd.wasm.",
    "application/json",
    "application/octet-stream",
)


@dataclass(slots=True)
class _Network:
    first: datetime = EPOCH
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Project:
    """The media types that it held, each since when."""

    types: dict[str, datetime] = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Drop:
    """A repository in which something odd was stored: what, by whom, when first, by which events."""

    media_type: str = ""
    first: datetime = EPOCH
    actors: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)
    seen: datetime = EPOCH


@dataclass(slots=True)
class DeadDrop:
    """See the top of the file."""

    name: str = "dead_drop"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = (
        "Fetch the artifact and look at what it is; ask the account that stored it who fetches it, and from where."
    )
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (
            "event_id",
            "timestamp",
            "action",
            "registry",
            "project",
            "repository",
            "media_type",
            "actor",
            "client_ip",
        )
        actions = (Action.PUSH, Action.PULL)
        self.walk = Walk(self.name, actions, self.history, _see, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterator[Suspicion]:
    if not event["repository"]:
        return
    at, client = event["timestamp"], event["client_ip"]
    networks = memory.table("networks", _Network)
    known = networks.look(network(client)) if client else None
    if event["action"] == Action.PUSH:
        _stored(memory, event)
    elif client and (drop := memory.table("drops", _Drop).look(home(event))) is not None:
        # Whoever stored it there may have been the first at a network; whoever was there before that is no stranger.
        settled = memory.reaches_back(at, SETTLED)
        if (
            settled
            and (known is None or known.first >= drop.first)
            and network(client) not in map(network, drop.clients)
        ):
            yield _fetched(event, drop)
    if client and (known is None or known.seen.date() != at.date()):
        entry = networks[network(client)]
        entry.first = entry.first if entry.first > EPOCH else at
        entry.seen = at


def _stored(memory: Memory, event: Event) -> None:
    at, kind = event["timestamp"], event["media_type"]
    if not kind:
        return
    project = memory.table("projects", _Project)
    known = project.look(_project(event))
    since = known.types.get(kind) if known is not None else None
    held_others = known is not None and any(one != kind for one in known.types)
    settled = memory.reaches_back(at, SETTLED)
    drops = memory.table("drops", _Drop)
    if (settled and held_others and since is None and not kind.startswith(_OF_CONTAINERS)) or (
        (before := drops.look(home(event))) is not None and before.media_type == kind
    ):
        drop = drops[home(event)]
        drop.media_type, drop.seen = kind, at
        drop.first = drop.first if drop.first > EPOCH else at
        drop.actors |= {event["actor"]} if event["actor"] else set()
        drop.clients |= {event["client_ip"]} if event["client_ip"] else set()
        drop.ids = [*drop.ids, event["event_id"]][-MOST_IDS:]
    if since is None or known is None or known.seen.date() != at.date():
        entry = project[_project(event)]
        entry.types.setdefault(kind, at)
        entry.seen = at


def _project(event: Event) -> str:
    return f"{event.get('registry') or ''}\x1f{project_of(event)}"


def _fetched(event: Event, drop: _Drop) -> Suspicion:
    at, severity = event["timestamp"], Severity.MEDIUM
    actors = sorted({*drop.actors, *([event["actor"]] if event["actor"] else [])})
    return Suspicion(
        kind="artifact_fetched_elsewhere",
        cause=("artifact_fetched_elsewhere", event["repository"], drop.media_type),
        severity=severity,
        title=f"{plain(event['repository'])} holds {plain(drop.media_type)}, fetched from {plain(event['client_ip'])}, "
        "where nobody ever was",
        start=drop.first,
        end=at,
        subjects={
            "actor": actors,
            "client": sorted({*drop.clients, event["client_ip"]}),
            "repository": [event["repository"]],
        },
        score=10.0 * severity.rank + min(len(drop.ids), 9),
        expected="this project holds images, and they are fetched from networks that are known here",
        observed=f"fetched {duration(at - drop.first)} after it was first stored",
        evidence=[*drop.ids, event["event_id"]],
        explanation="No container tool makes such a thing: somebody may hand data over, or carry it out, by way of the registry.",
    )


DETECTOR = DeadDrop
