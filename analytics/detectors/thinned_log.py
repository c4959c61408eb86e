"""A log that tells of much less than it used to, of everybody at once: lines are lost, or somebody takes them away.

Notices: the accounts and addresses that are at work around the clock (clusters, health checks, updaters) all fall together, by a
third or more, for four or eight hours, while each hour still tells of something (of a log that is silent the rules
`source_went_silent` and `pulls_went_silent` tell). Needs: a week of history and two such accounts or addresses. Method: each is
held against the same hours of the days before and of the same weekday, whichever is less; counted are only those that never fell
like that before, and how much they vary is learned from them. Wakes nobody for a holiday or a weekend (people and builds pause,
clusters do not) nor for one cluster that was switched off. Never sees: a loss of less than three lines in ten, and the loss of
what one account does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from analytics.daily import days_before, hours_over, settled_days
from analytics.detector import Suspicion
from analytics.places import NOBODY
from analytics.replay import horizon, remember
from analytics.windows import DAY, HOUR
from analytics.wording import number, plain
from store.contract import EventQuery, EventReader
from store.finding import Severity

if TYPE_CHECKING:
    import pandas as pd

WIDTHS = (4, 8)  # hours
PAST = 14  # days
FEWEST_DAYS = 7
AROUND_THE_CLOCK = 0.95  # of all hours, in which a subject was seen
FEWEST_EXPECTED = 20  # events of a subject in a window
STEADY = 0.7  # of its usual amount, that a subject never fell below
LEFT = 0.7  # of what was expected of all of them together, at most
EACH_LEFT = 0.85  # of what was expected of each
SIGMAS = 5.0
FEWEST_SUBJECTS = 2
MOST_EVENTS = 10
Hours = dict[tuple[str, str], np.ndarray]  # (registry, subject) → events by hour


@dataclass(slots=True)
class ThinnedLog:
    """See the top of the file."""

    name: str = "thinned_log"
    subject: str = "registry"
    every: timedelta = HOUR
    history: timedelta = timedelta(days=PAST)
    next_step: str = (
        "Count the lines of one hour at the source and here; look for a replica, collector or log shipper that stopped."
    )
    _kept: dict[datetime, tuple[tuple[datetime, Hours], ...]] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day, begin in settled_days(store, since, now, FEWEST_DAYS * DAY):
            # A window is judged when its last hour is over.
            ends = hours_over(day, since, now)
            if not ends:
                continue
            known = min((day - begin) // DAY, PAST)
            hours = self._until(store, day, now)
            for end in ends:
                found += _judge(store, hours, known, day, end)
        return found

    def _until(self, store: EventReader, day: datetime, now: datetime) -> Hours:
        """The hours of the days before and of the day itself, in one row."""
        days = days_before(store, self.name, day, self.history, self._kept, partial(_hours, store))
        until = min(day + DAY, horizon(store, now))
        return remember(store, f"{self.name} today", day, lambda: _joined(days, day, _hours(store, day, until)))


def _joined(days: Sequence[tuple[datetime, Hours]], day: datetime, today: Hours) -> Hours:
    """Of those that may have been there around the clock: on all days but one that are known."""
    known = sum(bool(hours) for _, hours in days)
    on = Counter(key for _, hours in days for key in hours)
    empty = np.zeros(24)
    found = {}
    for key in (key for key, many in on.items() if many >= known - 1):
        row = np.zeros((PAST + 1) * 24)
        for at, hours in (*days, (day, today)):
            place = (PAST - (day - at) // DAY) * 24
            row[place : place + 24] = hours.get(key, empty)
        found[key] = row
    return found


@dataclass(frozen=True, slots=True)
class _Fallen:
    """What was expected in a window and what came, of each subject that is always there."""

    subjects: dict[str, tuple[float, float]]
    hours: int  # since it began

    @property
    def expected(self) -> float:
        return sum(expected for expected, _ in self.subjects.values())

    @property
    def came(self) -> float:
        return sum(came for _, came in self.subjects.values())


def _hours(store: EventReader, day: datetime, until: datetime | None = None) -> Hours:
    """Events by hour of one day, of each account, of each address where no account is named, and (under an empty name) of the
    whole registry.
    """
    frame: pd.DataFrame = store.counts(day, until or day + DAY, ("registry", "actor", "actor_kind", "client_ip"), HOUR)
    found: Hours = {}
    columns = ("registry", "actor", "actor_kind", "client_ip", "events")
    hours = frame["window_start"].dt.hour
    frame["registry"] = frame["registry"].fillna("")
    for registry, actor, kind, client, many, hour in zip(*(frame[name] for name in columns), hours, strict=True):
        named = isinstance(actor, str) and kind not in NOBODY
        subject = actor if named else client
        for name in {subject, ""} if isinstance(subject, str) else {""}:
            found.setdefault((str(registry), name), np.zeros(24))[hour] += many
    return found


def _judge(store: EventReader, hours: Hours, known: int, day: datetime, end: int) -> Iterator[Suspicion]:
    for registry in sorted({registry for registry, name in hours if not name}):
        for width in WIDTHS:
            fallen = _fallen(hours, registry, known, PAST * 24 + end, width)
            if fallen is not None:
                yield _suspicion(store, registry, fallen, day + end * HOUR, width)
                break


def _fallen(hours: Hours, registry: str, known: int, end: int, width: int) -> _Fallen | None:
    """The subjects that are always there, if they fell together in the `width` hours before `end`."""
    expected, came, _ = _window(hours[registry, ""], known, end, width)
    if came > EACH_LEFT * expected:
        return None  # what some do less others do more: a new proxy in front, a change of names
    subjects: dict[str, tuple[float, float]] = {}
    variance = 0.0
    for (where, name), row in hours.items():
        if where != registry or not name or not _always_there(row, known):
            continue
        expected, came, spread = _window(row, known, end, width)
        if expected < FEWEST_EXPECTED or spread is None:
            continue
        if came > EACH_LEFT * expected:
            return None
        subjects[name] = (expected, came)
        variance += expected * spread
    fallen = _Fallen(subjects, width - _before_it(hours, registry, subjects, known, end, width))
    # What is silent altogether the rules tell of.
    silent = any(hours[registry, ""][end - width : end] == 0) or any(not came for _, came in subjects.values())
    enough = len(subjects) >= FEWEST_SUBJECTS and not silent and fallen.came <= LEFT * fallen.expected
    return fallen if enough and fallen.expected - fallen.came >= SIGMAS * sqrt(variance) else None


def _before_it(hours: Hours, registry: str, subjects: Collection[str], known: int, end: int, width: int) -> int:
    """How many hours at the beginning of the window were as usual."""
    for place in range(width):
        of_hour = [_window(hours[registry, name], known, end - width + place + 1, 1)[:2] for name in subjects]
        if sum(came for _, came in of_hour) <= EACH_LEFT * sum(expected for expected, _ in of_hour):
            return place
    return 0


def _always_there(row: np.ndarray, known: int) -> bool:
    past = row[(PAST - min(known, PAST)) * 24 : PAST * 24]
    return bool((past > 0).mean() >= AROUND_THE_CLOCK)


def _window(row: np.ndarray, known: int, end: int, width: int) -> tuple[float, float, float | None]:
    """What was to be expected in a window, what came, and how much more than by chance such windows vary; None for the last
    where one of the windows before is itself far below the others.
    """
    before = [row[end - width - 24 * back : end - 24 * back].sum() for back in range(1, known)]
    usual = float(np.median(before))
    weeks = [before[back - 1] for back in (7, 14) if back <= len(before)]
    expected = min([usual, *weeks])
    steady = min(before) >= STEADY * usual
    spread = max(float(np.var(before)) / max(float(np.mean(before)), 1.0), 1.0)
    return expected, float(row[end - width : end].sum()), spread if steady else None


def _suspicion(store: EventReader, registry: str, fallen: _Fallen, end: datetime, width: int) -> Suspicion:
    start = end - fallen.hours * HOUR
    share = 1 - fallen.came / fallen.expected
    shown = list(store.events(EventQuery(since=start, until=end, limit=MOST_EVENTS)))
    names = sorted(fallen.subjects, key=lambda name: -fallen.subjects[name][0])
    told = "; ".join(
        f"{plain(name)} {number(came)} instead of {number(usual)}"
        for name in names[:4]
        for usual, came in [fallen.subjects[name]]
    )
    return Suspicion(
        kind="log_thinned",
        cause=("log_thinned", registry, f"{start:%Y-%m-%d}"),
        severity=Severity.MEDIUM,
        title=f"{plain(registry or 'the registry')} tells of {share:.0%} less than usual, of all that are always at work",
        start=start,
        end=end,
        # It is nobody's doing as far as the log says: those who fell silent are in the words.
        subjects={"actor": [], "client": [], "repository": []},
        score=round(fallen.expected / max(fallen.came, 1.0), 3),
        expected=f"{number(fallen.expected)} events of these {len(names)} within {width} hours",
        observed=f"{number(fallen.came)}: {told}",
        evidence=[event["event_id"] for event in shown],
        explanation="Clusters and health checks do not pause together: the log loses lines, or half of the registry's replicas "
        "no longer write to it.",
    )


DETECTOR = ThinnedLog
