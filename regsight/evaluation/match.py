"""Which findings belong to what was planted, which to nothing.

A finding belongs to an incident if it overlaps [start, end + 24 h] and names one of its accounts or addresses; where
either of them names nobody, one of its repositories. What is planted without names (a log that falls silent) is matched
by findings that name nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from regsight.evaluation.outcome import Incident, Outcome, Said

AFTER = timedelta(hours=24)
CUT = timedelta(seconds=1)  # some logs cut off the fraction of a second
ROUNDED = timedelta(seconds=1)  # some logs cut their times to the second, truth does not
MEDIUM = 2


class _Spoken(Protocol):
    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime: ...


@dataclass(slots=True)
class Matched:
    """An incident and the findings (medium or above) that belong to it, the earliest first."""

    incident: Incident
    said: list[Said] = field(default_factory=list)

    @property
    def found(self) -> bool:
        return bool(self.said)


@dataclass(slots=True)
class Score:
    """One run, taken apart."""

    outcome: Outcome
    attacks: list[Matched]
    surprises: list[Matched]
    false: list[Said]  # one for each cause and day

    @property
    def astray(self) -> list[Said]:
        """False ones at the time and place of an attack that accuse somebody else."""
        return [
            said
            for said in self.false
            if any(overlaps(said, one.incident) and names_place(said, one.incident) for one in self.attacks)
        ]


def overlaps(one: _Spoken, incident: Incident) -> bool:
    """Whether it tells of the time of an incident, or of the day after."""
    return one.start <= incident.end + AFTER and one.end > incident.start - CUT - ROUNDED


def names(said: Said, incident: Incident) -> bool:
    """Whether it names somebody or something that took part, and does not lay it at the door of somebody else."""
    if not (incident.actors or incident.addresses or incident.repositories):
        return not (said.actors or said.clients)
    people = ((said.actors, incident.actors), (said.clients, incident.addresses))
    if any(not set(told).isdisjoint(true) for told, true in people):
        return True
    if any(told and true for told, true in people):
        return False
    return names_place(said, incident)


def names_place(said: Said, incident: Incident) -> bool:
    """Whether it names one of the repositories."""
    return not set(said.repositories).isdisjoint(incident.repositories)


def score(outcome: Outcome, least: int = MEDIUM) -> Score:
    """Findings at rank `least` or above, each given to the attacks it belongs to, else to the surprises, else to none."""
    attacks = [Matched(one) for one in outcome.incidents if not one.benign]
    surprises = [Matched(one) for one in outcome.incidents if one.benign]
    false: list[Said] = []
    for said in sorted(outcome.said, key=lambda one: one.at):
        if said.rank < least or said.end < outcome.judged_from:
            continue
        for crowd in (attacks, surprises):
            mine = [one for one in crowd if overlaps(said, one.incident) and names(said, one.incident)]
            for one in mine:
                one.said.append(said)
            if mine:
                break
        else:
            false.append(said)
    return Score(outcome, attacks, surprises, once_a_day(false))


def once_a_day(said: Sequence[Said]) -> list[Said]:
    """Repeats for the same cause within 24 hours count once."""
    kept: list[Said] = []
    last: dict[tuple[str, ...], datetime] = {}
    for one in said:
        cause = (one.detector, one.kind, *(one.actors or one.clients or one.repositories)[:3])
        if cause not in last or one.at - last[cause] >= AFTER:
            last[cause] = one.at
            kept.append(one)
    return kept
