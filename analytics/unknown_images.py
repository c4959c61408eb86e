"""Signatures for images that are not here: where each followed a push, one whose image nobody pushed vouches for something that is
somewhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.account_day import AccountDay, with_day
from analytics.detector import Suspicion
from analytics.ledger import project_of
from analytics.replay import EPOCH
from analytics.walk import Event, Memory
from analytics.wording import names, plain, several
from store.finding import Severity

KIND = "signature_without_image"  # the kinds of its findings
FEWEST = 12  # signatures of a project whose images were known, before one that is not says anything
SETTLED = timedelta(days=7)  # of history: an image that is older than the log is signed sooner or later
HABIT = 2  # days before on which a project did so: there images come by ways that the log does not tell of
MANY = 10  # of a day
TWICE, LATELY = 2, timedelta(days=3)  # one alone is a line that a log lacks; so many within that time are not
MOST_DAYS = 50


@dataclass(slots=True)
class _Custom:
    """Of a project: how many images were known when they were signed, and on which days some were not."""

    known: int = 0
    strange: list[datetime] = field(default_factory=list)
    seen: datetime = EPOCH


@dataclass(slots=True)
class _Signer:
    """What an account signed on the last day that is not here, and how often it did so lately."""

    times: list[datetime] = field(default_factory=list)
    last: AccountDay = field(default_factory=AccountDay)
    seen: datetime = EPOCH


def image_signed(memory: Memory, event: Event, *, known: bool) -> Iterator[Suspicion]:
    """A signature was stored. `known`: whether its image was pushed, pulled or scanned here before, as far as the log tells."""
    at, actor = event["timestamp"], event["actor"] or event["client_ip"] or ""
    custom = memory.table("known when signed", _Custom)[event.get("registry"), project_of(event)]
    custom.seen = at
    if known:
        custom.known += 1
        return
    if custom.known < FEWEST or not memory.reaches_back(at, SETTLED):
        return
    usual = sum(one.date() < at.date() for one in custom.strange) >= HABIT
    custom.strange = with_day(custom.strange, at, MOST_DAYS)
    if usual:
        return
    signer = memory.table("signers of unknown images", _Signer)[actor]
    signer.last, signer.seen = signer.last.enter(event), at
    signer.times = [*(one for one in signer.times if at - one <= LATELY), at][-MANY:]
    yield _suspicion(event, actor, signer, custom)


def _suspicion(event: Event, actor: str, signer: _Signer, custom: _Custom) -> Suspicion:
    day = signer.last
    many, where = len(day.evidence), names(sorted(day.repositories), 2)
    often = Severity.MEDIUM if len(signer.times) >= TWICE else Severity.LOW
    severity = Severity.HIGH if many >= MANY else often
    return Suspicion(
        kind=KIND,
        cause=(KIND, actor, f"{day.day:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor) or 'nobody named'} put {several(many, 'signature')} into {where} for images that are not there",
        start=day.start,
        end=event["timestamp"],
        subjects=day.subjects(event["actor"]),
        score=10.0 * severity.rank + min(many, 9),
        expected=f"the image of a signature was pushed here before: {custom.known} of {custom.known} in this project",
        observed=f"{several(many, 'signature')} of digests that nobody pushed, pulled or scanned here",
        evidence=list(day.evidence),
        explanation="A signature is good wherever its image is: somebody has the signer vouch for images of another registry. "
        "Harmless where images are signed before they are copied here.",
        next_step="Ask whoever keeps the keys what was signed and for whom; search for the digests elsewhere, and withdraw the "
        "signatures if nobody knows them.",
    )
