"""The blast radius of a digest, an actor, an address or a repository: who had it, from where, when, and what else they touched.

A pull names a digest for certain where its line, or one joined to it, says so; a pull by tag counts as likely while the tag
is known to have pointed to the digest. Layers, checks and refused tries are no pulls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from analytics.tag_ledger import Entry, ledger_of
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome, iso

CERTAIN, LIKELY = "certain", "likely"
MOST_ELSEWHERE = 200
FEW_PEOPLE = 64  # so many are asked for one by one
_MOVES_TAG = (Action.PUSH, Action.TAG, Action.UNTAG, Action.DELETE)


@dataclass(slots=True, kw_only=True)
class Contact:
    """What one actor did from one address with one tool: `images` are `repository:tag` or `repository@digest`."""

    actor: str | None
    actor_kind: str | None
    client: str | None
    tool: str | None
    first: datetime
    last: datetime
    certainty: str = CERTAIN
    times: int = 0
    bytes: int = 0
    images: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # the first few ids

    @property
    def internal(self) -> bool:
        """The registry's own: Harbor's core, jobs and scanners read what they serve."""
        return self.actor_kind == "internal" or (self.tool == "harbor" and not self.actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What the same actors or addresses did to other repositories since they first touched the subject."""

    actor: str | None
    client: str | None
    repository: str
    action: str
    outcome: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Radius:
    """The answer. `built_on` holds pushes to other repositories by who had pulled the subject before: what may contain it."""

    about: dict[str, str]
    since: datetime | None
    until: datetime | None
    pushed: list[Contact]
    pulled: list[Contact]
    refused: list[Contact]
    deleted: list[Contact]
    tags: list[Entry]  # of the tag ledger: when which tag pointed to the digest
    built_on: list[Contact]
    elsewhere: list[Elsewhere]

    @property
    def nodes(self) -> list[Contact]:
        """The pullers that are nodes of a cluster: where it may run."""
        return [contact for contact in self.pulled if contact.actor_kind == "node" or contact.tool in _NODE_TOOLS]

    def as_json(self) -> dict[str, Any]:
        """The same for scripts: times as ISO 8601, the names of this class's fields."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain | {"nodes": _plain([asdict(contact) for contact in self.nodes])}


_NODE_TOOLS = frozenset({"containerd", "cri-o"})


def blast(
    store: EventReader,
    *,
    digest: str | None = None,
    actor: str | None = None,
    client: str | None = None,
    repository: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Radius:
    """What the subject touched, or who touched it, in [since, until). At least one of the names is given.

    Raises:
        ValueError: none is.
        Unavailable: the store does not answer.
    """
    named = {"digest": digest, "actor": actor, "client": client, "repository": repository}
    about = {name: value for name, value in named.items() if value is not None}
    if not about:
        raise ValueError("a blast radius is that of a digest, an actor, an address or a repository")
    query = EventQuery(since=since, until=until, digest=digest, actor=actor, client=client, repository=repository)
    direct = list(store.events(query))
    tags = _tag_spans(store, direct, digest, until) if digest else []
    by_tag = list(_pulled_by_tag(store, tags, direct, query)) if tags and not (actor or client) else []
    pulled = _contacts((event for event in direct if _is(event, Action.PULL)), CERTAIN)
    likely = _contacts(by_tag, LIKELY)
    pulled += [contact for contact in likely if _key(contact) not in {_key(one) for one in pulled}]
    everybody = _first_touch(pulled)
    return Radius(
        about=about,
        since=since,
        until=until,
        pushed=_contacts(event for event in direct if _is(event, Action.PUSH, Action.TAG)),
        pulled=sorted(pulled, key=lambda contact: contact.first),
        refused=_contacts(event for event in direct if event["outcome"] == Outcome.DENIED),
        deleted=_contacts(event for event in direct if _is(event, Action.DELETE, Action.UNTAG)),
        tags=tags,
        built_on=_built_on(store, everybody, direct, until) if digest or repository else [],
        elsewhere=_elsewhere(store, everybody, direct, until) if digest or repository else [],
    )


def _is(event: dict[str, Any], *actions: Action) -> bool:
    return event["action"] in actions and event["outcome"] == Outcome.SUCCESS


def _key(contact: Contact) -> tuple[str | None, str | None, str | None]:
    return contact.actor, contact.client, contact.tool


def _contacts(events: Iterable[dict[str, Any]], certainty: str = CERTAIN) -> list[Contact]:
    """One for each actor, address and tool, in the order of their first event."""
    found: dict[tuple[Any, ...], Contact] = {}
    for event in events:
        key = (event["actor"], event["client_ip"], event["client_class"])
        contact = found.get(key)
        if contact is None:
            contact = found[key] = Contact(
                actor=key[0],
                actor_kind=event["actor_kind"],
                client=key[1],
                tool=key[2],
                first=event["timestamp"],
                last=event["timestamp"],
                certainty=certainty,
            )
        contact.first, contact.last = min(contact.first, event["timestamp"]), max(contact.last, event["timestamp"])
        contact.times += 1
        contact.bytes += event["response_bytes"] or 0
        if event["join_confidence"] in ("possible", "likely"):
            contact.certainty = LIKELY
        image = _image(event)
        if image and image not in contact.images:
            contact.images.append(image)
        if len(contact.events) < 5:
            contact.events.append(event["event_id"])
    return sorted(found.values(), key=lambda contact: contact.first)


def _image(event: dict[str, Any]) -> str | None:
    if event["repository"] is None:
        return None
    if event["tag"]:
        return f"{event['repository']}:{event['tag']}"
    return f"{event['repository']}@{event['digest']}" if event["digest"] else str(event["repository"])


def _tag_spans(store: EventReader, direct: list[dict[str, Any]], digest: str, until: datetime | None) -> list[Entry]:
    """When which tag pointed to the digest: the tag ledger of its repositories, with those pulls only that name the digest."""
    spans: list[Entry] = []
    for repository in sorted({event["repository"] for event in direct if event["tag"] and event["repository"]}):
        moves = store.events(EventQuery(repository=repository, action=_MOVES_TAG, outcome=["success"], until=until))
        pulls = (event for event in direct if event["repository"] == repository and _is(event, Action.PULL))
        events = sorted([*moves, *pulls], key=lambda event: event["timestamp"])
        spans += (entry for entry in ledger_of(events) if entry.digest == digest)
    return sorted(spans, key=lambda one: (one.repository, one.tag, one.first))


def _pulled_by_tag(
    store: EventReader, tags: list[Entry], direct: list[dict[str, Any]], query: EventQuery
) -> Iterator[dict[str, Any]]:
    """Pulls by tag that name no digest, while the tag pointed to it."""
    known = {event["event_id"] for event in direct}
    for span in tags:
        since = max(span.first, query.since) if query.since else span.first
        until = min(filter(None, (span.last, query.until)), default=None)
        asked = EventQuery(
            since=since,
            until=until,
            action=["pull"],
            outcome=["success"],
            repository=span.repository,
            reference=span.tag,
        )
        for event in store.events(asked):
            if event["digest"] is None and event["event_id"] not in known:
                known.add(event["event_id"])
                yield event


def _first_touch(pulled: list[Contact]) -> dict[tuple[str, str], datetime]:
    """("actor", name) or, for who is not named, ("client", address) → when it first had the subject."""
    touched: dict[tuple[str, str], datetime] = {}
    for contact in pulled:
        if contact.internal:
            continue
        key = ("actor", contact.actor) if contact.actor else ("client", contact.client or "")
        if key[1]:
            touched[key] = min(contact.first, touched.get(key, contact.first))
    return touched


def _who(event: dict[str, Any]) -> tuple[str, str]:
    return ("actor", event["actor"]) if event["actor"] else ("client", event["client_ip"] or "")


def _built_on(
    store: EventReader,
    everybody: dict[tuple[str, str], datetime],
    direct: list[dict[str, Any]],
    until: datetime | None,
) -> list[Contact]:
    if not everybody:
        return []
    own = {event["event_id"] for event in direct}
    asked = EventQuery(since=min(everybody.values()), until=until, action=["push"], outcome=["success"])
    each = [asked]
    if len(everybody) <= FEW_PEOPLE:
        each = [
            replace(asked, since=first, actor=name) if kind == "actor" else replace(asked, since=first, client=name)
            for (kind, name), first in everybody.items()
        ]
    later = {
        event["event_id"]: event
        for query in each
        for event in store.events(query)
        if event["event_id"] not in own and event["timestamp"] >= everybody.get(_who(event), _never())
    }
    return _contacts(later.values(), LIKELY)


def _elsewhere(
    store: EventReader,
    everybody: dict[tuple[str, str], datetime],
    direct: list[dict[str, Any]],
    until: datetime | None,
) -> list[Elsewhere]:
    if not everybody:
        return []
    here = {event["repository"] for event in direct}
    begun = min(everybody.values())
    end = until or _never()
    counted = store.counts(begun, end, ["actor", "client_ip", "repository", "action", "outcome"])
    actors, clients = ([name for kind, name in everybody if kind == wanted] for wanted in ("actor", "client"))
    nobody = counted["actor"].isna() | (counted["actor"] == "")
    concerned = counted["actor"].isin(actors) | (nobody & counted["client_ip"].isin(clients))
    other = counted["repository"].notna() & (counted["repository"] != "") & ~counted["repository"].isin(list(here))
    most = counted[concerned & other].sort_values(
        ["events", "repository", "action"], ascending=[False, True, True], kind="stable"
    )
    return [
        Elsewhere(
            actor=row["actor"],
            client=row["client_ip"],
            repository=row["repository"],
            action=row["action"],
            outcome=row["outcome"],
            times=int(row["events"]),
        )
        for row in most.head(MOST_ELSEWHERE).to_dict("records")
    ]


def _never() -> datetime:
    return datetime(9999, 1, 1, tzinfo=UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
