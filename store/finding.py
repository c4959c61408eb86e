"""What a detector has to say, with its evidence, and what is known of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from store.event import iso


class Severity(StrEnum):
    """How soon a person should look. Ordered: compare with `rank`."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info … 4 for critical."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as usual.

    `subjects` maps "actor", "client", "repository" to the names concerned (each list sorted, may be empty);
    `score` is 0 for ordinary and grows with strangeness, comparable within one detector only; `expected` and `observed`
    are sentences with numbers and units; `evidence` holds event ids, at most 50, the first ones first.
    `cause` is what makes two findings the same one: the same detector, cause and day become one id.
    """

    id: str
    detector: str
    kind: str
    severity: Severity
    title: str
    detected_at: datetime
    start: datetime
    end: datetime
    subjects: Mapping[str, list[str]]
    score: float
    expected: str
    observed: str
    evidence: list[str] = field(default_factory=list)
    explanation: str = ""
    next_step: str = ""
    query: str = ""  # the command that shows its events
    causes: list[str] = field(default_factory=list)  # likely ones, with what speaks for and against
    similar: list[str] = field(default_factory=list)  # ids of earlier ones, and what they were marked as
    chance: float | None = None  # how many as strange a week chance gives; None where it is known exactly
    reasons: list[str] = field(default_factory=list)  # why it has its severity and no other
    withdrawn: str = ""  # why it no longer holds: events that were stored late explain it
    runbook: str | None = (
        None  # what to do, or where it says so; None: the page of its detector or rule in `docs/runbooks`
    )

    def as_json(self) -> dict[str, Any]:
        """The finding with the field names of the command line's JSON; times as ISO 8601 UTC."""
        return {
            "id": self.id,
            "detector": self.detector,
            "kind": self.kind,
            "severity": str(self.severity),
            "title": self.title,
            "detected_at": iso(self.detected_at),
            "start": iso(self.start),
            "end": iso(self.end),
            "subjects": {name: list(self.subjects.get(name, [])) for name in ("actor", "client", "repository")},
            "score": self.score,
            "expected": self.expected,
            "observed": self.observed,
            "evidence": list(self.evidence),
            "explanation": self.explanation,
            "next_step": self.next_step,
            "query": self.query,
            "causes": list(self.causes),
            "similar": list(self.similar),
            "chance": self.chance,
            "reasons": list(self.reasons),
            "withdrawn": self.withdrawn,
            "runbook": self.runbook,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Finding:
        """The inverse of `as_json`."""
        return Finding(
            id=data["id"],
            detector=data["detector"],
            kind=data["kind"],
            severity=Severity(data["severity"]),
            title=data["title"],
            detected_at=datetime.fromisoformat(data["detected_at"]),
            start=datetime.fromisoformat(data["start"]),
            end=datetime.fromisoformat(data["end"]),
            subjects={name: list(names) for name, names in data["subjects"].items()},
            score=float(data["score"]),
            expected=data["expected"],
            observed=data["observed"],
            evidence=list(data["evidence"]),
            explanation=data["explanation"],
            next_step=data["next_step"],
            query=data.get("query", ""),  # findings of older releases have none of these
            causes=list(data.get("causes", [])),
            similar=list(data.get("similar", [])),
            chance=data.get("chance"),
            reasons=list(data.get("reasons", [])),
            withdrawn=data.get("withdrawn", ""),
            runbook=data.get("runbook"),
        )


def finding_id(detector: str, *cause: str) -> str:
    """A short stable id: the same detector and cause give the same id, so that running again finds nothing new."""
    return "f-" + blake2b("\x1f".join((detector, *cause)).encode(), digest_size=6).hexdigest()
