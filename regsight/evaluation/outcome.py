"""What one run gave: findings as they came, what was planted, what it cost. Kept as JSON, so that a long evaluation can
be taken up again and judged anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from store.event import iso

RANKS = ("info", "low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A finding, in its last state. `at` is when it was first worth a person's look (medium or above), or made at all.

    `chance` is what the finding says of it (None: known exactly). One that the budget held back says with `would_be` at
    which severity it would have been told, and with `behind` which detector had told of it already, if that was why.
    `story` is the incident that Regsight made it part of: what a person gets to see as one thing.
    """

    detector: str
    kind: str
    severity: str
    title: str
    at: datetime
    start: datetime
    end: datetime
    actors: tuple[str, ...]
    clients: tuple[str, ...]
    repositories: tuple[str, ...]
    score: float
    evidence: tuple[str, ...] = ()  # ids of requests
    chance: float | None = None
    would_be: str = ""
    behind: str = ""
    story: str = ""

    @property
    def rank(self) -> int:
        return RANKS.index(self.severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A planted scenario, as far as scoring needs it."""

    id: str
    kind: str
    name: str
    benign: bool
    difficulty: str
    evidence_class: str
    start: datetime
    first: datetime | None
    decidable: datetime | None
    end: datetime
    actors: tuple[str, ...]
    addresses: tuple[str, ...]
    repositories: tuple[str, ...]
    event_ids: tuple[str, ...]
    techniques: tuple[str, ...]

    @property
    def scored(self) -> bool:
        """Whether the logs that were there suffice to know of it."""
        return self.decidable is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What a yardstick says: a subject with a score in a span."""

    score: float
    start: datetime
    end: datetime
    actor: str = ""
    client: str = ""
    repository: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run."""

    seed: int
    scenario: str
    preset: str
    repositories: int
    weeks: float
    quiet: bool
    judged_from: datetime
    incidents: list[Incident]
    said: list[Said]
    yardsticks: dict[str, list[Alarm]]
    lines: int
    events: int
    dead_letters: int
    seconds: dict[str, float] = field(default_factory=dict)  # CPU, by stage
    peak_mib: float = 0.0

    @property
    def thousand_weeks(self) -> float:
        """Weeks times thousands of repositories: what false alerts are counted per."""
        return self.weeks * self.repositories / 1000

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), default=iso, ensure_ascii=False), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Outcome:
        data = json.loads(path.read_text(encoding="utf-8"))
        data["incidents"] = [Incident(**_read(one)) for one in data["incidents"]]
        data["said"] = [Said(**_read(one)) for one in data["said"]]
        data["yardsticks"] = {
            name: [Alarm(**_read(one)) for one in alarms] for name, alarms in data["yardsticks"].items()
        }
        return Outcome(**_read(data))


_TIMES = ("at", "start", "end", "first", "decidable", "judged_from")


def _read(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items():
        if name in _TIMES and value is not None:
            value = datetime.fromisoformat(value)
        found[name] = tuple(value) if isinstance(value, list) and name not in ("incidents", "said") else value
    return found
