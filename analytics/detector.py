"""What a detector is, and what its score means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from store.contract import EventReader
from store.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What a detector hands to the judge: a finding without id and time of detection.

    `cause` names what makes two suspicions the same one (subject, kind, day …); the judge turns detector + cause into the
    finding's id and merges what overlaps.
    """

    kind: str
    cause: tuple[str, ...]
    severity: Severity
    title: str
    start: datetime
    end: datetime
    subjects: dict[str, list[str]]
    score: float  # 0 = ordinary, higher = stranger, comparable within one detector
    expected: str
    observed: str
    evidence: list[str] = field(default_factory=list)
    explanation: str = ""
    next_step: str = ""  # where it differs from the detector's
    runbook: str | None = None  # of a rule of the user's own
    # How many as strange a week chance gives by the detector's own past (`analytics.surprise`); None: known exactly.
    chance: float | None = None
    # Wrong whatever was before. All else is only unlike the past, of which a new log says nothing (`analytics.newly_read`).
    without_past: bool = False


class Detector(Protocol):
    """One file in `analytics/detectors/` that offers `DETECTOR` (the class, no arguments needed).

    A detector reads only what happened before `now` (it asks the store with until=now), keeps nothing between calls that
    it could not work out again, and gives the same answer for the same store, `since` and `now`.
    """

    name: str
    subject: str  # what it judges: a key of store.contract.SUBJECTS
    every: timedelta  # how often the timetable runs it, and the step of `regsight detect`
    history: timedelta  # how much of the past it wants to see
    next_step: str  # the first thing a person should check when it fires

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        """Judge what happened in [since, now), knowing the history before it and nothing after `now`."""
        ...
