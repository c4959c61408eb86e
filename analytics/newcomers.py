"""What comes through a pull-through cache that nobody used before: which it is, who brought it, and how much of it is the custom.

A cache keeps copies of others' images: nobody pushes to its project, and behind the project its names have the path of the
registry that they come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from analytics.acts import NAMES, Acts, Bools, tops
from analytics.firsts import MIX, NEVER, LastSeen, pair, parted
from analytics.lone_node import CHANCE, GRACE
from analytics.pullers import FLEET, accounts, pullers
from analytics.windows import Ints, sliding_sums

KNOWN = 3  # days of a cache's use, before what is new in it counts as brought
LATELY = 3  # days over which newcomers add up
FEWEST_COPIES = 3  # in a cache, before what it is can be told
MOSTLY = 0.8  # of a cache's repositories have a path of their own
SWEEP = 20  # repositories for each newcomer: who pulls more goes through everything
PERSON, MACHINE, NODE = range(3)  # sorts of those who pull; a node is one address of an account that has many
PATIENCE = GRACE // timedelta(minutes=1)  # in which others would come for a newcomer as well


@dataclass(frozen=True, slots=True)
class Pulls:
    """Who pulled which repository, where, and since when; of each day once, in order of time."""

    starts: Ints  # minutes since the epoch
    who: Ints  # numbers of `pullers`
    clients: Ints
    repositories: Ints
    sorts: Ints

    def where(self, chosen: Bools | Ints) -> Pulls:
        return Pulls(*(getattr(self, name)[chosen] for name in self.__slots__))

    def and_then(self, later: Pulls) -> Pulls:
        return Pulls(*(np.concatenate([getattr(self, name), getattr(later, name)]) for name in self.__slots__))

    def units(self) -> Ints:
        """One key for each account, and for each node of those that have many."""
        return pair(self.who, np.where(self.sorts == NODE, self.clients + 1, 0))

    def firsts(self) -> Pulls:
        """Of each repository only the first pull: who brought it."""
        return self.where(np.sort(np.unique(self.repositories, return_index=True)[1]))


def _none() -> Pulls:
    return Pulls(*(np.zeros(0, dtype=np.int64) for _ in range(5)))


@dataclass(frozen=True, slots=True)
class Day:
    """What was pulled on a day, and of it what nobody had used before."""

    day: int  # since the epoch
    pulls: Pulls
    new: Pulls
    many: dict[int, int]  # pulls of each account


@dataclass(frozen=True, slots=True)
class Caches:
    """What is known at the beginning of a day."""

    span: int  # days
    seen: LastSeen = field(default_factory=LastSeen)  # repositories
    pushed: LastSeen = field(default_factory=LastSeen)  # projects: first parts of names
    begun: LastSeen = field(default_factory=LastSeen)  # projects, and the day on which each was first seen
    lately: tuple[Day, ...] = ()
    brought: tuple[tuple[int, Pulls], ...] = ()  # days, and who brought what

    def after(self, acts: Acts, day: int) -> Caches:
        """The same at the end of the day."""
        oldest, keys = day + 1 - self.span, acts.codes["repository"][acts.codes["repository"] >= 0]
        keys = np.unique(keys)
        projects, today = np.unique(tops(keys)), self.today(acts, day)
        kept = tuple(one for one in self.brought if one[0] >= oldest)
        return replace(
            self,
            seen=self.seen.seen(keys, day, oldest),
            pushed=self.pushed.seen(_pushed(acts)[0], day, oldest),
            begun=self.begun.seen(projects[self.begun.of(projects) == NEVER], day, 0),
            lately=(*(one for one in self.lately if one.day > day - LATELY), today),
            brought=(*kept, (day, _of_wishes(today))),
        )

    def today(self, acts: Acts, day: int) -> Day:
        """Of a day as far as it is known."""
        repositories, clients = acts.codes["repository"], acts.codes["client"]
        who = pullers(acts.codes["actor"], clients)
        chosen = np.flatnonzero(~acts.pushed & (who >= 0) & (repositories >= 0))
        who, repositories, clients = who[chosen], repositories[chosen], clients[chosen]
        keys = pair(who, repositories) * MIX ^ (clients + 1)
        first = np.sort(np.unique(keys, return_index=True)[1])
        sorts = np.where(np.isin(who, self._fleets()), NODE, np.where(acts.human[chosen], PERSON, MACHINE))
        pulls = Pulls(acts.starts[chosen], who, clients, repositories, sorts).where(first)
        known, many = np.unique(who, return_counts=True)
        new = pulls.where(self._strange(acts, pulls, day))
        return Day(day, pulls, new, dict(zip(known.tolist(), many.tolist(), strict=True)))

    def _fleets(self) -> Ints:
        """Accounts of many nodes: no person has so many addresses within two days."""
        pairs = [np.zeros(0, dtype=np.int64)]
        for one in self.lately[-2:]:
            named = accounts(one.pulls.who) & (one.pulls.clients >= 0)
            pairs.append(pair(one.pulls.who[named], one.pulls.clients[named]))
        who, many = np.unique(parted(np.unique(np.concatenate(pairs)))[0], return_counts=True)
        return who[many >= FLEET]

    def _strange(self, acts: Acts, pulls: Pulls, day: int) -> Bools:
        """Which pulls of a day are of what nobody used before, through a cache."""
        projects = tops(pulls.repositories)
        new = np.asarray((self.seen.of(pulls.repositories) == NEVER) & (self.begun.of(projects) != NEVER))
        if not new.any():
            return new
        new &= np.isin(projects, self._caches(np.unique(projects[new]), day))
        new[new] = [_has_path(code) for code in pulls.repositories[new].tolist()]
        since = LastSeen(*_pushed(acts)).of(projects)
        return np.asarray(new & ((since == NEVER) | (since > pulls.starts)))

    def _caches(self, asked: Ints, day: int) -> Ints:
        """Those of some projects that hold nothing but copies."""
        asked = asked[(self.pushed.of(asked) == NEVER) & (self.begun.of(asked) <= day - KNOWN)]
        projects, found = tops(self.seen.keys), []
        for project in asked.tolist():
            paths = [_has_path(code) for code in self.seen.keys[projects == project].tolist()]
            if len(paths) >= FEWEST_COPIES and sum(paths) >= MOSTLY * len(paths):
                found.append(project)
        return np.asarray(found, dtype=np.int64)

    def most(self, sort: int, first: int, last: int) -> int:
        """The most that one of a sort brought within `LATELY` days, of the days from `first` to `last`."""
        days = [(day, one.where(one.sorts == sort).units()) for day, one in self.brought if first <= day <= last]
        units = np.concatenate([np.zeros(0, dtype=np.int64), *(of_day for _, of_day in days)])
        if not len(units):
            return 0
        codes = np.unique(units, return_inverse=True)[1].ravel()
        at = np.concatenate([np.full(len(of_day), day, dtype=np.int64) for day, of_day in days])
        keys, amounts = np.unique(pair(codes, at), return_counts=True)
        return int(sliding_sums(*parted(keys), np.asarray(amounts, dtype=np.int64), LATELY).max())

    def recent(self) -> tuple[Pulls, Pulls]:
        """What was pulled on the days before that still count, and what of it was new."""
        pulls, new = _none(), _none()
        for one in self.lately[1 - LATELY :]:
            pulls, new = pulls.and_then(one.pulls), new.and_then(one.new)
        return pulls, new


def _pushed(acts: Acts) -> tuple[Ints, Ints]:
    """Projects that were pushed to, and since when."""
    chosen = acts.pushed & (acts.codes["repository"] >= 0)
    projects, first = np.unique(tops(acts.codes["repository"][chosen]), return_index=True)
    return projects, acts.starts[chosen][first]


def _has_path(repository: int) -> bool:
    return NAMES["repository"].words[repository].count("/") >= 2


def _of_wishes(day: Day) -> Pulls:
    """Who brought what, without those who only go through everything there is."""
    first = day.new.firsts()
    units, at = np.unique(day.pulls.units(), return_counts=True)
    mine, place, many = np.unique(first.units(), return_inverse=True, return_counts=True)
    sweeps = at[np.searchsorted(units, mine)] > SWEEP * many
    return first.where(~sweeps[place.ravel()])


def taken_up(first: Pulls, pulls: Pulls) -> Bools:
    """Which newcomers somebody else, or another node, pulled soon after the first; `pulls` are all those of them."""
    order = np.argsort(first.repositories)
    place = order[np.searchsorted(first.repositories[order], pulls.repositories)]
    others = (pulls.units() != first.units()[place]) & (pulls.starts < first.starts[place] + PATIENCE)
    return np.isin(first.repositories, pulls.repositories[others])


def by_chance(pulls: Pulls, first: Pulls, brought: Pulls) -> bool:
    """Whether new work of a cluster, one copy of each, may have fallen on one node."""
    if brought.sorts[-1] != NODE:
        return False
    from scipy.special import bdtrc  # type: ignore[import-untyped]

    nodes = len(np.unique(pulls.clients[pulls.who == brought.who[-1]]))
    of_account = int(np.count_nonzero(first.who == brought.who[-1]))
    return nodes * float(bdtrc(len(brought.starts) - 1, of_account, 1 / nodes)) > CHANCE
