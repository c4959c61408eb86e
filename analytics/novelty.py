"""Repositories that an account touches for the first time, and how many of them within a day are more than chance.

"First seen" alone is no evidence: a quarter of all requests go to repositories unseen half a day before. Counted are
therefore only repositories that were there before, touched by accounts that have a settled past; not those to which
the account has pushed before, nor those to which somebody has pushed within the hours before: an image that was just
made is fetched by whom it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analytics.firsts import pair, parted
from analytics.windows import Ints, sliding_sums

_SETTLED_AFTER_DAYS = 7  # of being known
_SETTLED_AFTER_ACTIVE_DAYS = 5  # on which it pulled something
_DAY = 1440  # minutes
_JUST_MADE = 120  # minutes after a push in which a pull is what the push was for
_PER_ACCOUNT = 1e-3  # a week: how often chance alone brings one account to its limit


@dataclass(frozen=True, slots=True)
class Pushes:
    """Who pushed where, by time; a code of -1 is null."""

    starts: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    actors: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    repositories: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def since(self, first: int) -> Pushes:
        """Those from `first` on."""
        kept = self.starts >= first
        return Pushes(self.starts[kept], self.actors[kept], self.repositories[kept])

    def expected(self, starts: Ints, actors: Ints, repositories: Ints) -> np.ndarray:
        """Per pull whether a push explains it: the account's own at any time before, anybody's just before."""
        return np.asarray(self._own(starts, actors, repositories) | self._just_made(starts, repositories))

    def _own(self, starts: Ints, actors: Ints, repositories: Ints) -> np.ndarray:
        named = self.actors >= 0
        keys, first = np.unique(pair(self.actors[named], self.repositories[named]), return_index=True)
        if not len(keys):
            return np.zeros(len(starts), dtype=bool)
        asked = pair(actors, repositories)
        place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        return np.asarray((keys[place] == asked) & (self.starts[named][first][place] <= starts))

    def _just_made(self, starts: Ints, repositories: Ints) -> np.ndarray:
        order = np.lexsort((self.starts, self.repositories))
        keys = self.repositories[order] * 10**9 + self.starts[order]
        place = np.searchsorted(keys, repositories * 10**9 + starts, side="right") - 1
        before = (
            np.where(place >= 0, keys[np.maximum(place, 0)], -(10**18))
            if len(keys)
            else np.full(len(starts), -(10**18))
        )
        return np.asarray(repositories * 10**9 + starts - before <= _JUST_MADE)


@dataclass(frozen=True, slots=True)
class NewPairs:
    """First touches by settled accounts of repositories that are older than a day, by time (minutes since the
    epoch).
    """

    starts: Ints
    actors: Ints
    repositories: Ints
    in_a_day: Ints  # how many the actor had by then within 24 hours
    records: Ints  # per actor: the most that it ever had in 24 hours of its settled past
    limits: Ints  # per actor: how many within 24 hours are more than chance
    accounts: int  # that did something before the day

    def chance(self, actor: int, many: int) -> float:
        """How many accounts a week chance alone brings to so many within a day."""
        return chance(many / int(self.limits[actor]), self.accounts)

    def of(self, actor: int, first: int, end: int) -> Ints:
        """Codes of the repositories new to `actor` in [first, end)."""
        chosen = (self.actors == actor) & (self.starts >= first) & (self.starts < end)
        return np.asarray(self.repositories[chosen], dtype=np.int64)


def chance(times: float, accounts: int) -> float:
    """How many of the accounts a week chance alone brings to so many times their limit. The tail of an over-dispersed
    count is geometric: twice the limit is as rare as the limit squared.
    """
    return float(accounts * _PER_ACCOUNT**times)


def new_pairs(
    starts: Ints, actors: Ints, repositories: Ints, many_actors: int, begin: int, pushes: Pushes | None = None
) -> NewPairs:
    """New pairs among the pulls given (by time, no code negative) that no push explains; records and limits are learned
    from before `begin`.
    """
    accounts = len(np.unique(actors[starts < begin]))
    active = _active_days_before(starts, actors)
    settled = (active >= _SETTLED_AFTER_ACTIVE_DAYS) & (
        starts - _first_of(actors, starts)[actors] >= _SETTLED_AFTER_DAYS * _DAY
    )
    grown = starts - _first_of(repositories, starts)[repositories] >= _DAY
    past_days = np.unique(
        actors[settled & (starts < begin - _DAY)] * 10**8 + starts[settled & (starts < begin - _DAY)] // _DAY
    )
    days = np.bincount(past_days // 10**8, minlength=many_actors)
    first = _first_rows(actors, repositories)
    first = first[(settled & grown)[first]]
    starts, actors, repositories = starts[first], actors[first], repositories[first]
    if pushes is not None:
        odd = ~pushes.expected(starts, actors, repositories)
        starts, actors, repositories = starts[odd], actors[odd], repositories[odd]
    in_a_day = _within_a_day(starts, actors)
    past = starts < begin - _DAY
    records = np.zeros(many_actors, dtype=np.int64)
    np.maximum.at(records, actors[past], in_a_day[past])
    rates = (np.bincount(actors[past], minlength=many_actors) + 1) / (days + _SETTLED_AFTER_ACTIVE_DAYS)
    # With 1,000 accounts and one false alarm a week in all: 4-5 at 0.1 a day, 9-14 at 0.5, 22-46 at 2.
    limits = np.maximum(np.ceil(5 + 14 * rates), 2 * records + 1).astype(np.int64)
    return NewPairs(starts, actors, repositories, in_a_day, records, limits, accounts)


def _active_days_before(starts: Ints, actors: Ints) -> Ints:
    """Per row: on how many earlier days its actor did something."""
    import pandas as pd

    # Found by hash, in a fifth of the time that sorting all rows takes.
    place, days = pd.factorize(actors * 10**8 + starts // _DAY)
    order = np.argsort(days)
    owners = days[order] // 10**8
    rank = np.empty(len(days), dtype=np.int64)
    rank[order] = np.arange(len(days)) - np.searchsorted(owners, owners)
    return np.asarray(rank[place], dtype=np.int64)


def _first_of(codes: Ints, starts: Ints) -> Ints:
    """Per code its first start."""
    first = np.full(int(codes.max(initial=-1)) + 1, np.iinfo(np.int64).max // 2)
    np.minimum.at(first, codes, starts)
    return first


def _first_rows(actors: Ints, repositories: Ints) -> Ints:
    """The rows at which a pair shows for the first time, in order."""
    import pandas as pd

    return np.flatnonzero(~pd.Series(pair(actors, repositories)).duplicated().to_numpy())


def _within_a_day(starts: Ints, actors: Ints) -> Ints:
    """Per row: how many rows its actor has in the 24 hours up to the end of the row's start."""
    keys, place, amounts = np.unique(pair(actors, starts), return_inverse=True, return_counts=True)
    sums = sliding_sums(*parted(keys), np.asarray(amounts, dtype=np.int64), _DAY)
    return np.asarray(sums[place.ravel()], dtype=np.int64)
