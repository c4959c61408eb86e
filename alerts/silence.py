"""Silences: who does not want to hear of what, until when, and why. Kept as notes, so that what was silenced stays known."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from store.contract import Records
from store.event import iso
from store.finding import Finding

NOTES = "alerts/silence/"
SUBJECTS = ("actor", "client", "repository")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What matches every pattern that is set is not told before `until`. Patterns are globs (`*`, `?`).

    A pattern on a subject holds if the finding names somebody of that sort and all of them match: a finding about a
    silenced account and another one is told.
    """

    id: str
    created_at: datetime
    until: datetime
    by: str
    why: str
    detector: str | None = None
    kind: str | None = None
    subjects: dict[str, str] = field(default_factory=dict)
    removed_at: datetime | None = None
    removed_by: str = ""

    def active(self, now: datetime) -> bool:
        """Whether it holds now."""
        return now < self.until and self.removed_at is None

    def matches(self, finding: Finding) -> bool:
        """Whether the finding is one of those that it is about."""
        if self.detector is not None and not fnmatchcase(finding.detector, self.detector):
            return False
        if self.kind is not None and not fnmatchcase(finding.kind, self.kind):
            return False
        for subject, pattern in self.subjects.items():
            names = finding.subjects.get(subject, ())
            if not names or not all(fnmatchcase(name, pattern) for name in names):
                return False
        return True

    def about(self) -> str:
        """Its patterns in a few words."""
        patterns = {"detector": self.detector, "kind": self.kind, **self.subjects}
        return ", ".join(f"{name} {pattern}" for name, pattern in patterns.items() if pattern is not None)

    def as_json(self) -> dict[str, Any]:
        """The field names of the command line's JSON."""
        return {
            "id": self.id,
            "created_at": iso(self.created_at),
            "until": iso(self.until),
            "by": self.by,
            "why": self.why,
            "detector": self.detector,
            "kind": self.kind,
            "subjects": dict(self.subjects),
            "removed_at": None if self.removed_at is None else iso(self.removed_at),
            "removed_by": self.removed_by,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Silence:
        """The inverse of `as_json`."""
        times = {name: datetime.fromisoformat(data[name]) for name in ("created_at", "until")}
        removed = data["removed_at"]
        return Silence(**{**data, **times, "removed_at": None if removed is None else datetime.fromisoformat(removed)})


def add(
    store: Records,
    now: datetime,
    until: datetime,
    by: str,
    why: str,
    detector: str | None = None,
    kind: str | None = None,
    subjects: dict[str, str] | None = None,
) -> Silence:
    """Store a new silence.

    Raises:
        ValueError: it would silence everything, or nothing.
    """
    if detector is None and kind is None and not subjects:
        raise ValueError("say what to silence: a detector, a kind, an actor, a client or a repository")
    if until <= now:
        raise ValueError("the end of a silence must lie ahead")
    if not why.strip():
        raise ValueError("say why: the others will ask")
    silence = Silence(
        id="sil-" + secrets.token_hex(4),
        created_at=now,
        until=until,
        by=by,
        why=why.strip(),
        detector=detector,
        kind=kind,
        subjects=dict(subjects or {}),
    )
    store.put_note(NOTES + silence.id, silence.as_json())
    return silence


def remove(store: Records, id: str, by: str, now: datetime) -> Silence | None:
    """End it now; it stays known. None if there is no such silence; one that has ended is left as it is."""
    note = store.note(NOTES + id)
    if note is None:
        return None
    silence = Silence.from_json(note)
    if silence.active(now):
        silence = replace(silence, removed_at=now, removed_by=by)
        store.put_note(NOTES + id, silence.as_json())
    return silence


def silences(store: Records) -> list[Silence]:
    """All there ever were, newest first."""
    found = [Silence.from_json(note) for note in store.notes(NOTES).values()]
    return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)


def silencing(finding: Finding, known: Iterable[Silence], now: datetime) -> Silence | None:
    """The silence that holds for the finding now; the longest of several."""
    holding = [one for one in known if one.active(now) and one.matches(finding)]
    return max(holding, key=lambda one: (one.until, one.id), default=None)
