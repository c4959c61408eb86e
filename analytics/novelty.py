"""Repositories that an account touches for the first time, and how many of them within a day are more than chance.

"First seen" alone is no evidence: a quarter of all requests go to repositories unseen half a day before. Counted are
therefore only repositories that were there before, touched by accounts that have a settled past.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.windows import Ints, sliding_sums

_SETTLED_AFTER_DAYS = 7  # of being known
_SETTLED_AFTER_ACTIVE_DAYS = 5  # on which it pulled something
_DAY = 1440  # minutes


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

    def of(self, actor: int, first: int, end: int) -> Ints:
        """Codes of the repositories new to `actor` in [first, end)."""
        chosen = (self.actors == actor) & (self.starts >= first) & (self.starts < end)
        return np.asarray(self.repositories[chosen], dtype=np.int64)


def new_pairs(starts: Ints, actors: Ints, repositories: Ints, many_actors: int, begin: int) -> NewPairs:
    """New pairs among the pulls given (by time, no code negative); records and limits are learned from before
    `begin`.
    """
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
    in_a_day = _within_a_day(starts, actors)
    past = starts < begin - _DAY
    records = np.zeros(many_actors, dtype=np.int64)
    np.maximum.at(records, actors[past], in_a_day[past])
    rates = (np.bincount(actors[past], minlength=many_actors) + 1) / (days + _SETTLED_AFTER_ACTIVE_DAYS)
    # With 1,000 accounts and one false alarm a week in all: 4-5 at 0.1 a day, 9-14 at 0.5, 22-46 at 2.
    limits = np.maximum(np.ceil(5 + 14 * rates), 2 * records + 1).astype(np.int64)
    return NewPairs(starts, actors, repositories, in_a_day, records, limits)


def _active_days_before(starts: Ints, actors: Ints) -> Ints:
    """Per row: on how many earlier days its actor did something."""
    key = actors * 10**8 + starts // _DAY
    days = np.unique(key)
    owners = days // 10**8
    rank = np.arange(len(days)) - np.searchsorted(owners, owners)
    return np.asarray(rank[np.searchsorted(days, key)], dtype=np.int64)


def _first_of(codes: Ints, starts: Ints) -> Ints:
    """Per code its first start."""
    first = np.full(int(codes.max(initial=-1)) + 1, np.iinfo(np.int64).max // 2)
    np.minimum.at(first, codes, starts)
    return first


def _first_rows(actors: Ints, repositories: Ints) -> Ints:
    """The rows at which a pair shows for the first time, in order."""
    _, first = np.unique(np.stack([actors, repositories]), axis=1, return_index=True)
    return np.asarray(np.sort(first), dtype=np.int64)


def _within_a_day(starts: Ints, actors: Ints) -> Ints:
    """Per row: how many rows its actor has in the 24 hours up to the end of the row's start."""
    pairs, place, amounts = np.unique(np.stack([actors, starts]), axis=1, return_inverse=True, return_counts=True)
    sums = sliding_sums(pairs[0], pairs[1], np.asarray(amounts, dtype=np.int64), _DAY)
    return np.asarray(sums[place.ravel()], dtype=np.int64)
