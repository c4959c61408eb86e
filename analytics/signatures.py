"""Signatures that are taken away while their images stay: where a missing signature only warns, anything can take their place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.account_day import AccountDay
from analytics.detector import Suspicion
from analytics.ledger import PAIR, home, image_of_tag
from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.wording import names, plain, several
from store.event import Action
from store.finding import Severity

TAKEN = "signature_removed"  # the kinds of its findings
GRACE = timedelta(minutes=10)  # in which the image is removed as well, or signed anew
MANY = 5  # of a day, for which nobody has an everyday reason
HABIT = 2  # days on which an account did so before, a week and more ago: it is how it cleans up
LONG_AGO = timedelta(days=7)
MOST_DAYS = 200  # remembered of an account


@dataclass(slots=True)
class _Signature:
    """A signature under its own digest: of which image."""

    image: str = ""
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Image:
    """When an image was signed last, and when it was removed."""

    signed: datetime = EPOCH
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


def signature_put(memory: Memory, event: Event, image: str) -> None:
    """A signature of `image` was stored."""
    at = event["timestamp"]
    of = memory.table("signed images", _Image)[home(event), image]
    of.signed = of.seen = at
    if event["digest"]:
        memory.table("signatures", _Signature)[home(event), event["digest"]] = _Signature(image, at)


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
    if not remover.days or remover.days[-1] != remover.last.day:
        remover.days = [*remover.days[-MOST_DAYS:], remover.last.day]
    remover.seen = when
    yield _suspicion(event, actor, remover, at)


def _suspicion(event: Event, actor: str, remover: _Remover, at: datetime) -> Suspicion:
    last, day, many = remover.last, remover.last.day, len(remover.last.evidence)
    usual = sum(day - one >= LONG_AGO for one in remover.days) >= HABIT
    severity = Severity.LOW if usual else Severity.HIGH if many >= MANY else Severity.MEDIUM
    repositories = sorted(last.repositories)
    return Suspicion(
        kind=TAKEN,
        cause=(TAKEN, actor, f"{day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor) or 'nobody named'} removed {several(many, 'signature')} of {names(repositories, 2)}; the images stay",
        start=last.start,
        end=at,
        subjects={
            "actor": [event["actor"]] if event["actor"] else [],
            "client": sorted(last.clients),
            "repository": repositories,
        },
        score=10.0 * severity.rank + min(many, 9),
        expected="a signature goes with its image, or a new one takes its place within minutes",
        observed=f"{several(many, 'signature')} deleted that day; {GRACE.seconds // 60} minutes later the image is there, unsigned",
        evidence=list(last.evidence),
        explanation="Where a missing signature only warns, anything can take the place of what was signed."
        + (" The account has been doing so for a while." if usual else ""),
        next_step="Ask the account; compare the images, sign them again by digest, and let deployments refuse unsigned ones.",
    )
