"""What accounts touch for the first time today, held against how far they reached before."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from analytics.acts import CELL, NAMES, Acts, tops
from analytics.firsts import NEVER, pair, parted
from analytics.reach import AT_HOME, DayOfReach, Reach, images_of
from analytics.windows import DAY, HOUR, Floats, Ints, moment, sliding_sums

WEEK = timedelta(days=7)
SETTLED_DAYS = 7
SETTLED_ACTIVE = 5
UNSEEN = timedelta(days=14)  # the end of the past, on which the thresholds are tried
MOST_RAISED = 2.0  # somebody who steals for two weeks must not raise the bar for himself without end
YOUNG = 5  # days since anybody first pulled from a repository, in which those come who will use it
JUST_MADE = timedelta(hours=2)  # after a push, within which a pull is what the push was for
# Width → the threshold at a rate of r new ones a day.
LIMITS = {
    "hour": lambda rate: 4.0 + 8.0 * rate,
    "day": lambda rate: 5.0 + 14.0 * rate,
    "week": lambda rate: 6.0 + 40.0 * rate,
}
SPANS = {"hour": HOUR, "day": DAY, "week": WEEK}
_A_DAY = 1440  # minutes

New = tuple[datetime, float, str]  # when, weight, repository
Pushed = tuple[Ints, Ints, Ints]  # start, account, repository


@dataclass(slots=True)
class Account:
    """One account before the day, and what is new to it today."""

    name: str
    person: bool
    first: datetime
    rate: float  # new repositories a day
    new: list[New]
    fresh: list[New]  # today
    images: dict[tuple[str, int], datetime]  # repository and digest that are new today, and since when
    new_images: dict[datetime, int]  # of earlier days


class Past:
    """What the days before say of all accounts; arrays by number of account."""

    def __init__(self, reach: Reach, day: int, allowed: float) -> None:
        many = len(NAMES["actor"].words)
        self.begin = day - reach.span
        self.first = np.full(many, NEVER, dtype=np.int64)
        self.active = np.zeros(many, dtype=np.int64)
        self.person = np.zeros(many, dtype=bool)
        for one in reversed(reach.days):
            self.first[one.accounts] = one.day
            self.active[one.accounts] += 1
            self.person[one.people] = True
        self.many = int(np.count_nonzero(self.first != NEVER))
        self._born = np.full(len(NAMES["repository"].words), NEVER - YOUNG, dtype=np.int64)
        for one in reach.days:
            self._born[one.repositories[one.repository_before < self.begin]] = one.day
        found = [(one.day, *self._new(one)) for one in reach.days]
        self.actors = _joined(actors for _, actors, _, _ in found)
        self.weights = _joined((weights for _, _, weights, _ in found), np.float64)
        self.repositories = _joined(repositories for *_, repositories in found)
        self.days = _joined(np.full(len(actors), at, dtype=np.int64) for at, actors, _, _ in found)
        self.raised = self._raised(day, int(allowed * (UNSEEN / WEEK)))

    def young(self, repositories: Ints, day: int) -> np.ndarray:
        return np.asarray(day - self._born[repositories] <= YOUNG)

    def _new(self, of_day: DayOfReach) -> tuple[Ints, Floats, Ints]:
        actors, weights, repositories = of_day.new(self.begin)
        old = ~self.young(repositories, of_day.day)
        return actors[old], weights[old], repositories[old]

    def settled(self, day: int) -> np.ndarray:
        known = (self.first != NEVER) & (day - self.first >= SETTLED_DAYS)
        return np.asarray(known & (self.active >= SETTLED_ACTIVE))

    def rates(self, before: int) -> Floats:
        """New repositories a day, a little raised for accounts of which little is known."""
        since = self.first + SETTLED_DAYS
        inside = (self.days >= since[self.actors]) & (self.days < before)
        sums = np.bincount(self.actors[inside], self.weights[inside], minlength=len(self.first))
        return np.asarray((sums + 0.5) / (np.maximum(before - since, 1.0) + SETTLED_DAYS), dtype=np.float64)

    @cached_property
    def _by_actor(self) -> tuple[Ints, Ints]:
        """The rows account by account, each by time, and their accounts."""
        order = np.argsort(self.actors, kind="stable")
        return order, self.actors[order]

    def new_of(self, actor: int) -> list[New]:
        words, (order, actors) = NAMES["repository"].words, self._by_actor
        first, end = np.searchsorted(actors, [actor, actor + 1])
        return [
            (moment(int(self.days[at]) * _A_DAY), float(self.weights[at]), words[self.repositories[at]])
            for at in order[first:end]
        ]

    def _raised(self, day: int, allowed: int) -> dict[str, float]:
        """By how much the thresholds must be raised so that the last two weeks, judged by what was known before them, would
        have given no more false alarms than may be."""
        begin = day - UNSEEN // DAY
        keys, place = np.unique(pair(self.actors, self.days), return_inverse=True)
        actors, days = parted(keys)
        halves = np.bincount(place.ravel(), self.weights * 2, minlength=len(keys)).astype(np.int64)
        tried = np.zeros(len(self.first), dtype=bool)
        tried[actors] = True
        tried &= self.settled(begin)
        recent, rates = days >= begin, self.rates(begin)
        raised = {}
        for width in ("day", "week"):
            sums = sliding_sums(actors, days, halves, SPANS[width] // DAY) / 2
            most = np.zeros(len(self.first))
            np.maximum.at(most, actors[recent], sums[recent])
            worst = np.sort((most / LIMITS[width](rates))[tried])[::-1]
            needed = float(worst[allowed]) * 1.05 if len(worst) > allowed else 1.0
            raised[width] = min(max(1.0, needed), MOST_RAISED)
        return raised | {"hour": raised["day"]}


class Today:
    """What is new on a day as far as it is loaded; whoever judges a moment leaves out what comes later."""

    def __init__(self, reach: Reach, acts: Acts, day: int, allowed: float) -> None:
        self.past = Past(reach, day, allowed)
        self.number, self.day = day, moment(day * _A_DAY)
        self._reach, self._pulls = reach, acts.where(~acts.pushed)
        settled = np.zeros(len(NAMES["actor"].words), dtype=bool)
        of_past = self.past.settled(day)
        settled[: len(of_past)] = of_past
        known = self._pulls.where(settled[self._pulls.codes["actor"]])
        self._fresh = self._new_repositories(known, self._made(acts.where(acts.pushed)))
        self._images = self._new_images(known.where(self.past.person[known.codes["actor"]]))
        times = [(at, actor) for actor, some in self._fresh.items() for at, _, _ in some]
        times += [(at, actor) for actor, images in self._images.items() for at in images.values()]
        self._times = sorted(times)
        self._accounts: dict[str, Account] = {}

    @cached_property
    def _rates(self) -> Floats:
        return self.past.rates(self.number)

    @cached_property
    def _images_before(self) -> dict[int, dict[datetime, int]]:
        """Account → how many images were new to it on each day before, where any were; of people, for only of them it is asked."""
        found: dict[int, dict[datetime, int]] = defaultdict(dict)
        for one in self._reach.days:
            actors, many = one.new_images(self.past.begin)
            people = self.past.person[actors]
            at = moment(one.day * _A_DAY)
            for actor, images in zip(actors[people].tolist(), many[people].tolist(), strict=True):
                found[actor][at] = images
        return found

    def touched(self, start: datetime, end: datetime) -> set[str]:
        """Names of the accounts to which something was new in the cells that touch [start, end)."""
        first = start - timedelta(minutes=CELL) + timedelta.resolution
        cut = self._times[bisect_left(self._times, (first, -1)) : bisect_left(self._times, (end, -1))]
        return {NAMES["actor"].words[actor] for _, actor in cut}

    def account(self, name: str) -> Account:
        """What there is to say of it; worked out once."""
        if name not in self._accounts:
            self._accounts[name] = self._account(name)
        return self._accounts[name]

    def _account(self, name: str) -> Account:
        actor = NAMES["actor"].number(name)
        person = bool(self.past.person[actor])
        return Account(
            name=name,
            person=person,
            first=moment(int(self.past.first[actor]) * _A_DAY),
            rate=float(self._rates[actor]),
            new=self.past.new_of(actor),
            fresh=self._fresh.get(actor, []),
            images=self._images.get(actor, {}),
            new_images=self._images_before.get(actor, {}) if person else {},
        )

    def clients(self, actor: str, repositories: set[str], end: datetime) -> list[str]:
        """Addresses from which the account pulled of these repositories today, before `end`."""
        wanted = [NAMES["repository"].number(one) for one in repositories]
        cut = self._pulls.between(0, -(-int(end.timestamp()) // 60))
        codes = cut.codes
        rows = (codes["actor"] == NAMES["actor"].number(actor)) & np.isin(codes["repository"], wanted)
        found = np.unique(codes["client"][rows & (codes["client"] >= 0)])
        return sorted(NAMES["client"].words[one] for one in found)[:20]

    def company(self, actor: str, repositories: set[str], end: datetime) -> list[str]:
        """Who else met at least half of these repositories for the first time today, before `end`, from an address from which
        it pulled on days before.
        """
        number = NAMES["actor"].number(actor)
        met = {
            one: len({name for at, _, name in some if at < end and name in repositories})
            for one, some in self._fresh.items()
            if one != number
        }
        found = [NAMES["actor"].words[one] for one, many in met.items() if 2 * many >= len(repositories)]
        return sorted(one for one in found if self.usual(one, self.clients(one, repositories, end)))

    def usual(self, actor: str, clients: Sequence[str]) -> int:
        """How many of the addresses the account pulled from on days before."""
        codes = np.asarray([NAMES["client"].number(one) for one in clients], dtype=np.int64)
        known = self._reach.places.of(pair(np.full(len(codes), NAMES["actor"].number(actor)), codes))
        return int(np.count_nonzero(known >= self.past.begin))

    def homes(self, actor: str) -> int:
        """How many addresses the account pulled from on the two days before."""
        number = NAMES["actor"].number(actor)
        places = self._reach.places
        mine = slice(*np.searchsorted(places.keys, [number << 32, (number + 1) << 32]))
        return int(np.count_nonzero(places.days[mine] >= self.number - 2))

    def _made(self, pushes: Acts) -> Pushed:
        """Of today and of the hours before it."""
        since = self.number * _A_DAY - JUST_MADE // timedelta(minutes=1)
        days = (
            [pushes]
            if self._reach.pushes is None
            else [self._reach.pushes.where(self._reach.pushes.starts >= since), pushes]
        )
        starts = _joined(one.starts for one in days)
        actors, repositories = (_joined(one.codes[kind] for one in days) for kind in ("actor", "repository"))
        return starts, actors, repositories

    def _new_repositories(self, pulls: Acts, made: Pushed) -> dict[int, list[New]]:
        """The repositories that an account touches for the first time today, of those that were there for days; not what it
        pushed to itself, nor what anybody has just pushed: an image that was just made is fetched by whom it was made for.
        """
        reach, begin, words = self._reach, self.past.begin, NAMES["repository"].words
        actors, repositories = pulls.codes["actor"], pulls.codes["repository"]
        pairs = pair(actors, repositories)
        strange = (reach.repositories.of(repositories) >= begin) & ~self.past.young(repositories, self.number)
        strange &= (reach.pairs.of(pairs) < begin) & (reach.pushed_pairs.of(pairs) < begin)
        pulls = pulls.where(strange)
        home = pair(pulls.codes["actor"], tops(pulls.codes["repository"]))
        at_home = (reach.projects.of(home) >= begin) | (reach.pushed_projects.of(home) >= begin)
        pushed = _pushes(made, pulls.codes["repository"])
        first: dict[tuple[int, int], tuple[int, float]] = {}
        columns = (pulls.codes["actor"], pulls.codes["repository"], pulls.starts, at_home)
        for actor, repository, at, near in zip(*(column.tolist() for column in columns), strict=True):
            if (actor, repository) not in first and not _explained(pushed[repository], actor, at):
                first[actor, repository] = (at, AT_HOME if near else 1.0)
        found: dict[int, list[New]] = defaultdict(list)
        for (actor, repository), (at, weight) in first.items():
            found[actor].append((moment(at), weight, words[repository]))
        return {actor: sorted(some) for actor, some in found.items()}

    def _new_images(self, pulls: Acts) -> dict[int, dict[tuple[str, int], datetime]]:
        pulls, keys = images_of(pulls)
        keys, place = np.unique(keys, return_index=True)  # of each its first
        place = place[self._reach.images.of(keys) < self.past.begin]
        found: dict[int, dict[tuple[str, int], datetime]] = defaultdict(dict)
        words = NAMES["repository"].words
        columns = (pulls.codes["actor"], pulls.codes["repository"], pulls.digests, pulls.starts)
        for actor, repository, digest, at in zip(*(column[place].tolist() for column in columns), strict=True):
            found[actor][words[repository], digest] = moment(at)
        return found


def _joined(arrays: Iterable[np.ndarray], kind: type = np.int64) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=kind), *arrays])


def _pushes(made: Pushed, repositories: Ints) -> dict[int, list[tuple[int, int]]]:
    """When and by whom, for each of the repositories."""
    chosen = np.isin(made[2], repositories)
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for at, actor, repository in zip(*(column[chosen].tolist() for column in made), strict=True):
        found[repository].append((at, actor))
    return found


def _explained(pushes: list[tuple[int, int]], actor: int, at: int) -> bool:
    just = JUST_MADE // timedelta(minutes=1)
    return any(made <= at and (by == actor or at - made <= just) for made, by in pushes)
