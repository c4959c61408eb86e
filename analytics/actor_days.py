"""What actors did in each hour of the weeks before a day, each day asked of the store once (`analytics.windows.actor_hours`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.acts import NAMES, changes
from analytics.daily import block_of
from analytics.firsts import LastSeen, pair
from analytics.replay import days_since_epoch
from analytics.windows import DAY, FEATURES, HOUR, NEW_REPOSITORIES, Floats, Ints, features_of, minutes
from store.contract import EventReader

if TYPE_CHECKING:
    import pandas as pd

_NEW = FEATURES.index(NEW_REPOSITORIES)


@dataclass(frozen=True, slots=True)
class Asked:
    """Of some days: the features of hours of actors, and in which hour of a day an actor first touched a repository."""

    actors: Ints  # numbers of `NAMES`
    hours: Ints  # since the epoch
    values: Floats  # one column for each of `FEATURES`; that of new repositories is 0
    pair_actors: Ints
    pair_repositories: Ints
    pair_hours: Ints

    def of(self, day: int) -> Asked:
        """Of one of them, counted from the epoch."""
        rows, pairs = self.hours // 24 == day, self.pair_hours // 24 == day
        return Asked(
            self.actors[rows],
            self.hours[rows],
            self.values[rows],
            self.pair_actors[pairs],
            self.pair_repositories[pairs],
            self.pair_hours[pairs],
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Hours of actors, by the actors' names and time."""

    places: Ints  # of the actors among all names in their order
    hours: Ints
    values: Floats  # one column for each of `FEATURES`

    def where(self, chosen: np.ndarray) -> Rows:
        return Rows(self.places[chosen], self.hours[chosen], self.values[chosen])

    def frame(self) -> pd.DataFrame:
        """As `analytics.windows.actor_hours` gives them."""
        import pandas as pd

        words = np.asarray(NAMES["actor"].in_order()[1], dtype=object)
        starts = pd.to_datetime(self.hours * 3600, unit="s", utc=True)
        index = pd.MultiIndex.from_arrays([words[self.places], starts], names=["subject", "window_start"])
        return pd.DataFrame(self.values, index=index, columns=list(FEATURES))


@dataclass(frozen=True, slots=True)
class ActorDays:
    """The days of a span before a day."""

    span: timedelta
    days: tuple[tuple[int, Asked, Ints], ...] = ()  # day, what was done, when each of its pairs was seen before
    pairs: LastSeen = field(default_factory=LastSeen)

    def after(self, day: datetime, asked: Asked) -> ActorDays:
        """With one day more, and without those that are too old then."""
        number = days_since_epoch(day)
        oldest = number + 1 - self.span // DAY
        kept = tuple(one for one in self.days if one[0] >= oldest)
        keys = pair(asked.pair_actors, asked.pair_repositories)
        return replace(
            self, days=(*kept, (number, asked, self.pairs.of(keys))), pairs=self.pairs.seen(keys, number, oldest)
        )

    def with_today(self, day: datetime, asked: Asked) -> Rows:
        """All hours of the days and of the day itself."""
        number = days_since_epoch(day)
        first = number - self.span // DAY
        before_today = self.pairs.of(pair(asked.pair_actors, asked.pair_repositories))
        known = (*self.days, (number, asked, before_today))
        actors = np.concatenate([one.actors for _, one, _ in known])
        hours = np.concatenate([one.hours for _, one, _ in known])
        values = np.concatenate([one.values for _, one, _ in known])
        new = [pair(one.pair_actors, one.pair_hours)[before < first] for _, one, before in known]
        keys, many = np.unique(np.concatenate(new), return_counts=True)
        places = NAMES["actor"].in_order()[0][actors]
        order = np.lexsort((hours, places))
        rows = pair(actors[order], hours[order])
        values = values[order]
        if len(keys):
            at = np.minimum(np.searchsorted(keys, rows), len(keys) - 1)
            values[:, _NEW] = np.log2(1.0 + np.where(keys[at] == rows, many[at], 0))
        return Rows(places[order], hours[order], values)


def asked_of(store: EventReader, day: datetime, now: datetime) -> Asked:
    """The day that begins at `day`, as far as the reader may look (`horizon`)."""
    return block_of(store, "asked hours of actors", day, now, _asked).of(days_since_epoch(day))


def _asked(store: EventReader, since: datetime, until: datetime) -> Asked:
    counts = store.windows(since, until, HOUR, "actor")
    pairs = store.counts(since, until, ("actor", "repository"), HOUR).dropna(subset=["actor", "repository"])
    actors, repositories = _numbers("actor", pairs["actor"]), _numbers("repository", pairs["repository"])
    hours = np.asarray(minutes(pairs["window_start"]) // 60, dtype=np.int64)
    order = np.lexsort((hours, repositories, actors, hours // 24))
    columns = [actors[order], repositories[order], hours[order] // 24]
    first = order[changes(columns)] if len(order) else order
    return Asked(
        actors=_numbers("actor", counts.index.get_level_values(0)),
        hours=np.asarray(minutes(counts.index.get_level_values(1)) // 60, dtype=np.int64),
        values=features_of(counts).to_numpy(dtype=np.float64),
        pair_actors=actors[first],
        pair_repositories=repositories[first],
        pair_hours=hours[first],
    )


def _numbers(kind: str, words: Any) -> Ints:
    import pandas as pd

    places, found = pd.factorize(np.asarray(words, dtype=object))
    numbers = [NAMES[kind].number(str(word)) for word in found]
    return np.asarray(numbers, dtype=np.int64)[places] if numbers else np.zeros(0, dtype=np.int64)
