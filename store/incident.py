"""An incident: findings about one thing, and what people did about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from store.event import iso
from store.finding import Severity


class State(StrEnum):
    """How far somebody has got with it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"  # somebody has seen it and looks after it
    RESOLVED = "resolved"  # it was what it looked like, and is over
    EXPECTED = "expected"  # closed: that was us


CLOSED = frozenset({State.RESOLVED, State.EXPECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One line of the incident's own audit trail. `did`: opened, grew, worse, acknowledged, assigned, noted, resolved,
    expected, reopened."""

    at: datetime
    by: str
    did: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`start` and `end` are of event time, over all its findings; `detected_at` is that of the first.

    `subjects` as in a finding; `reasons` say why it is as severe as it is. Times of a state are None until it is reached.
    """

    id: str
    title: str
    severity: Severity
    start: datetime
    end: datetime
    detected_at: datetime
    findings: list[str]
    subjects: Mapping[str, list[str]]
    reasons: list[str] = field(default_factory=list)
    state: State = State.OPEN
    owner: str = ""
    acknowledged_at: datetime | None = None
    closed_at: datetime | None = None
    history: list[Act] = field(default_factory=list)

    def acted(self, act: Act, **changes: Any) -> Incident:
        """The same with `changes`, and the act in its history."""
        return replace(self, history=[*self.history, act], **changes)

    def as_json(self) -> dict[str, Any]:
        """The field names of the command line's JSON; times as ISO 8601 UTC."""
        return {
            "id": self.id,
            "title": self.title,
            "severity": str(self.severity),
            "state": str(self.state),
            "owner": self.owner,
            "start": iso(self.start),
            "end": iso(self.end),
            "detected_at": iso(self.detected_at),
            "acknowledged_at": iso(self.acknowledged_at) if self.acknowledged_at else None,
            "closed_at": iso(self.closed_at) if self.closed_at else None,
            "subjects": {name: list(self.subjects.get(name, [])) for name in ("actor", "client", "repository")},
            "reasons": list(self.reasons),
            "findings": list(self.findings),
            "history": [{"at": iso(act.at), "by": act.by, "did": act.did, "note": act.note} for act in self.history],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Incident:
        """The inverse of `as_json`."""
        return Incident(
            id=data["id"],
            title=data["title"],
            severity=Severity(data["severity"]),
            state=State(data["state"]),
            owner=data["owner"],
            start=datetime.fromisoformat(data["start"]),
            end=datetime.fromisoformat(data["end"]),
            detected_at=datetime.fromisoformat(data["detected_at"]),
            acknowledged_at=_time(data["acknowledged_at"]),
            closed_at=_time(data["closed_at"]),
            subjects={name: list(names) for name, names in data["subjects"].items()},
            reasons=list(data["reasons"]),
            findings=list(data["findings"]),
            history=[
                Act(at=datetime.fromisoformat(act["at"]), by=act["by"], did=act["did"], note=act["note"])
                for act in data["history"]
            ],
        )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# What people do about one; each gives the new incident for `Records.change_incident`.


def acknowledge(incident: Incident, by: str, at: datetime, note: str = "") -> Incident:
    """Somebody looks after it; the first time counts."""
    act = Act(at=at, by=by, did="acknowledged", note=note)
    state = incident.state if incident.state in CLOSED else State.ACKNOWLEDGED
    return incident.acted(act, state=state, owner=incident.owner or by, acknowledged_at=incident.acknowledged_at or at)


def close(incident: Incident, by: str, at: datetime, note: str = "", *, expected: bool = False) -> Incident:
    """It is over, or was no attack at all (`expected`). Closing acknowledges."""
    state = State.EXPECTED if expected else State.RESOLVED
    act = Act(at=at, by=by, did=str(state), note=note)
    return incident.acted(
        act,
        state=state,
        closed_at=at,
        owner=incident.owner or by,
        acknowledged_at=incident.acknowledged_at or at,
    )


def reopen(incident: Incident, by: str, at: datetime, note: str = "") -> Incident:
    """It was not over."""
    return incident.acted(
        Act(at=at, by=by, did="reopened", note=note), state=State.OPEN, closed_at=None, acknowledged_at=None
    )


def assign(incident: Incident, by: str, at: datetime, owner: str) -> Incident:
    """Give it to somebody."""
    return incident.acted(Act(at=at, by=by, did="assigned", note=owner), owner=owner)


def remark(incident: Incident, by: str, at: datetime, note: str) -> Incident:
    """Keep what was learned."""
    return incident.acted(Act(at=at, by=by, did="noted", note=note))
