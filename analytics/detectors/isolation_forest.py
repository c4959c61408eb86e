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
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.detector import Suspicion
from analytics.models.forest import Forest
from analytics.models.shelf import Shelf
from analytics.replay import floor, horizon, remember
from analytics.surprise import a_week
from analytics.windows import DAY, HOUR, Floats, actor_hours, minutes
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


@dataclass(frozen=True, slots=True)
class _Day:
    """The actor-hours of one day with their scores, and what the weeks before say about them."""

    features: pd.DataFrame
    scores: Floats
    limit: float
    past: pd.DataFrame
    loudest: Floats  # the highest score of each day before

    def strangeness(self, row: int) -> pd.Series[Any]:
        """Robust z of each feature: against all actors' hours and, where it has enough, its own; the smaller counts."""
        actor, values = self.features.index[row][0], self.features.iloc[row]
        against = _robust_z(values, self.past)
        if self.known_hours(actor) >= _OWN_HOURS:
            own = _robust_z(values, self.past.loc[[actor]])
            against = against.where(against < own, own)
        return against.drop(["hour_sin", "hour_cos"])

    def known_hours(self, actor: Any) -> int:
        """In how many hours before this day the actor did something."""
        starts = self.past.index.get_level_values(0)
        return int((starts == actor).sum())


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
        begin = day - self.history
        features = actor_hours(store, begin, min(day + DAY, horizon(store, now)))
        starts = features.index.get_level_values(1)
        past, today = features[starts < day], features[starts >= day]
        if len(past) < _FEWEST_HOURS or not len(today):
            return None
        known_days = (day - past.index.get_level_values(1).min()) / DAY
        if known_days < _FEWEST_DAYS:
            return None
        fitted = self.models.forest_at(day, list(features.columns)) if self.models else None
        fitted = fitted or Forest.of(forest(len(past)).fit(past.to_numpy()))
        before, scores = fitted.scores(past.to_numpy()), fitted.scores(today.to_numpy())
        proposed = _PROPOSALS * self.alerts_per_week * known_days / 7
        return _Day(
            features=today,
            scores=np.asarray(scores),
            limit=float(np.quantile(before, 1 - min(proposed / len(before), 1.0))),
            past=past,
            loudest=_loudest(before, past),
        )

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


def _loudest(scores: Floats, past: pd.DataFrame) -> Floats:
    days = minutes(past.index.get_level_values(1)) // (24 * 60)
    _, place = np.unique(days, return_inverse=True)
    loudest = np.zeros(place.max() + 1)
    np.maximum.at(loudest, place, scores)
    return loudest


def forest(rows: int) -> Any:
    """An isolation forest to be fitted on so many rows, always the same one."""
    from sklearn.ensemble import IsolationForest

    return IsolationForest(n_estimators=100, max_samples=min(256, rows), random_state=0)


def _robust_z(values: pd.Series[Any], past: pd.DataFrame) -> pd.Series[Any]:
    """Distance from the median in median deviations, none of which is taken for smaller than half a doubling."""
    median = past.median()
    least = np.where(past.columns.str.endswith("_share"), 0.1, 0.5)
    spread = np.maximum(1.4826 * (past - median).abs().median(), least)
    return (values - median) / spread


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
    settled = day.known_hours(actor) >= _OWN_HOURS and "distinct_clients" not in odd.index
    medium = settled and len(odd) >= 2 and float(odd.iloc[1]) >= _VERY_ODD
    middle = day.past.median()
    seen = ", ".join(f"{number(_amount(name, values[name]))} {_WORDS[name]}" for name in odd.index)
    usual = ", ".join(f"{number(_amount(name, middle[name]))} {_WORDS[name]}" for name in odd.index)
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
