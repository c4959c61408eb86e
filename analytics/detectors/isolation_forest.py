"""Hours of an actor that are unlike all hours seen before, by many features at once.

Notices: odd mixtures that no single count gives away (many repositories with few pulls, pushes together with deletes
and failures). Assumes that actors are named. Needs seven days of history before it speaks. Method: scikit-learn's
IsolationForest, trained by schedule (`regsight models`) or fitted each day on the actor-hours of the weeks before, proposes
the hours whose score lies in the extreme quantile of its training scores, five times as many as the budget allows; said
are those with features that are odd by themselves, against all actors and the actor's own past. A forest cannot see a feature that
never varied before (the first deletes of all). It never says more than medium. First check: what the named features say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.actor_days import ActorDays, Rows, asked_of
from analytics.daily import carried
from analytics.detector import Suspicion
from analytics.models.forest import Forest
from analytics.models.shelf import Shelf
from analytics.replay import floor, remember
from analytics.surprise import a_week
from analytics.windows import DAY, FEATURES, HOUR, Floats, Ints
from analytics.wording import names, number, plain
from store.contract import EventQuery, EventReader
from store.finding import Severity

if TYPE_CHECKING:
    import pandas as pd

_FEWEST_DAYS = 7
_FEWEST_HOURS = 100  # actor-hours; fewer do not fill a tree
_PROPOSALS = 5  # times the budget: scores saturate at the top, so the features have the last word
_OWN_HOURS = 12  # of an actor, to compare it with itself and to say more than low
_ALIKE = 4  # accounts odd by the same feature in one hour
_ODD = 4.0  # robust z from which on a feature counts as odd
_VERY_ODD = 8.0
_WORDS = {
    "requests": "requests",
    "pulls": "pulls",
    "pushes": "pushes",
    "deletes": "deletes",
    "distinct_clients": "addresses",
    "distinct_repositories": "repositories",
    "distinct_digests": "digests",
    "megabytes": "MB moved",
    "denied_share": "% denied",
    "failure_share": "% failed",
    "new_repositories": "repositories new to it",
}


@dataclass(frozen=True)
class _Day:
    """The actor-hours of one day with their scores, and what the weeks before say about them."""

    features: pd.DataFrame
    places: Ints  # of the actors, as in `past`
    scores: Floats
    limit: float
    past: Rows
    loudest: Floats  # the highest score of each day before

    @cached_property
    def usual(self) -> _Usual:
        """Of all actors' hours."""
        return _usual(self.past.values)

    def strangeness(self, row: int) -> pd.Series[Any]:
        """Robust z of each feature: against all actors' hours and, where it has enough, its own; the smaller counts."""
        values = self.features.iloc[row]
        against = self.usual.z(values)
        if self.known_hours(row) >= _OWN_HOURS:
            own = _usual(self.past.values[self._own(row)]).z(values)
            against = against.where(against < own, own)
        return against.drop(["hour_sin", "hour_cos"])

    def known_hours(self, row: int) -> int:
        """In how many hours before this day the actor did something."""
        own = self._own(row)
        return int(own.stop - own.start)

    def _own(self, row: int) -> slice:
        place = self.places[row]
        return slice(*np.searchsorted(self.past.places, [place, place + 1]))


@dataclass(frozen=True, slots=True)
class _Usual:
    """Middle and spread of each feature; a spread in median deviations, none smaller than half a doubling."""

    median: Floats
    spread: Floats

    def z(self, values: pd.Series[Any]) -> pd.Series[Any]:
        return (values - self.median) / self.spread


def _usual(past: Floats) -> _Usual:
    median = np.median(past, axis=0)
    least = np.asarray([0.1 if name.endswith("_share") else 0.5 for name in FEATURES])
    return _Usual(median, np.maximum(1.4826 * np.median(np.abs(past - median), axis=0), least))


@dataclass(slots=True)
class ActorHours:
    """See the top of the file."""

    alerts_per_week: float = 3.0
    models: Shelf | None = None  # trained ones of the store; without one in service a forest is fitted each day
    name: str = "isolation_forest"
    subject: str = "actor"
    every: timedelta = HOUR
    history: timedelta = timedelta(days=28)
    next_step: str = "Look at what the actor did in this hour, and ask its owner about the features that are named."
    _kept: dict[datetime, ActorDays] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        hour = floor(since, HOUR)
        while hour + HOUR <= now:
            day = floor(hour, DAY)
            compute = partial(self._day, store, day, now)
            judged = remember(store, "actor hours", (day, self.alerts_per_week), compute)
            if judged is not None:
                found += self._hour(store, judged, hour)
            hour += HOUR
        return found

    def _day(self, store: EventReader, day: datetime, now: datetime) -> _Day | None:
        """Scores of the day's hours by a forest that knows only the days before. Rows of hours that are still to come
        or not complete may be in it: each row tells of its own hour alone."""
        rows = self._before(store, day).with_today(day, asked_of(store, day, now))
        first = int(day.timestamp()) // 3600
        past, today = rows.where(rows.hours < first), rows.where(rows.hours >= first)
        if len(past.hours) < _FEWEST_HOURS or not len(today.hours):
            return None
        known_days = (first - int(past.hours.min())) / 24
        if known_days < _FEWEST_DAYS:
            return None
        scores_before, scores = self._scores(day, past.values, today.values)
        proposed = _PROPOSALS * self.alerts_per_week * known_days / 7
        return _Day(
            features=today.frame(),
            places=today.places,
            scores=scores,
            limit=float(np.quantile(scores_before, 1 - min(proposed / len(scores_before), 1.0))),
            past=past,
            loudest=_loudest(scores_before, past.hours // 24),
        )

    def _before(self, store: EventReader, day: datetime) -> ActorDays:
        def after(before: ActorDays, over: datetime) -> ActorDays:
            return before.after(over, asked_of(store, over, over + DAY))

        return carried(store, self.name, day, self.history, self._kept, lambda: ActorDays(self.history), after)

    def _scores(self, day: datetime, past: Floats, today: Floats) -> tuple[Floats, Floats]:
        """By the forest in service, or by one that is made of the past."""
        trained = self.models.forest_at(day, FEATURES) if self.models else None
        if trained is not None:
            return trained.scores(past), trained.scores(today)
        grown = forest(len(past)).fit(past)
        made = Forest.of(grown)
        return made.scores(past, grown), made.scores(today, grown)

    def _hour(self, store: EventReader, day: _Day, hour: datetime) -> list[Suspicion]:
        rows = np.flatnonzero(
            np.asarray(day.features.index.get_level_values(1) == hour) & (day.scores > max(day.limit, 0.5))
        )
        odd = {int(row): _odd_features(day, int(row)) for row in rows}
        alike = Counter(features.index[0] for features in odd.values() if len(features))
        found: list[Suspicion] = []
        for name, many in alike.items():
            of_kind = [row for row, features in odd.items() if len(features) and features.index[0] == name]
            if many >= _ALIKE:
                found.append(_many_alike(store, day, of_kind, str(name), hour))
            else:
                found += [_suspicion(store, day, row, odd[row], hour) for row in of_kind]
        return found


def _loudest(scores: Floats, days: Ints) -> Floats:
    _, place = np.unique(days, return_inverse=True)
    loudest = np.zeros(place.max() + 1)
    np.maximum.at(loudest, place, scores)
    return loudest


def forest(rows: int) -> Any:
    """An isolation forest to be fitted on so many rows, always the same one."""
    from sklearn.ensemble import IsolationForest

    return IsolationForest(n_estimators=100, max_samples=min(256, rows), random_state=0)


def _odd_features(day: _Day, row: int) -> pd.Series[Any]:
    """At most three features that are odd by themselves, the oddest first; none if one alone is not odd enough."""
    strangeness = day.strangeness(row)
    odd = strangeness[strangeness >= _ODD].sort_values(ascending=False, kind="stable").head(3)
    return odd.iloc[:0] if len(odd) == 1 and odd.iloc[0] < 2 * _VERY_ODD else odd


def _many_alike(store: EventReader, day: _Day, rows: list[int], feature: str, hour: datetime) -> Suspicion:
    """Many accounts odd in the same way in the same hour have one cause; other detectors look for it."""
    actors = sorted(str(day.features.index[row][0]) for row in rows)
    what = _WORDS[feature].removeprefix("% ")
    events = store.events(EventQuery(since=hour, until=hour + HOUR))
    touched = list(islice((event for event in events if event["actor"] in actors), 200))
    return Suspicion(
        kind="odd_hour_of_many",
        cause=("many", feature, f"{hour:%Y-%m-%d}"),
        severity=Severity.LOW,
        title=f"{len(actors)} accounts with an hour unlike any before, all by: {what}",
        start=hour,
        end=hour + HOUR,
        subjects={
            "actor": actors[:50],
            "client": sorted({event["client_ip"] for event in touched if event["client_ip"]})[:20],
        },
        score=round(float(max(day.scores[row] for row in rows)), 4),
        expected=f"fewer than {_ALIKE} accounts that are odd in the same way in the same hour",
        observed=f"{len(actors)} accounts: {names(actors)}",
        evidence=[event["event_id"] for event in touched],
        explanation="The same change for many accounts in the same hour: an outage, a release, or one source behind all.",
    )


def _suspicion(store: EventReader, day: _Day, row: int, odd: pd.Series[Any], hour: datetime) -> Suspicion:
    """One account's odd hour, by its odd features."""
    actor, values = str(day.features.index[row][0]), day.features.iloc[row]
    settled = day.known_hours(row) >= _OWN_HOURS and "distinct_clients" not in odd.index
    medium = settled and len(odd) >= 2 and float(odd.iloc[1]) >= _VERY_ODD
    middle = dict(zip(FEATURES, day.usual.median.tolist(), strict=True))
    seen = ", ".join(f"{number(_amount(name, values[name]))} {_WORDS[name]}" for name in odd.index)
    usual = ", ".join(f"{number(_amount(name, middle[str(name)]))} {_WORDS[name]}" for name in odd.index)
    touched = list(store.events(EventQuery(since=hour, until=hour + HOUR, actor=actor, limit=200)))
    return Suspicion(
        kind="odd_actor_hour",
        cause=(actor, f"{hour:%Y-%m-%d}"),
        severity=Severity.MEDIUM if medium else Severity.LOW,
        title=f"{plain(actor)}: an hour unlike any before: {seen}",
        start=hour,
        end=hour + HOUR,
        subjects={
            "actor": [actor],
            "client": sorted({event["client_ip"] for event in touched if event["client_ip"]})[:20],
            "repository": sorted({event["repository"] for event in touched if event["repository"]})[:20],
        },
        score=round(float(day.scores[row]), 4),
        expected=f"in the middle of all actors' hours: {usual}",
        observed=f"in one hour: {seen}",
        evidence=[event["event_id"] for event in touched],
        explanation="Furthest from the middle: "
        + ", ".join(f"{_WORDS[str(name)]} ({z:.0f} spreads above)" for name, z in odd.items()),
        chance=a_week(float(day.scores[row]), day.loudest, len(day.loudest) / 7),
    )


def _amount(name: str, value: float) -> float:
    """A feature back in the unit of its word."""
    return value * 100 if name.endswith("_share") else float(2**value - 1)


DETECTOR = ActorHours
