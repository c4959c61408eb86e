"""What of a scenario the written logs show: its entry in `truth.json`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from regsight.traffic.calendar import moment
from regsight.traffic.requests import Request
from regsight.traffic.scenes import Recipe
from regsight.traffic.truth import (
    ACCOUNTS,
    ADDRESSES,
    ADMINISTRATION,
    DURATIONS,
    LAYERS,
    REFUSALS,
    SIZES,
    TYPES,
    Entry,
    Planted,
    subjects,
    times,
)
from regsight.traffic.writers import Voice
from regsight.traffic.writers.access import Access
from regsight.traffic.writers.cloudtrail import CloudTrail, arn
from regsight.traffic.writers.distribution_json import DistributionJson
from regsight.traffic.writers.distribution_text import DistributionText
from regsight.traffic.writers.harbor_audit import HarborAudit
from regsight.traffic.writers.notifications import Notifications
from store.event import iso


@dataclass(slots=True)
class Plan:
    """A scenario with its place in time; once it has been played, with what it did."""

    id: str
    recipe: Recipe
    difficulty: str
    at: int
    planted: Planted | None = None
    logins: list[Request] = field(default_factory=list)  # of all its sessions


def entry(
    plan: Plan, planted: Planted, voices: list[Voice], sources: list[str], end: int, plans: Sequence[Plan]
) -> Entry:
    """Of what was `planted`, as far as these voices tell of it before `end` and no other scenario took it away."""
    recipe = plan.recipe
    alters = [other.planted.alter for other in plans if other.planted is not None and other.planted.alter is not None]

    def seen(requests: Sequence[Request]) -> list[Request]:
        kept = [after for one in requests if (after := _altered(one, alters)) is not None]
        return [one for one in kept if one.at < end and any(voice.tell(one) for voice in voices)]

    shown, logins = seen(planted.evidence), seen(_own(plan.logins, planted))
    told = times(planted, shown)
    start = told["start"] or iso(moment(plan.at))
    return Entry(
        id=plan.id,
        kind=recipe.code,
        name=recipe.name,
        benign=recipe.benign,
        difficulty=plan.difficulty,
        evidence=recipe.evidence,
        start=min([start, *(iso(moment(one.start)) for one in logins)]),
        first_evidence=told["first_evidence"],
        decidable=told["decidable"],
        end=told["end"] or iso(moment(plan.at)),
        event_ids=_ids(voices, shown),
        sources=sources,
        invisible=(not shown and planted.span is None) or _untold(planted, voices),
        attack_technique=list(recipe.technique),
        expected_finding={"rule_classes": list(recipe.classes), "severity_min": recipe.severity or None},
        note=planted.note,
        **subjects(
            planted,
            [*shown, *logins] or planted.evidence,
            _told_as(voices),
            with_addresses=not all(isinstance(voice, HarborAudit) for voice in voices),
        ),
    )


def _own(logins: Sequence[Request], planted: Planted) -> list[Request]:
    """The logins of those who did it. They prove nothing, but a finding about them, where a log is silent about the act that
    followed, is a finding about this scenario.
    """
    who = {(one.actor, one.address) for one in planted.evidence if not planted.culprit or one.actor == planted.culprit}
    return [one for one in logins if (one.actor, one.address) in who]


def _told_as(voices: list[Voice]) -> Callable[[str], str]:
    """The name that these logs have for a user; Harbor's audit log has one for nobody as well."""
    if all(isinstance(voice, CloudTrail) for voice in voices):
        return lambda name: arn(name) if name else ""
    if all(isinstance(voice, HarborAudit) for voice in voices):
        return lambda name: name or "anonymous"
    return str


def _untold(planted: Planted, voices: list[Voice]) -> bool:
    """Whether none of the voices tells what is needed to know of it."""
    if planted.needs in (ADDRESSES, LAYERS):
        return all(isinstance(voice, HarborAudit) for voice in voices)
    if planted.needs == ADMINISTRATION:
        return not any(isinstance(voice, HarborAudit) for voice in voices)
    if planted.needs == DURATIONS:
        return not any(isinstance(voice, DistributionJson | DistributionText) for voice in voices)
    if planted.needs == SIZES:
        return all(isinstance(voice, HarborAudit | CloudTrail) for voice in voices)
    if planted.needs == TYPES:
        return all(isinstance(voice, HarborAudit | Access) for voice in voices)
    if planted.needs == ACCOUNTS:
        return all(isinstance(voice, HarborAudit | Access) or _nameless(voice) for voice in voices)
    if planted.needs == REFUSALS:
        silent = HarborAudit | Access | CloudTrail | Notifications
        return all(isinstance(voice, silent) or _nameless(voice) for voice in voices)
    return False


def _nameless(voice: Voice) -> bool:
    """Whether it is a log of the version that names users in errors alone."""
    return isinstance(voice, DistributionJson) and voice.old


def _altered(request: Request, alters: list[Callable[[Request], Request | None]]) -> Request | None:
    """What other scenarios made of a request."""
    kept: Request | None = request
    for alter in alters:
        if kept is None:
            return None
        kept = alter(kept)
    return kept


def _ids(voices: list[Voice], shown: list[Request]) -> list[str]:
    """What names a request in these sources: its own id, or in an audit log the row's. Access lines name nothing."""
    if all(isinstance(voice, Access) for voice in voices):
        return []
    if isinstance(voices[0], HarborAudit) and len(voices) == 1:
        return [str(voices[0].row_id(request)) for request in shown]
    # An application log does not number what lies outside of the registry's grammar.
    return [request.id for request in shown if request.routed or request.admin is not None]
