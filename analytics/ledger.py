"""Which image a tag pointed to, since when, and who set it: worked out from pushes, tags and pulls.

Four sorts of events say it: a push or tag that names the digest; a pull that names tag and digest; a push that names none,
made good by the next client that asks for the tag (HEAD) and then fetches a digest (GET); and the removal of a tag. A client that
holds the index already fetches one of its parts instead, so such a pair is believed only behind a push, and only if the digest
was never seen in the repository before, or was held by the tag itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.walked import HOME, home_of
from store.event import Action, Outcome

ACTIONS = (Action.PUSH, Action.TAG, Action.UNTAG, Action.PULL, Action.CHECK)
COLUMNS = (
    "event_id", "timestamp", "action", "outcome", "registry", "repository", "tag", "digest", "actor", "client_ip",
)  # fmt: skip
PAIR = timedelta(seconds=15)  # between asking for a tag and fetching what it points to
MOST_SETTINGS = 60  # of one tag
MOST_DIGESTS = 2_000  # of one repository
MOST_EVIDENCE = 6
MANY_NETWORKS = 6
MOST_RETURNS = 100
_NONE: list[str] = []  # never added to
# Plain words: most events are pulls, and to be compared with a member of an enum takes them five times as long.
PULL, SUCCESS = Action.PULL.value, Outcome.SUCCESS.value

# A name that is taken for fixed: a whole version number. What says itself that it moves is none.
_RELEASE = re.compile(r"v?\d{1,5}\.\d{1,5}\.\d{1,9}(?:[-+._][A-Za-z0-9][A-Za-z0-9._-]{0,60})?")
_BEFORE = re.compile(r"(?i)v?[\d.]{1,24}-(?:alpha|beta|rc|pre|hotfix|fix|patch|milestone)[\w.-]{0,60}")
_MOVING = re.compile(r"(?i)snapshot|nightly|latest|edge|canary|preview|\bdev|head|main|master|branch|\bpr\b|test")


# As cosign names what belongs to an image.
_ATTACHED = re.compile(r"sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?")


@lru_cache(maxsize=50_000)
def network(client: str) -> str:
    """The network of an address: /24, or /64 of IPv6; the text itself where it is no address."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))


@lru_cache(maxsize=50_000)
def is_release(tag: str) -> bool:
    """Whether everybody takes the tag for fixed, as `v1.2.3` or `1.2.3-alpine`."""
    return _RELEASE.fullmatch(tag) is not None and _MOVING.search(tag) is None


@lru_cache(maxsize=50_000)
def is_prerelease(tag: str) -> bool:
    """Whether it comes before the version that it names: `1.2.3-rc.1`, `v1.2.3-hotfix`."""
    return _BEFORE.fullmatch(tag) is not None


def image_of_tag(tag: str | None) -> str:
    """The digest of the image that a tag of this name belongs to; empty where it is none of a signature."""
    found = _ATTACHED.fullmatch(tag) if tag and tag.startswith("sha256-") else None
    return f"sha256:{found[1]}" if found else ""


@dataclass(slots=True)
class Setting:
    """A digest that a tag pointed to from `at` on. `actor` and `client` are of whoever set it, where that was seen."""

    digest: str
    at: datetime
    actor: str | None = None
    client: str | None = None
    last: datetime | None = None  # when it was the tag's for the last time
    evidence: list[str] = field(default_factory=list)
    usual_pusher: bool = True
    usual_place: bool = True


@dataclass(slots=True)
class Tag:
    """The settings of one tag, oldest first, and the push whose digest is not known yet."""

    settings: list[Setting] = field(default_factory=list)
    pending: Setting | None = None
    moves: int = 0  # how often it was set to another digest
    returns: tuple[datetime, ...] = ()  # when to one that it had left, lately
    removed: datetime | None = None
    seen: datetime = EPOCH

    def copied(self) -> Tag:
        """One that can be changed alone: of the settings only the newest ever is."""
        return replace(self, settings=[*self.settings[:-1], *map(replace, self.settings[-1:])])


@dataclass(slots=True)
class Repository:
    """Digests that were seen, oldest first, by their hash: a year of them is millions; accounts that pushed: on how many days,
    from where, when last.
    """

    digests: dict[int, None] = field(default_factory=dict)
    pushers: dict[str, Pusher] = field(default_factory=dict)
    release_moves: int = 0
    seen: datetime = EPOCH

    def copied(self) -> Repository:
        """One that can be changed alone."""
        pushers = {name: replace(one, networks=set(one.networks)) for name, one in self.pushers.items()}
        return replace(self, digests=dict(self.digests), pushers=pushers)


@dataclass(slots=True)
class Pusher:
    """An account in one repository."""

    first: datetime
    days: int = 0
    last: datetime = EPOCH
    networks: set[str] = field(default_factory=set)

    def usual(self, at: datetime) -> bool:
        """Whether it pushed here before, and not only since yesterday."""
        return self.days >= 2 or at - self.first >= timedelta(days=2)

    def place(self, client: str | None) -> bool:
        """Whether it pushed from this network, or has so many that one more says nothing: builds run anywhere."""
        return (
            client is None
            or not self.networks
            or len(self.networks) >= MANY_NETWORKS
            or network(client) in self.networks
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A tag that points to another image now. `back` counts the versions gone back: 0 for an image new to the tag.
    `before` is None for a tag that was not known.
    """

    repository: str
    tag: str
    before: Setting | None
    after: Setting
    at: datetime
    back: int
    gone: timedelta | None  # how long the image had not been the tag's
    moves: int  # of this tag before
    release_moves: int  # of release tags of the repository before
    first_push: datetime | None
    undone: bool  # it goes back over nothing but what the same account had set
    returns: tuple[datetime, ...] = ()  # of this tag, when it went back before
    set_at: tuple[datetime, ...] = ()  # if it goes back: when each digest was set that is remembered


@dataclass(slots=True)
class _Asked:
    """The last tag that a client asked for in a repository."""

    tag: str
    at: datetime
    event_id: str
    seen: datetime


def note(memory: Memory, event: Event) -> Iterable[Move]:
    """Enter one event; what it shows to have moved comes out."""
    if not event["repository"] or event["outcome"] != SUCCESS:
        return ()
    return () if event["action"] == PULL and _as_before(memory, event) else _noted(memory, event)


def _as_before(memory: Memory, event: Event) -> bool:
    """Whether a pull told what the tag points to and no push was open: most events are such, and say nothing new."""
    digest, name = event["digest"], event["tag"]
    if not digest or not name:
        return False
    at, repository = event["timestamp"], home(event)
    tag: Tag = tags_of(memory)[repository, name]
    tag.seen = at
    if tag.pending is not None:
        return False
    settings = tag.settings
    if settings and settings[-1].digest == digest:
        settings[-1].last = at
    else:
        _told(tag, event, (event["event_id"],))
    _digest(repositories(memory)[repository], digest, at)
    return True


def _noted(memory: Memory, event: Event) -> Iterator[Move]:
    repository, action = home(event), event["action"]
    if action in (Action.PUSH, Action.TAG):
        yield from _set(memory, event)
    elif action == Action.UNTAG and event["tag"]:
        tag = tags_of(memory)[repository, event["tag"]]
        tag.removed, tag.seen = event["timestamp"], event["timestamp"]
    elif action == Action.CHECK:
        _asked(memory, event)
    elif action == Action.PULL:
        yield from _pulled(memory, event)


def home(event: Event) -> str:
    """The repository as one of its registry: two registries may each have one of that name."""
    known: str | None = event.get(HOME)
    return home_of(event.get("registry"), event["repository"]) if known is None else known


def project_of(event: Event) -> str:
    """The project as the event says it; where it says none, the first part of the repository's name."""
    return str(event["project"] or event["repository"].partition("/")[0])


def tags_of(memory: Memory) -> Any:
    """(Repository, tag) → `Tag`."""
    return memory.table("tags", Tag)


def repositories(memory: Memory) -> Any:
    """Name → `Repository`."""
    return memory.table("repositories", Repository)


def _set(memory: Memory, event: Event) -> Iterator[Move]:
    repository, at, digest = home(event), event["timestamp"], event["digest"]
    known = repositories(memory)[repository]
    if event["tag"]:
        tag = tags_of(memory)[repository, event["tag"]]
        tag.seen = at
        setting = setting_of(known, event)
        if digest:
            yield from _point(tag, known, event, setting, at)
        elif not tag.settings:
            # What a tag points to first is no move, whatever it turns out to be.
            tag.pending = tag.pending or setting
        else:
            tag.pending = setting
    if digest:
        _digest(known, digest, at)
    if event["actor"] and event["action"] == Action.PUSH:
        pusher = known.pushers.setdefault(event["actor"], Pusher(at))
        pusher.days += pusher.last.date() != at.date()
        pusher.last = at
        if event["client_ip"] and len(pusher.networks) < MANY_NETWORKS:
            pusher.networks.add(network(event["client_ip"]))
    known.seen = at


def setting_of(known: Repository, event: Event) -> Setting:
    """What a push says of its tag, weighed by who pushed to the repository before it."""
    at, pusher = event["timestamp"], known.pushers.get(event["actor"] or "")
    setting = Setting(event["digest"] or "", at, event["actor"], event["client_ip"], at, [event["event_id"]])
    setting.usual_pusher = pusher is not None and pusher.usual(at)
    setting.usual_place = pusher is None or pusher.place(event["client_ip"])
    return setting


def _digest(known: Repository, digest: str, at: datetime) -> None:
    known.seen = at
    number = hash(digest)
    if number not in known.digests:
        if len(known.digests) >= MOST_DIGESTS:
            del known.digests[next(iter(known.digests))]
        known.digests[number] = None


def _asked(memory: Memory, event: Event) -> None:
    if not event["tag"]:
        return
    key = (home(event), event["tag"])
    tags = tags_of(memory)
    tag = tags.look(key)
    if event["digest"] and tag is not None and tag.settings:
        _confirm(tags[key], event)
    elif event["client_ip"] and tag is not None and tag.pending is not None:
        asked = _Asked(event["tag"], event["timestamp"], event["event_id"], event["timestamp"])
        memory.table("asked", lambda: asked)[home(event), event["client_ip"]] = asked


def _confirm(tag: Tag, event: Event) -> None:
    tag.seen = event["timestamp"]
    if tag.settings and tag.settings[-1].digest == event["digest"]:
        tag.settings[-1].last = event["timestamp"]


def _pulled(memory: Memory, event: Event) -> Iterator[Move]:
    repository, digest, at = home(event), event["digest"], event["timestamp"]
    if not digest:
        return
    known = repositories(memory)[repository]
    if event["tag"]:
        tag = tags_of(memory)[repository, event["tag"]]
        tag.seen = at
        yield from _resolve(tag, known, event, event["tag"], [event["event_id"]])
    elif event["client_ip"]:
        asked = memory.table("asked", lambda: _Asked("", at, "", at)).look((repository, event["client_ip"]))
        if asked is not None and asked.tag and timedelta(0) <= at - asked.at <= PAIR:
            memory.table("asked", lambda: asked)[repository, event["client_ip"]] = _Asked("", at, "", at)
            tag = tags_of(memory)[repository, asked.tag]
            held = {setting.digest for setting in tag.settings}
            if tag.pending and asked.at >= tag.pending.at and (digest in held or hash(digest) not in known.digests):
                yield from _resolve(tag, known, event, asked.tag, [asked.event_id, event["event_id"]])
    _digest(known, digest, at)


def _resolve(tag: Tag, known: Repository, event: Event, name: str, evidence: list[str]) -> Iterator[Move]:
    """A client was told what the tag points to."""
    at = event["timestamp"]
    pending, tag.pending = tag.pending, None
    if pending is not None:
        evidence = [*pending.evidence, *evidence]
        setting = replace(pending, digest=event["digest"], last=at, evidence=evidence)
        yield from _point(tag, known, event | {"tag": name}, setting, at)
    else:
        _told(tag, event, evidence)


def _told(tag: Tag, event: Event, evidence: Iterable[str]) -> None:
    """What a tag points to of which no push is open."""
    at = event["timestamp"]
    if not tag.settings:
        tag.settings.append(Setting(event["digest"], at, None, None, at, list(evidence)))
    elif tag.settings[-1].digest == event["digest"]:
        tag.settings[-1].last = at
    # Another digest without a push that was seen: a mirror's copy, or a log that is not read. Nobody did anything here.


def _point(tag: Tag, known: Repository, event: Event, setting: Setting, at: datetime) -> Iterator[Move]:
    tag.pending = None
    before = tag.settings[-1] if tag.settings else None
    if before is not None and before.digest == setting.digest:
        before.last = at
        return
    back = next((at for at, old in enumerate(reversed(tag.settings)) if old.digest == setting.digest), 0)
    gone, over = None, tag.settings[len(tag.settings) - back :]
    if back:
        held = tag.settings[len(tag.settings) - 1 - back]
        gone = at - max(held.last or held.at, over[0].at)
    yield Move(
        repository=event["repository"],
        tag=event["tag"],
        before=before,
        after=setting,
        at=at,
        back=back,
        gone=gone,
        moves=tag.moves,
        release_moves=known.release_moves,
        first_push=tag.settings[0].at if tag.settings else None,
        undone=bool(over) and setting.actor is not None and all(one.actor == setting.actor for one in over),
        returns=tag.returns,
        set_at=tuple(one.at for one in tag.settings) if back else (),
    )
    if back:
        tag.returns = (*tag.returns, at)[-MOST_RETURNS:]
    if before is not None:
        tag.moves += 1
        known.release_moves += is_release(event["tag"]) and not back
        before.evidence, before.client = _NONE, None  # nobody asks how an old one was set
    tag.settings.append(setting)
    del tag.settings[:-MOST_SETTINGS]
