"""Images that leave no trace: pushed without a tag and run by digest, or gone again soon after they were run.

Notices: a manifest that was pushed by its digest alone and is pulled by somebody else before it gets a tag or an index; an image
that is deleted (or loses its tag) within two hours of its push, after somebody else pulled it. Needs: logs that name digests of
pushes and pulls; a week of history. Method: bookkeeping by digest. Wakes nobody where it is the custom of the repository or of
the account (on two days before): test pipelines clean up behind them; nor for a clean-up job (five removals at once by another
than the pusher, or removals at this hour on three days), nor in a repository's first week. Never sees: what only its pusher
pulled, what a scanner or mirror pulled, and images that nodes held already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from analytics.clean_ups import CleanUps
from analytics.detector import Suspicion
from analytics.ledger import COLUMNS, PULL, home, image_of_tag
from analytics.replay import EPOCH
from analytics.walk import Event, Memory, Walk
from analytics.windows import DAY
from analytics.wording import duration, plain, several
from store.contract import EventReader
from store.event import NOT_USE, Action, Outcome
from store.finding import Severity

UNTAGGED, FLEETING = "untagged_image_used", "image_came_and_went"  # the kinds of its findings
ACTIONS = (Action.PUSH, Action.TAG, Action.PULL, Action.DELETE, Action.UNTAG)
SETTLED = timedelta(days=7)  # of history, before anything is unusual
PARTS = timedelta(hours=2)  # between the parts of an image and the index or tag that makes them one
FRESH = timedelta(days=2)  # an untagged image's first use counts so long after its push
BRIEF = timedelta(hours=2)  # from push to removal
CLEAN_UP = 5  # removals in as long by somebody else than the pusher: a clean-up job
CUSTOM = 2  # days before, on which the repository or the account had the same
MOST_PULLS = 20


@dataclass(slots=True)
class _Image:
    """What was pushed under a digest, by whom, and who else pulled it."""

    at: datetime = EPOCH
    actor: str | None = None
    client: str | None = None
    push_id: str = ""
    named: bool = False  # by a tag, or as part of what has one
    pulls: list[tuple[str, str]] = field(default_factory=list)  # actor or address, and event
    seen: datetime = EPOCH

    @property
    def who(self) -> str:
        """The account, or the address where none is named."""
        return self.actor or self.client or ""


@dataclass(slots=True)
class _Lately:
    """Of a repository: untagged images that wait for their index, and which digest each tag was given last."""

    waiting: list[tuple[datetime, str]] = field(default_factory=list)
    first: datetime = EPOCH
    tags: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Custom:
    """Days on which a repository, or an account, had images of a kind."""

    days: list[date] = field(default_factory=list)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Remover:
    """When an account removed anything, as far as that says whether it cleans up."""

    times: list[datetime] = field(default_factory=list)
    clean_ups: CleanUps = field(default_factory=CleanUps)
    seen: datetime = EPOCH


@dataclass(slots=True)
class FleetingImages:
    """See the top of the file."""

    name: str = "fleeting_images"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = "Find the image on the nodes that pulled it and keep a copy; ask the account what it was for."
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (*COLUMNS, "actor_kind", "traffic_class")
        self.walk = Walk(self.name, ACTIONS, self.history, _see, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterable[Suspicion]:
    if not event["repository"] or event["actor_kind"] == "internal" or image_of_tag(event["tag"]):
        return ()
    if event["action"] == PULL:
        _known(memory, event)
        return _pulled(memory, event)
    if event["action"] not in (Action.PUSH, Action.TAG):
        return _removed(memory, event)
    _pushed(memory, event)
    return ()


def _who(event: Event) -> str:
    return event["actor"] or event["client_ip"] or ""


def _pushed(memory: Memory, event: Event) -> None:
    at, digest, tag = event["timestamp"], event["digest"], event["tag"]
    images, key = memory.table("images", _Image), home(event)
    lately = memory.table("lately", _Lately)[key]
    if tag:  # also where the line does not say of which image: an index comes behind its parts
        for since, part in lately.waiting:
            images[key, part].named = images[key, part].named or at - since <= PARTS
        lately.waiting = []
    if not digest:
        return
    image = images[key, digest]
    if not image.push_id or not tag:
        image.at, image.push_id = at, event["event_id"]
        image.actor, image.client = event["actor"], event["client_ip"]
    image.named, image.seen = image.named or bool(tag), at
    lately.waiting = [one for one in lately.waiting if at - one[0] <= PARTS]
    if tag:
        lately.tags = {name: one for name, one in lately.tags.items() if at - one[0] <= BRIEF} | {tag: (at, digest)}
    elif not image.named:
        lately.waiting.append((at, digest))
    lately.first = lately.first if lately.first > EPOCH else at
    lately.seen = at


def _known(memory: Memory, event: Event) -> None:
    """A repository is known from its first pull on, too; entered once a day."""
    at, table = event["timestamp"], memory.table("lately", _Lately)
    known = table.look(home(event))
    if known is None or at - known.seen > DAY:
        lately = table[home(event)]
        lately.first = lately.first if lately.first > EPOCH else at
        lately.seen = at


def _pulled(memory: Memory, event: Event) -> Iterable[Suspicion]:
    at, images, key = event["timestamp"], memory.table("images", _Image), (home(event), _digest(memory, event))
    known = images.look(key)
    if known is None or at - known.at > FRESH or not _other(known, event) or event["traffic_class"] in NOT_USE:
        return ()
    if (known.named and at - known.at > BRIEF) or len(known.pulls) >= MOST_PULLS:
        return ()
    return _entered(memory, event, images[key])


def _entered(memory: Memory, event: Event, image: _Image) -> Iterator[Suspicion]:
    at = event["timestamp"]
    image.pulls.append((_who(event), event["event_id"]))
    if not image.named and len(image.pulls) == 1:
        quiet = _custom(memory, UNTAGGED, event, image)
        yield _suspicion(
            UNTAGGED,
            event,
            image,
            Severity.LOW if quiet else Severity.MEDIUM,
            title="an image without a tag",
            happened=f"pulled {duration(at - image.at)} after its push",
            expected="what is run here was pushed under a tag, or is part of an index that was",
            why="What has no tag is in no list: it can be run by who knows its digest, and seen by nobody else.",
        )


def _digest(memory: Memory, event: Event) -> str:
    """What the event names; where that is a tag only, what the tag was given lately."""
    if event["digest"] or not event["tag"]:
        return event["digest"] or ""
    lately = memory.table("lately", _Lately).look(home(event))
    return lately.tags.get(event["tag"], (EPOCH, ""))[1] if lately is not None else ""


def _other(image: _Image, event: Event) -> bool:
    """Whether it is somebody else, at another place, than who pushed it."""
    place = event["client_ip"]
    return image.who != _who(event) and (not place or place != image.client)


def _removed(memory: Memory, event: Event) -> Iterator[Suspicion]:
    at, digest = event["timestamp"], _digest(memory, event)
    image = memory.table("images", _Image).look((home(event), digest)) if digest else None
    remover = memory.table("removers", _Remover)[_who(event)]
    remover.times, remover.seen = [*(one for one in remover.times if at - one <= BRIEF), at][-CLEAN_UP:], at
    remover.clean_ups.enter(at)
    if image is None or at - image.at > BRIEF or not image.pulls:
        return
    cleaning = remover.clean_ups.usual(at) or (_who(event) != image.who and len(remover.times) >= CLEAN_UP)
    quiet = _custom(memory, FLEETING, event, image) or cleaning
    yield _suspicion(
        FLEETING,
        event,
        image,
        Severity.LOW if quiet else Severity.MEDIUM,
        title="an image that was there for minutes",
        happened=f"removed by {plain(_who(event)) or 'nobody named'} {duration(at - image.at)} after its push",
        expected="what others run stays for as long as it runs; who tidies up removes what nobody pulled",
        why="Whoever wants to know later what ran finds nothing.",
    )


def _custom(memory: Memory, kind: str, event: Event, image: _Image) -> bool:
    """Whether it is no news: the repository or the account had such on days before (today is entered), or is in its first week."""
    at, lately = event["timestamp"], memory.table("lately", _Lately).look(home(event))
    usual = lately is None or at - lately.first < SETTLED or not memory.reaches_back(at, SETTLED)
    for whose in ((kind, "repository", home(event)), (kind, "actor", image.who)):
        custom = memory.table("custom", _Custom)[whose]
        usual = usual or len([day for day in custom.days if day < at.date()]) >= CUSTOM
        custom.days = custom.days if at.date() in custom.days else [*custom.days, at.date()]
        custom.seen = at
    return usual


def _suspicion(
    kind: str, event: Event, image: _Image, severity: Severity, *, title: str, happened: str, expected: str, why: str
) -> Suspicion:
    pullers = sorted({who for who, _ in image.pulls})
    involved = {image.actor, event["actor"] if kind == FLEETING else None}
    clients = {image.client, event["client_ip"] if kind == FLEETING else None}
    evidence = [image.push_id, *(id for _, id in image.pulls), event["event_id"]]
    return Suspicion(
        kind=kind,
        cause=(kind, event["repository"], image.who, f"{image.at:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(event['repository'])}: {title}, by {plain(image.who) or 'nobody named'}, was run",
        start=image.at,
        end=event["timestamp"],
        subjects={
            "actor": sorted(name for name in involved if name),
            "client": sorted(name for name in clients if name),
            "repository": [event["repository"]],
        },
        score=10.0 * severity.rank + min(len(image.pulls), 9),
        expected=expected,
        observed=f"{happened}; pulled by {several(len(pullers), 'other')}: {plain(pullers[0])}",
        evidence=list(dict.fromkeys(evidence)),
        explanation=why,
    )


DETECTOR = FleetingImages
