"""Successful pulls and pushes as numbers, day by day: read once for all detectors that count them.

A name is a number (`Names`), so that a month of a large registry is some tens of megabytes and is counted by columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

import numpy as np
import numpy.typing as npt

from analytics.columns import Coded, Columns
from analytics.daily import block_of
from analytics.firsts import MIX, pair
from analytics.windows import DAY, Ints, minute
from store.contract import EventQuery, EventReader
from store.event import INDEX_TYPES, Action, Outcome

Bools = npt.NDArray[np.bool_]

CELL = 5  # minutes
_COLUMNS = (
    "timestamp", "action", "actor", "actor_kind", "client_ip", "repository", "project", "digest", "reference", "media_type",
)  # fmt: skip
_KINDS = ("actor", "client", "repository", "project")
_NO_KIND = 255  # behind all others


@dataclass(slots=True)
class Names:
    """Names of one sort, numbered as they come."""

    words: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _in_order: tuple[Ints, list[str]] = field(default_factory=lambda: (np.zeros(0, dtype=np.int64), []))

    def number(self, word: str) -> int:
        with self._lock:
            if word not in self._numbers:
                self._numbers[word] = len(self.words)
                self.words.append(word)
            return self._numbers[word]

    def numbers(self, column: Coded) -> Ints:
        """One for each row, -1 for null."""
        return np.asarray([*map(self.number, column.values[:-1]), -1], dtype=np.int64)[column.codes]

    def in_order(self) -> tuple[Ints, list[str]]:
        """The place of each number among the words in their order (the last is -1, for null), and these words."""
        with self._lock:
            if len(self._in_order[0]) != len(self.words) + 1:
                order = sorted(range(len(self.words)), key=self.words.__getitem__)
                places = np.full(len(self.words) + 1, -1, dtype=np.int64)
                places[order] = np.arange(len(order))
                self._in_order = places, [self.words[at] for at in order]
            return self._in_order


def by_word(kind: str, codes: Ints) -> Ints:
    """Numbers in the order of the words, null last."""
    found, place = np.unique(codes, return_inverse=True)
    words = NAMES[kind].words
    order = sorted(range(len(found)), key=lambda at: (found[at] < 0, words[found[at]] if found[at] >= 0 else ""))
    ranks = np.empty(len(found), dtype=np.int64)
    ranks[order] = np.arange(len(found))
    return np.asarray(ranks[place.ravel()], dtype=np.int64)


def changes(columns: list[Ints]) -> Bools:
    """Which rows differ from the one before."""
    begins = np.ones(len(columns[0]), dtype=bool)
    begins[1:] = np.logical_or.reduce([values[1:] != values[:-1] for values in columns])
    return begins


# A number means the same in all that is kept from day to day, whichever detector keeps it.
NAMES = {kind: Names() for kind in (*_KINDS, "top")}
_tops: list[int] = []  # by repository
_tops_lock = Lock()


def tops(repositories: Ints) -> Ints:
    """The first part of each repository's name, as numbers of `NAMES["top"]`."""
    words = NAMES["repository"].words
    with _tops_lock:
        _tops.extend(NAMES["top"].number(word.partition("/")[0]) for word in words[len(_tops) :])
        return np.asarray(_tops, dtype=np.int64)[repositories]


@dataclass(frozen=True, slots=True)
class Acts:
    """Pulls and pushes by time. A number of -1 is null."""

    starts: Ints  # minutes since the epoch of the five minutes in which it happened
    pushed: Bools
    codes: dict[str, Ints]  # by sort of name
    actor_kinds: Ints  # in the order of their words, null last
    human: Bools
    internal: Bools  # by the registry itself: what fills a cache
    digests: Ints  # a hash of 64 bits; 0 where there is none
    references: Ints  # the same, of the tag or digest that was asked for

    def where(self, chosen: Bools | Ints | slice) -> Acts:
        codes = {kind: values[chosen] for kind, values in self.codes.items()}
        return Acts(
            self.starts[chosen],
            self.pushed[chosen],
            codes,
            self.actor_kinds[chosen],
            self.human[chosen],
            self.internal[chosen],
            self.digests[chosen],
            self.references[chosen],
        )

    def between(self, first: int, end: int) -> Acts:
        """Those that start in [first, end)."""
        return self.where(slice(*np.searchsorted(self.starts, [first, end])))

    def named(self) -> Acts:
        """Those that name an account and a repository."""
        return self.where((self.codes["actor"] >= 0) & (self.codes["repository"] >= 0))


def acts_of(store: EventReader, day: datetime, now: datetime) -> Acts:
    """Those of the day that begins at `day`, as far as the reader may look (`horizon`)."""
    return block_of(store, "acts", day, now, _read).between(minute(day), minute(day + DAY))


def _read(store: EventReader, since: datetime, until: datetime) -> Acts:
    query = EventQuery(
        since=since,
        until=until,
        action=(Action.PULL, Action.PUSH),
        outcome=(Outcome.SUCCESS,),
        columns=_COLUMNS,
    )
    events = Columns(store.table(query))
    columns = ("actor", "client_ip", "repository", "project")
    acts = Acts(
        starts=events.times() // (CELL * 60_000_000) * CELL,
        pushed=events.fits({"action": Action.PUSH}),
        codes={kind: NAMES[kind].numbers(events.coded(column)) for kind, column in zip(_KINDS, columns, strict=True)},
        actor_kinds=_ranks(events.coded("actor_kind")),
        human=events.fits({"actor_kind": "human"}),
        internal=events.fits({"actor_kind": "internal"}),
        digests=_hashes(events.coded("digest")),
        references=_hashes(events.coded("reference")),
    )
    return acts.where(~_led_on(acts, events))


def _led_on(acts: Acts, events: Columns) -> Bools:
    """Pulls of an index by its digest that led to one of its images: both are one pull, the second."""
    index = (
        ~acts.pushed
        & events.fits({"media_type": [*INDEX_TYPES]})
        & (acts.digests != 0)
        & (acts.references == acts.digests)
    )
    if not index.any():
        return np.asarray(index)
    whose = pair(acts.codes["actor"] + 1, acts.codes["repository"] + 1), pair(acts.starts, acts.codes["client"] + 1)
    keys = whose[0] * MIX ^ whose[1]
    return np.asarray(index & np.isin(keys, keys[~index & ~acts.pushed]))


def _ranks(column: Coded) -> Ints:
    words = column.values[:-1]
    order = sorted(words)
    return np.asarray([*map(order.index, words), _NO_KIND], dtype=np.int64)[column.codes]


def _hashes(column: Coded) -> Ints:
    return hashes(column.values)[column.codes]


def hashes(words: Sequence[str | None]) -> Ints:
    """A hash of 64 bits of each; 0 where there is none."""
    from pandas.util import hash_array

    found = hash_array(np.asarray([word or "" for word in words], dtype=object)).view(np.int64)
    found[[place for place, word in enumerate(words) if not word]] = 0
    return np.asarray(found, dtype=np.int64)
