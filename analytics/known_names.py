"""Which repositories there were in the weeks before a day, how much they were pulled, and who pushed to their projects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from analytics.acts import NAMES, Acts, Bools
from analytics.daily import block_of
from analytics.firsts import pair, parted
from analytics.windows import DAY, Ints
from store.contract import EventReader
from store.event import Outcome

FEWEST_CACHED = 3  # repositories of a project that nobody pushes to: then it is a cache
_FOR_ALL = ("repository", "outcome")


@dataclass(frozen=True, slots=True)
class Known:
    """What the days before say: repositories by name, with pulls, and who pushed to which project."""

    pulls: dict[str, int]
    first: dict[str, datetime]
    pushers: frozenset[tuple[str, str]]
    made: dict[str, tuple[str, ...]]  # last part of the name → repositories of projects that are pushed to here
    caches: frozenset[str]  # projects that are only ever pulled from


@dataclass(frozen=True, slots=True)
class _Day:
    day: datetime
    touched: Ints  # repositories with any success
    pulled: Ints
    pulls: Ints
    pushed: Ints  # repositories
    pushers: Ints  # pairs of account and repository


@dataclass(frozen=True, slots=True)
class Repositories:
    """The days of a span, each counted once."""

    span: timedelta
    days: tuple[_Day, ...] = ()

    def after(self, day: datetime, acts: Acts, touched: Ints) -> Repositories:
        """With one day more, and without those that are too old then."""
        there = acts.where(acts.codes["repository"] >= 0)
        pulled, pulls = np.unique(there.codes["repository"][~there.pushed], return_counts=True)
        pushes = there.where(there.pushed & ~there.internal)
        by = pushes.where(pushes.codes["actor"] >= 0)
        found = _Day(
            day=day,
            touched=touched,
            pulled=pulled,
            pulls=pulls,
            pushed=np.unique(pushes.codes["repository"]),
            pushers=np.unique(pair(by.codes["actor"], by.codes["repository"])),
        )
        kept = tuple(one for one in self.days if one.day >= day + DAY - self.span)
        return replace(self, days=(*kept, found))

    def has(self, codes: Ints) -> Bools:
        """Which of these repositories there were; none of those that have no name is new either."""
        known = np.zeros(len(NAMES["repository"].words) + 1, dtype=bool)
        for one in self.days:
            known[one.touched] = True
        known[-1] = True
        return np.asarray(known[codes])

    def known(self, day: datetime) -> Known:
        """By name."""
        words, actors = NAMES["repository"].words, NAMES["actor"].words
        totals = np.zeros(len(words), dtype=np.int64)
        first: dict[int, datetime] = {}
        for one in self.days:
            totals[one.pulled] += one.pulls
            for code in one.touched.tolist():
                first.setdefault(code, one.day)
        pushed = {words[code] for one in self.days for code in one.pushed.tolist()}
        pushers = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(one.pushers for one in self.days)]))
        names = {words[code]: at for code, at in first.items()}
        made, caches = _made_and_cached(names, {name.partition("/")[0] for name in pushed})
        return Known(
            pulls={words[code]: int(totals[code]) for code in np.flatnonzero(totals)},
            first=names,
            pushers=frozenset(
                (actors[actor], words[repository].partition("/")[0])
                for actor, repository in zip(*(part.tolist() for part in parted(pushers)), strict=True)
            ),
            made=made,
            caches=caches,
        )


def _made_and_cached(names: dict[str, datetime], own: set[str]) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    made: dict[str, list[str]] = {}
    cached: dict[str, int] = {}
    for name in sorted(names):
        project, _, rest = name.partition("/")
        if project in own:
            made.setdefault(rest.rpartition("/")[2] or project, []).append(name)
        else:
            cached[project] = cached.get(project, 0) + 1
    caches = frozenset(name for name, many in cached.items() if many >= FEWEST_CACHED)
    return {last: tuple(some) for last, some in made.items()}, caches


def touched_on(store: EventReader, day: datetime) -> Ints:
    """Repositories with which anything succeeded on a day that is over, as numbers of `NAMES`."""
    return block_of(store, "touched", day, day + DAY, _touched)[day]


def _touched(store: EventReader, since: datetime, until: datetime) -> dict[datetime, Ints]:
    frame = store.counts(since, until, _FOR_ALL, DAY)
    done = frame[(frame["outcome"] == Outcome.SUCCESS) & frame["repository"].notna()]
    number = NAMES["repository"].number
    found = {since + DAY * at: np.zeros(0, dtype=np.int64) for at in range(-(-(until - since) // DAY))}
    for start in done["window_start"].unique():
        codes = [number(str(name)) for name in done["repository"][done["window_start"] == start]]
        found[start.to_pydatetime()] = np.asarray(codes, dtype=np.int64)
    return found
