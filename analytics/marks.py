"""What people said of findings, and what follows from it for those that are like them.

A mark holds for one detector and kind, for the names of one subject of the finding that was marked, and for some time.
`expected` and `not_now` make what is like it inform only; nothing is dropped. Marks are notes of the store: both kinds of
store keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from store.contract import Records
from store.event import iso
from store.finding import Finding, Severity

PREFIX = "marks/"
MOST_NAMES = 20  # more name nobody in particular


class Verdict(StrEnum):
    """What a finding was."""

    EXPECTED = "expected"
    ATTACK = "attack"
    NOT_NOW = "not_now"


DEFAULT_SPAN = {
    Verdict.EXPECTED: timedelta(days=30),
    Verdict.ATTACK: timedelta(days=365),
    Verdict.NOT_NOW: timedelta(days=1),
}
_QUIET = (Verdict.EXPECTED, Verdict.NOT_NOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing said. `names` are those of `subject` in the finding, to which it is bound."""

    id: str
    finding: str
    verdict: Verdict
    detector: str
    kind: str
    subject: str
    names: tuple[str, ...]
    by: str
    at: datetime
    until: datetime
    note: str = ""
    removed_at: datetime | None = None

    def like(self, finding: Finding) -> bool:
        """Whether a finding is of the same detector and kind, and about nobody else than the names marked."""
        named = finding.subjects.get(self.subject, [])
        same = (finding.detector, finding.kind) == (self.detector, self.kind)
        return same and bool(named) and set(named) <= set(self.names)

    def holds(self, now: datetime) -> bool:
        return self.at <= now < self.until and (self.removed_at is None or now < self.removed_at)

    def as_json(self) -> dict[str, Any]:
        return {
            name: iso(value) if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Mark:
        removed = data.get("removed_at")
        return Mark(
            **{
                **data,
                "verdict": Verdict(data["verdict"]),
                "names": tuple(data["names"]),
                "at": datetime.fromisoformat(data["at"]),
                "until": datetime.fromisoformat(data["until"]),
                "removed_at": datetime.fromisoformat(removed) if removed else None,
            }
        )


def subject_of(finding: Finding) -> str | None:
    """What a mark is bound to if nobody says: the first of actor, client, repository that the finding names narrowly."""
    return next(
        (name for name in ("actor", "client", "repository") if 0 < len(finding.subjects.get(name, [])) <= MOST_NAMES),
        None,
    )


def make(
    finding: Finding,
    verdict: Verdict,
    subject: str,
    by: str,
    now: datetime,
    span: timedelta | None = None,
    note: str = "",
) -> Mark:
    """A mark for this finding and what is like it, from now on."""
    names = tuple(sorted(finding.subjects.get(subject, [])))
    id = "m-" + blake2b(f"{finding.id}\x1f{verdict}\x1f{subject}\x1f{iso(now)}".encode(), digest_size=5).hexdigest()
    return Mark(
        id=id,
        finding=finding.id,
        verdict=verdict,
        detector=finding.detector,
        kind=finding.kind,
        subject=subject,
        names=names,
        by=by,
        at=now,
        until=now + (DEFAULT_SPAN[verdict] if span is None else span),
        note=note,
    )


def put(store: Records, mark: Mark) -> None:
    store.put_note(PREFIX + mark.id, mark.as_json())


def marks(store: Records) -> list[Mark]:
    """All that were ever made and not removed, newest first; also those whose time is over."""
    found = [Mark.from_json(data) for data in store.notes(PREFIX).values()]
    return sorted((one for one in found if one.removed_at is None), key=lambda one: (one.at, one.id), reverse=True)


def remove(store: Records, id: str, now: datetime) -> Mark | None:
    """Take it back; None if there is none such. What it did to findings of the past stays as it was told."""
    data = store.note(PREFIX + id)
    if data is None or data.get("removed_at"):
        return None
    mark = replace(Mark.from_json(data), removed_at=now)
    put(store, mark)
    return mark


def marked(finding: Finding, known: Iterable[Mark], now: datetime) -> Finding:
    """The finding as it is told in the light of the marks: the newest one that holds and fits speaks."""
    fitting = [mark for mark in known if mark.holds(now) and mark.like(finding)]
    if not fitting:
        return finding
    mark = max(fitting, key=lambda one: (one.at, one.id))
    who = f"by {mark.by} on {mark.at:%Y-%m-%d} (mark {mark.id}, until {mark.until:%Y-%m-%d})"
    if mark.verdict in _QUIET:
        was = "expected" if mark.verdict is Verdict.EXPECTED else "not to be told for now"
        said = f"Would be {finding.severity}; {mark.finding}, which is like it, was marked as {was} {who}."
        return replace(finding, severity=Severity.INFO, explanation=f"{finding.explanation} {said}".strip())
    said = f"{mark.finding}, which is like it, was marked as an attack {who}."
    return replace(finding, explanation=f"{finding.explanation} {said}".strip())


def silenced(mark: Mark, findings: Sequence[Finding]) -> list[Finding]:
    """Which of these findings would have informed only, had the mark been there."""
    quiet = mark.verdict in _QUIET
    return [one for one in findings if quiet and one.severity is not Severity.INFO and mark.like(one)]
