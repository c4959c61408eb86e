"""Incidents, findings and outcomes made by hand, for the arithmetic of the evaluation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from regsight.evaluation.outcome import Alarm, Incident, Outcome, Said
from regsight.evaluation.yardsticks import WORDS

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
IDS = tuple(f"{int((NOON + HOUR * n / 4).timestamp() * 1000):012x}" for n in range(4))
UUIDS = tuple(f"{one[:8]}-{one[8:]}-7000-8000-000000000000" for one in IDS)


def incident(kind: str = "A06", *, benign: bool = False, difficulty: str = "blatant", **rest: object) -> Incident:
    usual: dict[str, object] = {
        "id": f"{kind}-1",
        "name": "mass pull",
        "evidence_class": "V",
        "start": NOON,
        "first": NOON,
        "decidable": NOON + HOUR / 4,
        "end": NOON + HOUR,
        "actors": ("mallory",),
        "addresses": ("198.18.0.9",),
        "repositories": ("shop/api", "shop/web"),
        "event_ids": UUIDS,
        "techniques": ("T1213",),
    }
    return Incident(kind=kind, benign=benign, difficulty=difficulty, **(usual | rest))  # type: ignore[arg-type]


def said(kind: str = "pull_surge", severity: str = "high", at: datetime = NOON + HOUR / 2, **rest: object) -> Said:
    usual: dict[str, object] = {
        "detector": "pull_volume",
        "title": "",
        "start": at - HOUR / 4,
        "end": at,
        "actors": ("mallory",),
        "clients": (),
        "repositories": ("shop/api",),
        "score": 1.0,
        "evidence": (),
    }
    return Said(kind=kind, severity=severity, at=at, **(usual | rest))  # type: ignore[arg-type]


def outcome(incidents: list[Incident], told: list[Said], alarms: list[Alarm] | None = None) -> Outcome:
    return Outcome(
        seed=1,
        scenario="distribution",
        preset="small",
        repositories=500,
        weeks=2.0,
        quiet=not incidents,
        judged_from=NOON - 24 * HOUR,
        incidents=incidents,
        said=told,
        yardsticks={name: alarms or [] for name in WORDS},
        lines=1000,
        events=400,
        dead_letters=0,
        seconds={"collect": 1.0},
        peak_mib=100.0,
    )
