"""Signatures, attestations and bills of materials that somebody puts beside images of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.account_day import AccountDay
from analytics.approvals import Project, image_of
from analytics.detector import Suspicion
from analytics.ledger import project_of
from analytics.replay import EPOCH, floor
from analytics.walk import Event, Memory
from analytics.windows import DAY
from analytics.wording import names, plain, several
from store.finding import Severity

STRANGER = "attached_by_stranger"  # the kinds of its findings
SETTLED = timedelta(days=7)  # of history, before anybody is a stranger
ELSEWHERE = 2  # projects in which an account does so since days before: it is what it is for
MANY = 10


@dataclass(slots=True)
class _Attacher:
    """An account that puts things beside images: where since when, and what it did as a stranger on the last such day."""

    projects: dict[str, datetime] = field(default_factory=dict)
    last: AccountDay = field(default_factory=AccountDay)
    seen: datetime = EPOCH


def attached(memory: Memory, event: Event, digest: str) -> Iterator[Suspicion]:
    """`digest`: of the image beside which something was put by whoever the event names. What its pusher, an account that pushes
    in the project, or one that does so elsewhere puts there is ordinary.
    """
    actor, name = event["actor"], project_of(event)
    at: datetime = event["timestamp"]
    if not actor:
        return
    project: Project = memory.table("projects", Project)[name]
    attacher = memory.table("attachers", _Attacher)[actor]
    attacher.seen = at
    today = floor(at, DAY)
    usual = (
        attacher.projects.get(name, at) < today or sum(one < today for one in attacher.projects.values()) >= ELSEWHERE
    )
    own = image_of(memory, event["repository"], digest).pusher == actor or actor in project.pushers
    attacher.projects.setdefault(name, at)
    if usual or own or not memory.reaches_back(at, SETTLED):
        return
    attacher.last = attacher.last.enter(event)
    yield _suspicion(actor, attacher.last, at)


def _suspicion(actor: str, done: AccountDay, at: datetime) -> Suspicion:
    many = len(done.evidence)
    severity = Severity.HIGH if many >= MANY else Severity.MEDIUM
    return Suspicion(
        kind=STRANGER,
        cause=(STRANGER, actor, f"{done.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)} signed or attested {several(many, 'image')} of others in {names(sorted(done.repositories), 2)}",
        start=done.start,
        end=at,
        subjects=done.subjects(actor),
        score=10.0 * severity.rank + min(many, 9),
        expected="what stands beside an image comes from its builder, or from an account that signs here day by day",
        observed=f"{several(many, 'attachment')}, by an account that neither pushed nor signed in these projects before",
        evidence=list(done.evidence),
        explanation="Whoever trusts what is attached to an image is told what a stranger wants to be believed.",
        next_step="Ask the account; until it is clear verify with the keys of the builders only, and remove what it attached.",
    )
