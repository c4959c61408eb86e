"""Signatures that are taken away while their images stay: where a missing signature only warns, anything can take their place.
And such as come a second time, long after the first: a signature is made when its image is, and nobody moves its tag later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.account_day import AccountDay, with_day
from analytics.detector import Suspicion
from analytics.ledger import PAIR, home, image_of_tag, network, project_of
from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.windows import DAY
from analytics.wording import names, plain, several
from store.event import Action
from store.finding import Severity

TAKEN, AGAIN = "signature_removed", "signature_replaced"  # the kinds of its findings
GRACE = timedelta(minutes=10)  # in which the image is removed as well, or signed anew
MANY = 5  # of a day, for which nobody has an everyday reason
HABIT = 2  # days on which an account did so before, a week and more ago: it is how it cleans up
LONG_AGO = timedelta(days=7)
MOST_DAYS = 200  # remembered of an account
LATE = timedelta(hours=1)  # since the last signature, and since the image was pushed or tagged: it belongs to neither
FEWEST = 8  # signatures of a project, before it is known how they come
SETTLED = timedelta(days=7)  # of history, before anything is unusual
MOST_NETWORKS = 50  # of one signer


@dataclass(slots=True)
class _Signature:
    """A signature under its own digest: of which image."""

    image: str = ""
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Image:
    """When an image was signed, pushed and tagged last, and when it was removed; the digest of its signature."""

    signed: datetime = EPOCH
    digest: str = ""
    pushed: datetime = EPOCH
    removed: datetime = EPOCH
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Remover:
    """On which days an account took signatures away, and of the last one what."""

    days: list[datetime] = field(default_factory=list)
    last: AccountDay = field(default_factory=AccountDay)
    seen: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class Gone:
    """A signature that was deleted; what becomes of its image is waited for."""

    event: Event
    image: str


@dataclass(slots=True)
class _Custom:
    """How many images of a project were signed, and on which days some of them anew."""

    images: int = 0
    again: list[datetime] = field(default_factory=list)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Signer:
    """Where an account signed first, and from where; what it signed anew on the last such day."""

    projects: dict[str, datetime] = field(default_factory=dict)
    networks: dict[str, datetime] = field(default_factory=dict)
    last: AccountDay = field(default_factory=AccountDay)
    strange: set[str] = field(default_factory=set)  # and what was unusual about it
    seen: datetime = EPOCH


def is_signature(event: Event) -> bool:
    """Of what is put beside an image: whether it is a signature, and no attestation."""
    return str(event["tag"]).endswith(".sig")


def signature_put(memory: Memory, event: Event, image: str) -> Iterator[Suspicion]:
    """A signature of `image` was stored; an attestation, which may come every day, is none."""
    at, digest = event["timestamp"], event["digest"] or ""
    of = memory.table("signed images", _Image)[home(event), image]
    if is_signature(event):
        yield from _perhaps_again(memory, event, of)
        of.digest = digest
    of.signed = of.seen = at
    if digest:
        memory.table("signatures", _Signature)[home(event), digest] = _Signature(image, at)


def _perhaps_again(memory: Memory, event: Event, of: _Image) -> Iterator[Suspicion]:
    at, name, digest = event["timestamp"], project_of(event), event["digest"] or ""
    actor = event["actor"] or event["client_ip"] or ""
    custom = memory.table("signing customs", _Custom)[event.get("registry"), name]
    signer = memory.table("signers", _Signer)[actor]
    custom.seen = signer.seen = at
    first, same = of.signed == EPOCH, bool(digest) and digest == of.digest
    custom.images += first
    if (
        not first
        and not same
        and at - max(of.signed, of.pushed) >= LATE
        and not _perhaps_for_another_push(memory, event)
    ):
        if memory.reaches_back(at, SETTLED):
            signer.last = signer.last.enter(event)
            yield _put_again(event, actor, custom, signer)
        custom.again = with_day(custom.again, at, MOST_DAYS)
    signer.projects.setdefault(name, at)
    if event["client_ip"] and len(signer.networks) < MOST_NETWORKS:
        signer.networks.setdefault(network(event["client_ip"]), at)


def _put_again(event: Event, actor: str, custom: _Custom, signer: _Signer) -> Suspicion:
    at, last = event["timestamp"], signer.last
    if last.start == at:
        signer.strange = set()
    if at - signer.projects.get(project_of(event), at) < DAY:
        signer.strange.add("the account never signed here before")
    elif event["client_ip"] and at - signer.networks.get(network(event["client_ip"]), at) < DAY:
        signer.strange.add("the network is new for this account")
    usual = custom.images < FEWEST or sum(one.date() < at.date() for one in custom.again) >= HABIT
    severity = Severity.LOW if usual else Severity.HIGH if signer.strange else Severity.MEDIUM
    many, where = len(last.evidence), names(sorted(last.repositories), 2)
    return Suspicion(
        kind=AGAIN,
        cause=(AGAIN, actor, f"{last.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor) or 'nobody named'} replaced {several(many, 'signature')} of images of {where}",
        start=last.start,
        end=at,
        subjects=last.subjects(event["actor"]),
        score=10.0 * severity.rank + min(many, 9),
        expected="an image is signed when it is pushed or tagged, and its signature stays",
        observed=f"{several(many, 'signature')} put where another had been for an hour and longer"
        + "".join(f"; {one}" for one in sorted(signer.strange)),
        evidence=list(last.evidence),
        explanation="Whoever puts a signature of his own in the place of the first needs only one key that is trusted."
        + (" Signatures come a second time here now and then, or hardly any are known yet." if usual else "")
        + " Harmless if keys are changed: then nearly all images are signed anew at once, and somebody knows of it.",
        next_step="Ask whoever keeps the keys; verify with the key of the first signature, and sign anew what does not pass.",
    )


def _perhaps_for_another_push(memory: Memory, event: Event) -> bool:
    """Whether an image that no line names was pushed minutes before: it may be this one, which was there already."""
    unsaid = memory.table("signed images", _Image).look((home(event), ""))
    return unsaid is not None and event["timestamp"] - unsaid.pushed <= GRACE


def image_pushed(memory: Memory, event: Event, digest: str, at: datetime) -> None:
    """An image was pushed, perhaps once more, or got a tag: it may be signed for that. `digest`: empty if no line says it."""
    of = memory.table("signed images", _Image)[home(event), digest]
    of.pushed = max(of.pushed, at)
    of.seen = event["timestamp"]


def signature_asked(memory: Memory, event: Event, image: str) -> None:
    """A client asks which digest the signature of `image` has, as it must before it can delete it."""
    memory.table("signatures asked", _Signature)[_who(event)] = _Signature(image, event["timestamp"])


def perhaps_signature_deleted(memory: Memory, event: Event) -> None:
    """Something was deleted or lost its tag: a signature is looked after, an image takes its signatures along."""
    at = event["timestamp"]
    image = image_of_tag(event["tag"]) or _signed_by(memory, event)
    if image:
        memory.wait(at + GRACE, Gone(event, image))
    elif event["digest"] and event["action"] == Action.DELETE:
        of = memory.table("signed images", _Image)[home(event), event["digest"]]
        of.removed = of.seen = at


def _signed_by(memory: Memory, event: Event) -> str:
    if not event["digest"]:
        return ""
    known = memory.table("signatures", _Signature).look((home(event), event["digest"]))
    if known is not None:
        return known.image
    before = memory.table("signatures asked", _Signature).look(_who(event))
    return before.image if before is not None and event["timestamp"] - before.seen <= PAIR else ""


def _who(event: Event) -> tuple[str, str]:
    return home(event), event["actor"] or event["client_ip"] or ""


def still_gone(memory: Memory, gone: Gone, at: datetime) -> Iterator[Suspicion]:
    """The image is there, and nobody signed it anew."""
    event = gone.event
    when, actor = event["timestamp"], event["actor"] or event["client_ip"] or ""
    of = memory.table("signed images", _Image).look((home(event), gone.image))
    if of is not None and (of.removed > EPOCH or of.signed > when):
        return
    remover = memory.table("signature removers", _Remover)[actor]
    remover.last = remover.last.enter(event)
    remover.days = with_day(remover.days, remover.last.day, MOST_DAYS)
    remover.seen = when
    yield _suspicion(event, actor, remover, at)


def _suspicion(event: Event, actor: str, remover: _Remover, at: datetime) -> Suspicion:
    last, day, many = remover.last, remover.last.day, len(remover.last.evidence)
    usual = sum(day - one >= LONG_AGO for one in remover.days) >= HABIT
    severity = Severity.LOW if usual else Severity.HIGH if many >= MANY else Severity.MEDIUM
    where = names(sorted(last.repositories), 2)
    return Suspicion(
        kind=TAKEN,
        cause=(TAKEN, actor, f"{day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor) or 'nobody named'} removed {several(many, 'signature')} of {where}; the images stay",
        start=last.start,
        end=at,
        subjects=last.subjects(event["actor"]),
        score=10.0 * severity.rank + min(many, 9),
        expected="a signature goes with its image, or a new one takes its place within minutes",
        observed=f"{several(many, 'signature')} deleted that day; {GRACE.seconds // 60} minutes later the image is there, unsigned",
        evidence=list(last.evidence),
        explanation="Where a missing signature only warns, anything can take the place of what was signed."
        + (" The account has been doing so for a while." if usual else ""),
        next_step="Ask the account; compare the images, sign them again by digest, and let deployments refuse unsigned ones.",
    )
