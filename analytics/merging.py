"""Which findings are one: what goes on, more of the same by the same account, two rules about one thing, a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from analytics.holding import SAME
from store.finding import Finding

MOST_EVIDENCE = 50
LONGEST = timedelta(days=3)  # of one finding, from which on what goes on is told anew
SEVERAL = 3  # accounts that one address tries
CROWD = 5  # accounts that have nothing in common but what was tried with them
MOST_REASONS = 30  # from which on more of the same stands alone
_ALSO = "also: "


def host_of(fresh: Finding, others: Sequence[Finding], own: Finding | None) -> Finding | None:
    """The finding of which this one is a part: by the same account (or address, where no account is named), of the same
    kind or told by the same events, no less grave, and not over for a day. What names nobody is a thing of its own; so is
    what stands alone already (`own`), but once part of another it stays that: judging again must end as it did before.
    """
    who = _culprit(fresh)
    if who is None and not _swept(fresh):
        return None
    alike = [
        one
        for one in {one.id: one for one in others}.values()
        if not one.withdrawn
        and one.id != fresh.id
        and one.detector == fresh.detector
        and one.severity.rank >= fresh.severity.rank
        and abs(fresh.start - one.start) < LONGEST
        and fresh.start - one.end < SAME
        and one.start - fresh.end < SAME
        and one.detected_at <= fresh.detected_at
        and (_holds(one, fresh) or _akin(one, fresh, who))
    ]
    part_of = [one for one in alike if _holds(one, fresh)]
    if part_of or own is not None:
        return part_of[0] if part_of else None
    open_ones = [one for one in alike if len(one.reasons) < MOST_REASONS]
    return min(open_ones, key=lambda one: (one.detected_at, one.id), default=None)


def _culprit(finding: Finding) -> tuple[str, str] | None:
    """The one account that it names, else the one address; a crowd of accounts is one culprit too, from wherever it comes."""
    actors, clients = finding.subjects["actor"], finding.subjects["client"]
    if len(actors) == 1:
        return "actor", actors[0]
    if len(clients) == 1 and (not actors or len(actors) >= CROWD):
        return "client", clients[0]
    return ("crowd", "") if len(actors) >= CROWD else None


def _swept(finding: Finding) -> bool:
    """Whether one address tried several accounts, as each address of many does in turn where they share a list of names."""
    named = finding.subjects
    return len(named["client"]) == 1 and len(named["actor"]) >= SEVERAL and not named.get("repository")


def _akin(host: Finding, part: Finding, who: tuple[str, str] | None) -> bool:
    """Whether the host says the same of `who`; or names it and is shown by most of what shows the part: two rules about one
    thing; or names it as one of a crowd, at the same time: a part of the campaign. So are addresses that each try several
    accounts, and what is tried during a campaign where the log has no addresses to tell the two apart.
    """
    at_once = host.start <= part.end and part.start <= host.end
    campaign = at_once and len(host.subjects["actor"]) >= CROWD
    if host.kind == part.kind:
        swept = _swept(part) and (_swept(host) or _culprit(host) == ("crowd", ""))
        return swept or (who is not None and _culprit(host) == who)
    if who is None:
        return False
    named = _culprit(host) == who or who[1] in host.subjects.get(who[0], ())
    if campaign and (named or not (host.subjects["client"] or part.subjects["client"])):
        return True
    return named and 2 * len(set(part.evidence) & set(host.evidence)) > len(part.evidence)


def _holds(host: Finding, part: Finding) -> bool:
    return any(reason.startswith(_ALSO) and reason.endswith(f"({part.id})") for reason in host.reasons)


def absorbed(host: Finding, part: Finding) -> Finding:
    """The host with the part's names, time and evidence, and its title among the reasons; its own words stay."""
    also = [] if _holds(host, part) else [f"{_ALSO}{part.title} ({part.id})"]
    return replace(
        host,
        start=min(host.start, part.start),
        end=max(host.end, part.end),
        subjects=united(host.subjects, part.subjects),
        evidence=list(dict.fromkeys([*host.evidence, *part.evidence]))[:MOST_EVIDENCE],
        reasons=[*host.reasons, *also],
    )


def merge(before: Finding, after: Finding) -> Finding:
    """One finding out of two with the same id; the earlier one's time of detection."""
    # Equal ones leave things as they are: judging the same span again must change nothing.
    stronger = after if (after.severity.rank, after.score) > (before.severity.rank, before.score) else before
    other = before if stronger is after else after
    return replace(
        stronger,
        id=before.id,
        reasons=_reasons(stronger, other),
        detected_at=min(before.detected_at, after.detected_at),
        start=min(before.start, after.start),
        end=max(before.end, after.end),
        subjects=united(before.subjects, after.subjects),
        evidence=list(dict.fromkeys([*stronger.evidence, *other.evidence]))[:MOST_EVIDENCE],
    )


def _reasons(stronger: Finding, other: Finding) -> list[str]:
    """Those of the stronger one, and what became part of either."""
    return list(dict.fromkeys([*stronger.reasons, *(one for one in other.reasons if one.startswith(_ALSO))]))


def united(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted({*one.get(name, ()), *other.get(name, ())}) for name in ("actor", "client", "repository")}
