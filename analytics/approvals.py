"""Whether images were signed and scanned before anybody used them, and by whom: the second pair of eyes of each project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache

from analytics.detector import Suspicion
from analytics.ledger import project_of
from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.windows import DAY
from analytics.wording import duration, plain
from store.event import NOT_USE, Traffic
from store.finding import Severity

FEWEST_IMAGES = 12
SAFE = 0.97  # share of a project's images that were signed (scanned) before anybody used them
FRESH = timedelta(days=2)  # an image's first use counts so long after its push
GRACE = timedelta(minutes=2)  # a signature that follows the push so soon is one that was on its way
LATEST = timedelta(hours=1)  # a signature that takes longer says nothing of how it is done here
CROWD = 3  # repositories within a day: the signer stands still, or the log that tells of it
SLOWER = 2  # times the slowest of a project: one that is still on its way
MOST_SHAPES = 100  # of tags, remembered of one project; names of branches are without end
_NUMBERS = re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{7,64}\b|\d+")
WORDS = ("signed", "scanned")
_TOOLS = frozenset(("trivy", "grype", "clair", "harbor", "cosign", "notation", "container-analysis"))


@dataclass(slots=True)
class Image:
    """An image under its digest: who pushed it, and since when it is signed and scanned."""

    pushed: datetime | None = None
    pusher: str | None = None
    push_id: str = ""
    shape: str = ""  # of the tag that it was pushed under first
    signed: datetime | None = None
    scanned: datetime | None = None
    used: bool = False
    counted: tuple[str, ...] = ()  # among those of its project that were signed, scanned or neither
    seen: datetime = EPOCH

    def copied(self) -> Image:
        """One that can be changed alone."""
        return replace(self)


@dataclass(slots=True)
class Project:
    """Fresh images that were used or signed (scanned), how many of them were so before anybody used them, and how long that
    took at most; over all, and by the shape of their tag (`signed v#.#.#`): builds of requests are often left out. Accounts that
    pushed: day of the last, days.
    """

    images: dict[str, int] = field(default_factory=dict)
    safe: dict[str, int] = field(default_factory=dict)
    slowest: dict[str, timedelta] = field(default_factory=dict)
    signatures: int = 0  # of images whose pusher is known
    by_pusher: int = 0
    signers: set[str] = field(default_factory=set)
    pushers: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    networks: set[tuple[str, str]] = field(default_factory=set)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Lacking:
    """Of a registry: repositories whose images were used before they were signed (scanned), and when last."""

    repositories: dict[str, datetime] = field(default_factory=dict)
    seen: datetime = EPOCH

    def enter(self, repository: str, at: datetime) -> int:
        """How many there are within a day, with this one."""
        lately = {name: one for name, one in self.repositories.items() if at - one <= DAY}
        self.repositories, self.seen = lately | {repository: at}, at
        return len(self.repositories)


@dataclass(frozen=True, slots=True)
class Use:
    """A first use that came so soon after the push that a signature may still be on its way."""

    event: Event
    name: str
    missing: tuple[str, ...]


def image_of(memory: Memory, repository: str, name: str) -> Image:
    """`name` is its digest; where no line says that, `:` and the tag under which it was pushed last."""
    image: Image = memory.table("images", Image)[repository, name]
    return image


@lru_cache(maxsize=50_000)
def shape_of(tag: str) -> str:
    """What builds call their images, without its numbers: `main-#`, `v#.#.#`, `pr-#`."""
    return _NUMBERS.sub("#", tag)


def unsaid(memory: Memory, push: Event) -> Image:
    """The image of a push whose line does not name its digest: known by its tag until the next push."""
    at = push["timestamp"]
    image = Image(at, push["actor"], push["event_id"], shape_of(push["tag"]), seen=at)
    memory.table("images", Image)[push["repository"], f":{push['tag']}"] = image
    return image


def done(memory: Memory, event: Event, image: Image, word: str) -> None:
    """An image is `signed` or `scanned` now. In time for whoever uses it later, it counts for its project at once: many images
    are never used by anybody whom the log names.
    """
    at = event["timestamp"]
    setattr(image, word, at)
    if image.pushed is None or not timedelta(0) <= at - image.pushed <= LATEST:
        return
    project = memory.table("projects", Project)[project_of(event)]
    project.seen = at
    project.slowest[word] = max(project.slowest.get(word, GRACE / SLOWER), at - image.pushed)
    if not image.used:
        _count(project, image, (word,))


def signed(memory: Memory, event: Event, image: Image) -> Iterator[Suspicion]:
    """Who signed what whom pushed: roles that were always apart are a control, even if nobody wrote it down."""
    signer, pusher = event["actor"], image.pusher
    if not signer or not pusher:
        return
    project = memory.table("projects", Project)[project_of(event)]
    apart = project.by_pusher <= (1 - SAFE) * project.signatures
    own, strange = signer == pusher and apart, signer not in project.signers
    if project.signatures >= FEWEST_IMAGES and (own or strange):
        yield _self_approved(event, image, project, own)
    else:
        project.signers.add(signer)
    project.signatures += 1
    project.by_pusher += signer == pusher
    project.seen = event["timestamp"]


def _self_approved(event: Event, image: Image, project: Project, own: bool) -> Suspicion:
    repository, at, signer = event["repository"], event["timestamp"], plain(event["actor"])
    days = project.pushers.get(image.pusher or "", (EPOCH, 0))[1]
    severity = Severity.HIGH if own and days <= 1 else Severity.MEDIUM
    how = "by the account that pushed it" if own else "by an account that never signed in this project"
    return Suspicion(
        kind="signed_by_wrong_hands",
        cause=("signed_by_wrong_hands", repository, event["actor"], f"{at:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(repository)}: an image was signed {how}, {signer}",
        start=image.pushed or at,
        end=at,
        subjects={
            "actor": sorted({event["actor"], image.pusher or event["actor"]}),
            "client": [event["client_ip"]] if event["client_ip"] else [],
            "repository": [repository],
        },
        score=10.0 * severity.rank + own,
        expected=f"one account pushes, another signs: so it was with {project.signatures - project.by_pusher} of "
        f"{project.signatures} images of this project",
        observed=f"pushed by {plain(image.pusher or '')}, signed by {signer}",
        evidence=[id for id in (image.push_id, event["event_id"]) if id],
        explanation="Who pushes and signs alone can put anything into use; the second pair of eyes was not asked.",
        next_step="Ask the usual signers whether they know of it; do not trust the signature until they do.",
    )


def used(memory: Memory, event: Event, name: str) -> Iterable[Suspicion]:
    """The first use of a fresh image (`name` as for `image_of`) by somebody else than its pusher, or a tool that looks at it."""
    at = event["timestamp"]
    image = memory.table("images", Image).look((event["repository"], name))
    if image is None or image.used or image.pushed is None or at - image.pushed > FRESH:
        return ()
    looks_on = event["traffic_class"] in NOT_USE or event["client_class"] in _TOOLS or event["actor_kind"] == "internal"
    if looks_on or (event["actor"] and event["actor"] == image.pusher):
        return ()
    return _first_use(memory, event, name, image.pushed)


def _first_use(memory: Memory, event: Event, name: str, pushed: datetime) -> Iterator[Suspicion]:
    at = event["timestamp"]
    image = image_of(memory, event["repository"], name)
    image.used, image.seen = True, at
    project = memory.table("projects", Project)[project_of(event)]
    project.seen = at
    missing = [word for word in WORDS if getattr(image, word) is None and _always(project, image, word)]
    grace = max((SLOWER * project.slowest.get(word, GRACE) for word in missing), default=GRACE)
    if missing and at - pushed < grace:
        memory.wait(pushed + grace, Use(event, name, tuple(missing)))
        return
    if missing:
        yield _unsafe(memory, event, name, image, project, missing, at)
    _count(project, image)


def _counters(image: Image, word: str) -> tuple[str, str]:
    """Under which names of its project it is counted: with all images, and with those of its shape."""
    return word, f"{word} {image.shape}"


def _always(project: Project, image: Image, word: str) -> str:
    """By which counter this is always done; empty if it is not."""
    for name in _counters(image, word):
        many = project.images.get(name, 0)
        if many >= FEWEST_IMAGES and project.safe.get(name, 0) >= SAFE * many:
            return name
    return ""


def _count(project: Project, image: Image, words: Sequence[str] = WORDS) -> None:
    for word in words:
        if word not in image.counted:
            image.counted = (*image.counted, word)
            for name in _counters(image, word):
                if name in project.images or len(project.images) < MOST_SHAPES:
                    project.images[name] = project.images.get(name, 0) + 1
                    project.safe[name] = project.safe.get(name, 0) + (getattr(image, word) is not None)


def still_unsafe(memory: Memory, use: Use, at: datetime) -> Iterator[Suspicion]:
    """The use again when the grace is over: what came in the meantime was on its way."""
    repository = use.event["repository"]
    if memory.table("images", Image).look((repository, use.name)) is None:
        return
    image = image_of(memory, repository, use.name)
    project = memory.table("projects", Project)[project_of(use.event)]
    missing = [word for word in use.missing if getattr(image, word) is None]
    if missing and image.pushed is not None:
        yield _unsafe(memory, use.event, use.name, image, project, missing, at)
    _count(project, image)


def _unsafe(
    memory: Memory, event: Event, name: str, image: Image, project: Project, missing: Sequence[str], end: datetime
) -> Suspicion:
    assert image.pushed is not None
    repository, at = event["repository"], event["timestamp"]
    words = " and ".join(missing)
    always = _always(project, image, missing[0]) or missing[0]
    share = f"{project.safe.get(always, 0)} of {project.images.get(always, 0)}"
    which = "image of this project" if always in WORDS else f"image that is called {plain(image.shape)} here"
    many = memory.table("lacking", _Lacking)[event.get("registry")].enter(repository, end)
    exceptions = project.images.get(always, 0) > project.safe.get(always, 0)
    aside = exceptions and event["traffic_class"] == Traffic.PEOPLE
    severity = Severity.LOW if many >= CROWD or aside else Severity.MEDIUM
    image_name = plain(name) if name.startswith(":") else f"{name[:19]}…"
    return Suspicion(
        kind="used_unsafe",
        cause=("used_unsafe", repository, image.push_id if name.startswith(":") else name),
        severity=severity,
        title=f"{plain(repository)}: an image was pulled before it was {words}, {duration(at - image.pushed)} after its push",
        start=image.pushed,
        end=end,
        subjects={
            "actor": [name for name in (image.pusher, event["actor"]) if name],
            "client": [event["client_ip"]] if event["client_ip"] else [],
            "repository": [repository],
        },
        score=10.0 * severity.rank + len(missing),
        expected=f"every {which} is {words} before anybody pulls it: {share} were",
        observed=f"{image_name} pulled by {plain(event['actor'] or event['client_ip'] or 'nobody named')}, not {words}",
        evidence=[id for id in (image.push_id, event["event_id"]) if id],
        explanation=f"So it is in {many} repositories within a day: rather the check itself stands still, or the log of it."
        if many >= CROWD
        else "It was left out before, and nothing runs it: a person pulled it."
        if aside
        else "The check that stands between a push and its use was not waited for, or went round.",
    )
