"""Findings about one thing become one incident: the same actor or address within a span, or cause and effect.

A finding of medium severity or above opens an incident; a lesser one only joins one that is about the same names. Names
that half the registry shares (an anonymous user, a list of dozens of accounts) join nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from analytics.wording import names, several
from store.contract import Delivery, Records
from store.finding import Finding, Severity
from store.incident import CLOSED, Act, Incident, State

GAP = timedelta(hours=6)  # so far apart two findings about the same names are still one story
LOOK_BACK = timedelta(days=8)  # longer than any detector's own span
MOST_NAMES = 20  # of one sort in a finding; more name nobody in particular
REGSIGHT = "regsight"
_SILENCE = re.compile(r"(.+) has (?:written|told) nothing (?:since|for) .+")
_NOBODY = frozenset({"anonymous", "-", ""})


def gather(store: Records, since: datetime) -> list[Incident]:
    """Put every finding of `since` or later that is in no incident into one, and bring incidents up to date with theirs.

    Called after each detection; running it again changes nothing. Returns the incidents that are new or changed.
    """
    incidents = {incident.id: incident for incident in store.incidents(since=since - GAP)}
    home = {id: incident.id for incident in incidents.values() for id in incident.findings}
    changed: dict[str, Incident] = {}
    findings = sorted(store.findings(since=since), key=lambda one: (one.detected_at, one.id))
    for finding in findings:
        place = home.get(finding.id) or _place(finding, incidents.values())
        if place is None:
            if finding.severity.rank < Severity.MEDIUM.rank:
                continue
            place = "inc-" + blake2b(finding.id.encode(), digest_size=6).hexdigest()
        before = incidents.get(place)
        after = store.change_incident(place, lambda stored, finding=finding: joined(stored, finding))  # type: ignore[misc]
        assert after is not None
        incidents[place], home[finding.id] = after, place
        if after != before:
            changed[place] = after
    return list(changed.values())


def joined(incident: Incident | None, finding: Finding) -> Incident | None:
    """The incident with what the finding says by now; None if that is nothing new."""
    if incident is None:
        return Incident(
            id="inc-" + blake2b(finding.id.encode(), digest_size=6).hexdigest(),
            title=finding.title,
            severity=finding.severity,
            start=finding.start,
            end=finding.end,
            detected_at=finding.detected_at,
            findings=[finding.id],
            subjects={name: sorted(of_it) for name, of_it in finding.subjects.items()},
            reasons=[reason_of(finding)],
            history=[Act(at=finding.detected_at, by=REGSIGHT, did="opened", note=finding.title)],
        )
    known = finding.id in incident.findings
    worse = finding.severity.rank > incident.severity.rank
    grown = replace(
        incident,
        start=min(incident.start, finding.start),
        end=max(incident.end, finding.end),
        detected_at=min(incident.detected_at, finding.detected_at),
        findings=incident.findings if known else [*incident.findings, finding.id],
        # A lesser finding is part of the story, but does not widen whom it is about.
        subjects=_united(incident.subjects, finding.subjects)
        if finding.severity.rank >= Severity.MEDIUM.rank
        else incident.subjects,
        severity=finding.severity if worse else incident.severity,
        title=finding.title if worse else incident.title,
        reasons=[*incident.reasons, reason_of(finding)]
        if worse or (not known and finding.severity.rank >= Severity.MEDIUM.rank)
        else incident.reasons,
    )
    if grown == incident:
        return None
    if worse:
        grown = grown.acted(Act(at=finding.detected_at, by=REGSIGHT, did="worse", note=reason_of(finding)))
    elif not known:
        grown = grown.acted(Act(at=finding.detected_at, by=REGSIGHT, did="grew", note=finding.title))
    if worse and incident.state in CLOSED:
        reopened = Act(at=finding.detected_at, by=REGSIGHT, did="reopened", note="it became more severe")
        grown = grown.acted(reopened, state=State.OPEN, closed_at=None, acknowledged_at=None)
    return grown


def reason_of(finding: Finding) -> str:
    """Why it weighs what it does, in a sentence."""
    said = "".join(char if char.isprintable() else "�" for char in finding.observed or finding.title)
    return f"{finding.severity}: {said}"


def _place(finding: Finding, incidents: Iterable[Incident]) -> str | None:
    """The incident that the finding belongs to: the one that shares most names with it, then the earliest."""
    own, silent = _telling(finding.subjects), _silent_one(finding.title)
    best: tuple[int, float, str] | None = None
    for incident in incidents:
        if finding.start > incident.end + GAP or finding.end < incident.start - GAP:
            continue
        if incident.state is State.RESOLVED and incident.closed_at and finding.start > incident.closed_at:
            continue  # it is over: what comes later is a new one
        shared = own & _telling(incident.subjects)
        one_silence = silent is not None and silent == _silent_one(incident.title)
        if one_silence or any(sort != "repository" for sort, _ in shared) or (shared and not _who(finding)):
            rank = (-len(shared), incident.detected_at.timestamp(), incident.id)
            best = rank if best is None else min(best, rank)
    return best[2] if best else None


def _silent_one(title: str) -> str | None:
    """Who fell silent, by the title of a finding of the rule or of the collector's own watch: both speak of one silence."""
    found = _SILENCE.fullmatch(title)
    return found[1] if found else None


def _telling(subjects: Any) -> frozenset[tuple[str, str]]:
    return frozenset(
        (sort, name)
        for sort, of_it in subjects.items()
        if len(of_it) <= MOST_NAMES
        for name in of_it
        if name not in _NOBODY
    )


def _who(finding: Finding) -> bool:
    return bool(finding.subjects.get("actor") or finding.subjects.get("client"))


def _united(one: Any, other: Any) -> dict[str, list[str]]:
    return {name: sorted({*one.get(name, ()), *other.get(name, ())}) for name in ("actor", "client", "repository")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long it took, in seconds; None for what has not happened (yet).

    `detect` is from the first event of the incident to the finding, `notify` on to the first message that was sent,
    `acknowledge` and `close` from the finding on.
    """

    detect: float
    notify: float | None
    acknowledge: float | None
    close: float | None


def times(incident: Incident, deliveries: Iterable[Delivery]) -> Times:
    """`deliveries` are those of the incident's findings."""
    sent = min((one.sent_at for one in deliveries if one.sent_at), default=None)

    def after(moment: datetime | None) -> float | None:
        return None if moment is None else max(0.0, (moment - incident.detected_at).total_seconds())

    return Times(
        detect=max(0.0, (incident.detected_at - incident.start).total_seconds()),
        notify=after(sent),
        acknowledge=after(incident.acknowledged_at),
        close=after(incident.closed_at),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One line of the story. `about` is a finding's id, or empty."""

    at: datetime
    what: str
    about: str = ""


def story(store: Records, incident: Incident) -> list[Chapter]:
    """What happened, what was noticed, who was told and what they did, in order of time."""
    told: list[Chapter] = []
    for id in incident.findings:
        finding = store.finding(id)
        if finding is None:
            continue
        told.append(Chapter(at=finding.start, what=f"began: {finding.title}", about=id))
        told.append(Chapter(at=finding.detected_at, what=f"noticed ({finding.severity}): {finding.observed}", about=id))
        told += [
            Chapter(at=one.sent_at, what=f"told {one.channel}", about=id)
            for one in store.deliveries(id)
            if one.sent_at is not None
        ]
    for act in incident.history:
        if act.by != REGSIGHT or act.did == "reopened":
            told.append(Chapter(at=act.at, what=f"{act.did} by {act.by}" + (f": {act.note}" if act.note else "")))
    return sorted(told, key=lambda one: one.at)


def in_a_sentence(incident: Incident) -> str:
    """Who and what it is about, for lists."""
    who = [*incident.subjects.get("actor", ()), *incident.subjects.get("client", ())]
    about = names(who) if who else names(incident.subjects.get("repository", ()))
    return f"{several(len(incident.findings), 'finding')} about {about or 'the whole registry'}"
