"""What usually belongs to an image and is missing: the signature or scan before its first use, the build around its push.

Notices: an image that is pulled unsigned or unscanned in a project where every image was signed or scanned first (a signature that
comes within two minutes of the push, or within twice the project's slowest, is in time); an image signed by its own pusher, or by
an account that never signed there, where one always pushes and another signs; a moving tag (`latest`, `main`) that is pushed
without what its pushes always had: a base image fetched before, other tags beside it, a signature, a scan; signatures that are
deleted while their images stay, replaced an hour and longer after, or put for images that are not here; what is signed or attested
by somebody who neither pushed nor signed there. Needs: signatures or scans among the events, and logs that name accounts; digests
as `tag_ledger` does, or the upload of new layers: then an image is known by its tag, and a signature is taken for each image that
it may be for. Speaks after a dozen images of a project, eight pushes of a tag. Method: bookkeeping; a habit is one without
exception. Never sees: what an image holds, and signatures that are kept elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.approvals import Image, Project, Use, done, image_of, signed, still_unsafe, unsaid, used
from analytics.attachments import attached
from analytics.detector import Suspicion
from analytics.layers import new_layers, stored
from analytics.ledger import (
    COLUMNS,
    PULL,
    Move,
    Tag,
    home,
    image_of_tag,
    is_release,
    network,
    note,
    project_of,
    tags_of,
)
from analytics.replay import EPOCH
from analytics.signatures import (
    Gone,
    image_pushed,
    is_signature,
    perhaps_signature_deleted,
    signature_asked,
    signature_put,
    still_gone,
)
from analytics.unknown_images import image_signed
from analytics.walk import Event, Memory, Walk
from analytics.wording import plain
from store.contract import EventReader
from store.event import Action, Outcome
from store.finding import Severity

ACTIONS = (
    Action.PUSH, Action.TAG, Action.UNTAG, Action.PULL, Action.CHECK, Action.SIGN, Action.SCAN, Action.LAYER_UPLOAD,
    Action.DELETE,
)  # fmt: skip
FEWEST_PUSHES = 8
BUILD = timedelta(minutes=60)  # the base image is fetched at most so long before
BESIDE = timedelta(minutes=5)
LOOKED = 8  # images at which an account looked last: who signs one has its tag or digest resolved first
MOST_PUSHED = 1_000  # by one account, within that time
BREATH = timedelta(seconds=30)  # all tags of one push
AFTER = timedelta(minutes=65)  # signatures and scans follow within an hour
_COMPANIONS = {
    "base": "the build fetched its base image before",
    "beside": "another tag was pushed beside it",
    "signed": "a signature followed",
    "scanned": "a scan followed",
    "tool": "it was pushed with one of the usual tools",
}


@dataclass(slots=True)
class _Habit:
    """Pushes of a moving tag, and how many of them had each companion."""

    pushes: int = 0
    had: dict[str, int] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)
    actors: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Actor:
    """When an account last fetched what it does not push, what it pushed lately, and at which images it looked last."""

    fetched: datetime = EPOCH
    looked: list[tuple[str, str]] = field(default_factory=list)
    pushed: list[tuple[datetime, str, str]] = field(default_factory=list)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Lately:
    """When a repository was pushed to and signed for, as long as a signature is waited for."""

    pushes: list[datetime] = field(default_factory=list)
    signatures: list[datetime] = field(default_factory=list)
    unsaid: dict[str, datetime] = field(default_factory=dict)  # tag → push of an image that no line names
    nameless: datetime = EPOCH  # the last push whose line names no image
    seen: datetime = EPOCH

    def signed(self, push: datetime) -> bool:
        """Whether a signature came before the next push: where no line says which image a push made, it was for this one."""
        following = next((at for at in self.pushes if at > push + BREATH), push + AFTER)
        return any(push <= at <= following for at in self.signatures)


@dataclass(frozen=True, slots=True)
class _Push:
    """A push of a moving tag that is judged when its companions have had their time."""

    repository: str
    tag: str
    at: datetime
    actor: str
    client: str | None
    tool: str | None
    event_id: str
    base: bool
    known_here: bool
    home: str  # the repository of its registry, as the ledger keeps it


@dataclass(slots=True)
class SupplyChain:
    """See the top of the file."""

    name: str = "supply_chain"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = "Ask whoever pushed it how it was built; until then keep it from running and set the tag back."
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (*COLUMNS, "status", "project", "actor_kind", "client_class", "traffic_class")
        self.walk = Walk(self.name, ACTIONS, self.history, _see, _late, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterable[Suspicion]:
    if not event["repository"]:
        return ()
    if event["action"] != PULL:
        return _done(memory, event)
    return () if image_of_tag(event["tag"]) else _fetched(memory, event)


def _fetched(memory: Memory, event: Event) -> Iterable[Suspicion]:
    """A pull; most say nothing new."""
    _looked(memory, event)
    for move in note(memory, event):
        _moved(memory, event, move)
    name = event["digest"] or _pulled(memory, event)
    return used(memory, event, name) if name else ()


def _looked(memory: Memory, event: Event) -> None:
    """Somebody fetched an image, or asked for it."""
    if not event["actor"]:
        return
    at, repository = event["timestamp"], event["repository"]
    actor = memory.table("actors", _Actor)[event["actor"]]
    actor.seen = at
    if not any(pushed == repository for _, pushed, _ in actor.pushed):
        actor.fetched = at
    if event["digest"]:
        actor.looked = [*actor.looked[1 - LOOKED :], (repository, event["digest"])]


def _done(memory: Memory, event: Event) -> Iterator[Suspicion]:
    """Anything else than a pull."""
    repository, at = event["repository"], event["timestamp"]
    if event["action"] == Action.LAYER_UPLOAD:
        stored(memory, event)
        return
    if event["action"] in (Action.DELETE, Action.UNTAG):
        perhaps_signature_deleted(memory, event)
    signature = image_of_tag(event["tag"])
    if event["action"] in (Action.SIGN, Action.SCAN) or (signature and event["action"] == Action.PUSH):
        digest = signature or event["digest"]
        if event["action"] != Action.SCAN:
            _signs(memory, repository, at)
            if signature:
                yield from signature_put(memory, event, signature)
                if is_signature(event) and not _perhaps_pushed(memory, event):
                    yield from image_signed(memory, event, known=_known(memory, event, signature))
        if digest:
            image = image_of(memory, repository, digest)
            image.seen = at
            if event["action"] == Action.SCAN:
                if image.scanned is None:
                    done(memory, event, image, "scanned")
            else:
                told: list[Suspicion] = []
                if image.signed is None:
                    done(memory, event, image, "signed")
                    told = list(signed(memory, event, image))
                strange = list(attached(memory, event, digest))
                yield from told or strange
        return
    if signature:
        if event["action"] == Action.CHECK:
            signature_asked(memory, event, signature)
        return
    if event["action"] == Action.CHECK:
        _looked(memory, event)
    if (
        event["action"] == Action.PUSH and event["digest"] and not event["tag"]
    ):  # a part of an index may be signed alone
        image_of(memory, repository, event["digest"]).seen = at
    if event["action"] == Action.PUSH and event["tag"]:
        lately = _lately(memory, repository, at)
        lately.pushes.append(at)
        lately.nameless = lately.nameless if event["digest"] else at
        if not event["digest"] and new_layers(memory, event) is not None:
            unsaid(memory, event)
            lately.unsaid[event["tag"]] = at
        elif event["tag"] in lately.unsaid or memory.table("images", Image).look((repository, f":{event['tag']}")):
            _another(memory, lately, repository, event["tag"])
        image_pushed(memory, event, event["digest"] or "", at)
        if event["actor"]:
            _pushed(memory, event)
    for move in note(memory, event):
        _moved(memory, event, move)


def _known(memory: Memory, event: Event, digest: str) -> bool:
    """Whether the image was pushed or scanned here, or its signer has just looked at it: then it is older than the log."""
    repository = event["repository"]
    if memory.table("images", Image).look((repository, digest)) is not None:
        return True
    signer = memory.table("actors", _Actor).look(event["actor"] or "")
    return signer is not None and (repository, digest) in signer.looked


def _perhaps_pushed(memory: Memory, event: Event) -> bool:
    """Whether a push whose line names no image came before it: nobody can say whether it was of this one."""
    lately = memory.table("lately", _Lately).look(event["repository"])
    return lately is not None and event["timestamp"] - lately.nameless <= AFTER


def _pulled(memory: Memory, event: Event) -> str | None:
    """What is pulled: the digest; where only a tag is named, what it points to, as far as its pushes say."""
    if event["digest"] or not event["tag"]:
        return event["digest"] or None
    tag = tags_of(memory).look((home(event), event["tag"]))
    if tag is None or tag.pending is not None or not tag.settings:
        return f":{event['tag']}"
    digest: str = tag.settings[-1].digest
    return digest


def _signs(memory: Memory, repository: str, at: datetime) -> None:
    """A signature. Which of the images that were pushed unsaid it is for, nobody knows: it is taken for each of them."""
    lately = _lately(memory, repository, at)
    lately.signatures.append(at)
    for tag in lately.unsaid:
        image = image_of(memory, repository, f":{tag}")
        image.signed, image.seen = image.signed or at, at


def _another(memory: Memory, lately: _Lately, repository: str, tag: str) -> None:
    """The tag points to an image that is not new, or that a line names: what was pushed unsaid is no longer its."""
    lately.unsaid.pop(tag, None)
    memory.table("images", Image)[repository, f":{tag}"] = Image(seen=lately.seen)


def _lately(memory: Memory, repository: str, at: datetime) -> _Lately:
    lately = memory.table("lately", _Lately)[repository]
    lately.seen = at
    for times in (lately.pushes, lately.signatures):
        while times and times[0] < at - 2 * AFTER:
            del times[0]
    for tag in [tag for tag, pushed in lately.unsaid.items() if pushed < at - AFTER]:
        del lately.unsaid[tag]
    return lately


def _moved(memory: Memory, event: Event, move: Move) -> None:
    image = image_of(memory, move.repository, move.after.digest)
    image.seen = move.at
    if image.pushed is None and not move.back:
        image.pushed, image.pusher = move.after.at, move.after.actor
        image.push_id = move.after.evidence[0] if move.after.evidence else ""
    if move.after.actor:
        image_pushed(memory, event, move.after.digest, move.after.at)


def _pushed(memory: Memory, event: Event) -> None:
    at, name, repository, tag = event["timestamp"], event["actor"], event["repository"], event["tag"]
    actor = memory.table("actors", _Actor)[name]
    project = memory.table("projects", Project)[project_of(event)]
    last, days = project.pushers.get(name, (EPOCH, 0))
    place = (name, network(event["client_ip"])) if event["client_ip"] else None
    if not is_release(tag) and not _looks_unique(tag):
        known_here = days >= 2 and (place is None or place in project.networks)
        base = at - actor.fetched <= BUILD
        client, tool, id = event["client_ip"], event["client_class"], event["event_id"]
        push = _Push(repository, tag, at, name, client, tool, id, base, known_here, home(event))
        memory.wait(at + AFTER, push)
    project.pushers[name] = (at, days + (last.date() != at.date()))
    if place and len(project.networks) < 2000:
        project.networks.add(place)
    # All of the time in which companions are waited for, however busy the builder: what is forgotten seems to be missing.
    kept = [one for one in actor.pushed if one[0] >= at - AFTER - BESIDE][-MOST_PUSHED:]
    actor.pushed = [*kept, (at, repository, tag)]
    actor.seen = project.seen = at


def _looks_unique(tag: str) -> bool:
    """A commit, a build number or a date: pushed once, so there is no habit to speak of."""
    return re.search(r"[0-9a-f]{7,}|\d{4,}", tag) is not None


def _late(memory: Memory, at: datetime, what: _Push | Use | Gone) -> Iterator[Suspicion]:
    if isinstance(what, Gone):
        yield from still_gone(memory, what, at)
    else:
        yield from still_unsafe(memory, what, at) if isinstance(what, Use) else _alone_or_not(memory, at, what)


def _alone_or_not(memory: Memory, at: datetime, push: _Push) -> Iterator[Suspicion]:
    habit = memory.table("habits", _Habit)[push.repository, push.tag]
    had = _companions(memory, push, habit)
    enough = habit.pushes >= FEWEST_PUSHES
    missing = [
        name
        for name, there in had.items()
        if there is False
        and habit.judged.get(name, 0) >= FEWEST_PUSHES
        and habit.had.get(name, 0) >= habit.judged[name]
    ]
    stranger = push.actor not in habit.actors
    if enough and missing:
        yield _alone(push, habit, missing, stranger, at)
    habit.pushes += 1
    habit.seen = at
    for name, there in had.items():
        if there is not None:
            habit.judged[name] = habit.judged.get(name, 0) + 1
            habit.had[name] = habit.had.get(name, 0) + there
    habit.actors.add(push.actor)
    if push.tool:
        habit.tools.add(push.tool)


def _companions(memory: Memory, push: _Push, habit: _Habit) -> dict[str, bool | None]:
    """Companion → whether the push had it; None where it cannot be said."""
    actor = memory.table("actors", _Actor).look(push.actor)
    beside = any(
        repository == push.repository and tag != push.tag and abs(when - push.at) <= BESIDE
        for when, repository, tag in (actor.pushed if actor else ())
    )
    tag = memory.table("tags", Tag).look((push.home, push.tag))
    digest = next((one.digest for one in reversed(tag.settings) if one.at == push.at), "") if tag else ""
    image = memory.table("images", Image).look((push.repository, digest)) if digest else None
    return {
        "base": push.base,
        "beside": beside,
        "signed": _lately(memory, push.repository, push.at).signed(push.at)
        if image is None
        else image.signed is not None,
        "scanned": None if image is None else image.scanned is not None,
        "tool": None if push.tool is None or not habit.tools else push.tool in habit.tools,
    }


def _alone(push: _Push, habit: _Habit, missing: list[str], stranger: bool, at: datetime) -> Suspicion:
    weight = len(missing) + stranger
    severity = Severity.HIGH if weight >= 3 and stranger else Severity.MEDIUM if weight >= 2 else Severity.LOW
    if stranger and push.known_here:
        severity = Severity.LOW  # somebody who pushes in this project by hand, as in a night of trouble
    absent = "; ".join(_COMPANIONS[name] for name in missing)
    return Suspicion(
        kind="push_without_companions",
        cause=("push_without_companions", push.repository, push.tag, push.event_id),
        severity=severity,
        title=f"{plain(push.repository)}:{plain(push.tag)} was pushed by {plain(push.actor)} without what its pushes always had",
        start=push.at,
        end=at,
        subjects={
            "actor": [push.actor],
            "client": [push.client] if push.client else [],
            "repository": [push.repository],
        },
        score=10.0 * severity.rank + weight,
        expected=f"at all of the {habit.pushes} pushes before: {absent}",
        observed=f"missing: {', '.join(missing)}" + ("; the account never pushed this tag" if stranger else ""),
        evidence=[push.event_id],
        explanation="A push outside the build leaves out what the build does without thinking of it.",
    )


DETECTOR = SupplyChain
