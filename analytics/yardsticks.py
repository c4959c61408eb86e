"""Simple ways of finding what is odd, to measure the detectors by: each gives scored alarms, to be cut anywhere.

`fixed`: the thresholds that dashboards have. `seasonal`: a robust z-score per account or address and hour of the day.
`forest`: an isolation forest on what an account did in a day, alone. `isolated`, `components`, `neighbours`: three models
(`analytics.models.days`) on the days of accounts and of repositories. None of them runs in service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from analytics.models import days
from analytics.replay import floor
from analytics.windows import DAY, HOUR, minutes
from store.contract import EventReader

if TYPE_CHECKING:
    import pandas as pd

FAILURES, PULLS, DELETES = 5, 200, 20  # in 5 minutes, an hour, an hour
NIGHT = range(0, 5)  # hours UTC in which a push is one too many
_COUNTS = ("requests", "pulls", "pushes", "deletes", "denied")
_WORTH_KEEPING = {"fixed": 0.2, "seasonal": 3.0, "forest": 0.45} | dict.fromkeys(days.MODELS, 1.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """One alarm of a yardstick: `kind` of subject is actor, client or repository."""

    score: float
    start: datetime
    end: datetime
    kind: str
    subject: str


def readings(store: EventReader, learn_from: datetime, since: datetime, until: datetime) -> dict[str, list[Reading]]:
    """What each yardstick says about [since, until), knowing [learn_from, since). By name."""
    return {
        "fixed": _kept("fixed", _fixed(store, since, until)),
        "seasonal": _kept("seasonal", _seasonal(store, learn_from, since, until)),
        "forest": _kept("forest", _forest(store, learn_from, since, until)),
        **{name: _kept(name, found) for name, found in _models(store, learn_from, since, until).items()},
    }


def _kept(name: str, found: list[Reading]) -> list[Reading]:
    return [one for one in found if one.score >= _WORTH_KEEPING[name]]


def _fixed(store: EventReader, since: datetime, until: datetime) -> list[Reading]:
    """Score 1 is the threshold itself, of whichever rule is furthest above its own."""
    found: list[Reading] = []
    for kind in ("actor", "client"):
        hours = store.windows(floor(since, HOUR), until, HOUR, kind)
        night = np.isin(_hours(hours), list(NIGHT))
        scores = np.maximum.reduce(
            [
                hours["pulls"].to_numpy() / PULLS,
                hours["deletes"].to_numpy() / DELETES,
                np.where(night, hours["pushes"].to_numpy(), 0).astype(np.float64),
            ]
        )
        found += _readings(hours, scores, HOUR, kind)
        cells = store.windows(floor(since, HOUR), until, timedelta(minutes=5), kind)
        found += _readings(cells, cells["bad_credentials"].to_numpy() / FAILURES, timedelta(minutes=5), kind)
    return found


def _seasonal(store: EventReader, learn_from: datetime, since: datetime, until: datetime) -> list[Reading]:
    """The largest z of five counts, each against the same hour of the day in the past; a spread is at least 1."""
    found: list[Reading] = []
    for kind in ("actor", "client"):
        frame = store.windows(floor(learn_from, HOUR), until, HOUR, kind)[list(_COUNTS)]
        past = frame[frame.index.get_level_values(1) < since]
        now = frame[frame.index.get_level_values(1) >= since]
        days = max(int((since - learn_from) / DAY), 1)
        history: dict[tuple[str, int], list[np.ndarray]] = {}
        for subject, hour, row in zip(past.index.get_level_values(0), _hours(past), past.to_numpy(), strict=True):
            history.setdefault((subject, int(hour)), []).append(row)
        scores = np.empty(len(now))
        for place, (subject, hour, row) in enumerate(
            zip(now.index.get_level_values(0), _hours(now), now.to_numpy(), strict=True)
        ):
            rows = history.get((subject, int(hour)), [])
            seen = np.vstack([np.zeros((max(days - len(rows), 0), len(_COUNTS))), *rows]) if rows else np.zeros((1, 5))
            median = np.median(seen, axis=0)
            spread = np.maximum(1.4826 * np.median(np.abs(seen - median), axis=0), 1.0)
            scores[place] = float(((row - median) / spread).max())
        found += _readings(now, scores, HOUR, kind)
    return found


def _forest(store: EventReader, learn_from: datetime, since: datetime, until: datetime) -> list[Reading]:
    """Scores of scikit-learn's IsolationForest on account-days, fitted on the days before `since`."""
    # scikit-learn has its door among the detectors, and a yardstick must not bring a second configuration of it along
    from analytics.detectors.isolation_forest import forest

    frame, features, old = _days(store, learn_from, since, until, "actor")
    if old.sum() < 20 or old.all():
        return []
    scores = -forest(int(old.sum())).fit(features[old]).score_samples(features[~old])
    return _readings(frame[~old], scores, DAY, "actor")


def _days(
    store: EventReader, learn_from: datetime, since: datetime, until: datetime, kind: str
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """The days of each subject, their figures as binary logarithms, and which of them lie before `since`."""
    frame = store.windows(floor(learn_from, DAY), until, DAY, kind)
    return frame, np.log2(1.0 + frame.to_numpy(dtype=np.float64)), np.asarray(frame.index.get_level_values(1) < since)


def _models(store: EventReader, learn_from: datetime, since: datetime, until: datetime) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {name: [] for name in days.MODELS}
    for kind in ("actor", "repository"):
        frame, features, old = _days(store, learn_from, since, until, kind)
        for name, mine in found.items():
            scores = days.scores(name, features[old], features[~old])
            if scores is not None:
                mine += _readings(frame[~old], scores, DAY, kind)
    return found


def _hours(frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(minutes(frame.index.get_level_values(1)) // 60 % 24)


def _readings(frame: pd.DataFrame, scores: np.ndarray, width: timedelta, kind: str) -> list[Reading]:
    return [
        Reading(float(score), start.to_pydatetime(), start.to_pydatetime() + width, kind, str(subject))
        for (subject, start), score in zip(frame.index, scores, strict=True)
        if score > 0
    ]
