"""Versions of images, each a repository and what was asked for in it: who pulled which old one for the first time, day by day.

A version is a hash of 64 bits, so that weeks of a large registry are some tens of megabytes; two of a million versions fall
together once in forty million registries.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import ceil

import numpy as np

from analytics.acts import Acts, Bools
from analytics.firsts import MIX, LastSeen
from analytics.windows import Ints

LATELY = 3  # days over which versions add up, and within which a push is new
SETTLED = timedelta(days=7)  # of history, before anything is new to anybody
FEWEST = 8  # more than anybody needs who looks for the build that broke
CUSTOM = 3  # accounts that do it, to make it a custom
SCANS = 40  # versions beyond one of each repository; no person needs so many
_MIX_ACTOR = np.int64(0x7F4A7C159E3779B1)  # odd: spreads over 64 bits, as `MIX`


def version(repositories: Ints, words: Ints) -> Ints:
    """By number of the repository and hash of the tag or digest."""
    return np.asarray(repositories * MIX ^ words, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Day:
    """What accounts pulled on one day, each version once, account by account."""

    day: int  # since the epoch, as all days here
    actors: Ints
    repositories: Ints
    versions: Ints
    before: Ints  # the day on which the account pulled it last
    old: Bools  # nobody pushed it lately

    def of(self, actor: int, begin: int) -> Ints:
        """The places of what the account had not pulled since `begin`."""
        first, end = np.searchsorted(self.actors, [actor, actor + 1])
        return np.asarray(first + np.flatnonzero(self.before[first:end] < begin), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Account:
    """What the days before say of an account: versions that were new to it, by day."""

    begin: int  # the first day that counts
    day: int  # the day that is judged
    days: Ints
    repositories: Ints
    versions: Ints
    old: Bools

    def limit(self) -> int:
        """Versions beyond one of each repository that it may take: three times what it ever had, or has as a rule."""
        settled = self.begin + SETTLED.days
        at = [one for one in np.unique(self.days[self.old]) if settled <= one < self.day - LATELY]
        # The last days are what is judged: whoever goes on must not raise the bar for himself.
        most = max((self._excess(self.old & self._within(one - LATELY + 1, one)) for one in at), default=0)
        spans = max((self.day - LATELY - self.begin) / LATELY, 1.0)
        # New ones too: scanners and mirrors take them all.
        habit = self._excess(self.days < self.day - LATELY) / spans
        return max(FEWEST, 3 * most + 5, ceil(3 * habit))

    def lately(self) -> tuple[Ints, Ints]:
        """Repositories and old versions of the days that count together with the one that is judged."""
        chosen = self.old & self._within(max(self.day - LATELY + 1, self.begin + SETTLED.days), self.day - 1)
        return self.repositories[chosen], self.versions[chosen]

    def _within(self, first: int, last: int) -> Bools:
        return np.asarray((self.days >= first) & (self.days <= last))

    def _excess(self, chosen: Bools) -> int:
        return excess(self.repositories[chosen], self.versions[chosen])


def excess(repositories: Ints, versions: Ints) -> int:
    """How many versions are more than one of their repository."""
    return len(np.unique(versions)) - len(np.unique(repositories))


@dataclass(frozen=True, slots=True)
class Past:
    """What is known at the beginning of a day of the days before."""

    span: int  # days
    days: tuple[_Day, ...] = ()
    pairs: LastSeen = field(default_factory=LastSeen)  # account and version
    pushed: LastSeen = field(default_factory=LastSeen)

    def after(self, acts: Acts, day: int) -> Past:
        """The same at the end of the day."""
        oldest = day + 1 - self.span
        pulls, versions, pairs = pulled(acts)
        pairs, place = np.unique(pairs, return_index=True)
        by_actor = np.argsort(pulls.codes["actor"][place], kind="stable")
        pairs, place = pairs[by_actor], place[by_actor]
        versions = versions[place]
        pushed = self.pushed.seen(_pushed(acts)[1], day, day - LATELY)
        of_day = _Day(
            day=day,
            actors=pulls.codes["actor"][place],
            repositories=pulls.codes["repository"][place],
            versions=versions,
            before=self.pairs.of(pairs),
            old=pushed.of(versions) < day - LATELY,
        )
        return replace(
            self,
            days=(*(one for one in self.days if one.day >= oldest), of_day),
            pairs=self.pairs.seen(pairs, day, oldest),
            pushed=pushed,
        )

    def account(self, actor: int, began: int, day: int) -> Account:
        """`began` is the first day of all."""
        begin = day - self.span
        rows = [(one, one.of(actor, begin)) for one in self.days]
        joined = {
            name: np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(one, name)[at] for one, at in rows)])
            for name in ("repositories", "versions")
        }
        old = np.concatenate([np.zeros(0, dtype=bool), *(one.old[at] for one, at in rows)])
        days = np.repeat([one.day for one, _ in rows], [len(at) for _, at in rows]).astype(np.int64)
        return Account(max(begin, began), day, days, old=old, **joined)

    def custom(self, began: int, day: int) -> int:
        """How many old versions beyond one of each repository people take here: as many as the third of those accounts that took
        the most within three days; 0 where fewer do. Scanners and mirrors, which take far more, do not count.
        """
        settled = max(day - self.span, began) + SETTLED.days
        most: dict[int, int] = {}
        for end in range(day - LATELY, settled - 1, -LATELY):
            days = [one for one in self.days if end - LATELY < one.day <= end]
            if not any(one.old.any() for one in days):
                continue
            actors = np.concatenate([one.actors[one.old] for one in days])
            order = np.argsort(actors, kind="stable")
            repositories = np.concatenate([one.repositories[one.old] for one in days])[order]
            versions = np.concatenate([one.versions[one.old] for one in days])[order]
            names, first = np.unique(actors[order], return_index=True)
            for actor, begin, stop in zip(names.tolist(), first, [*first[1:], len(order)], strict=True):
                if stop - begin >= FEWEST:
                    most[actor] = max(most.get(actor, 0), excess(repositories[begin:stop], versions[begin:stop]))
        many = sorted((amount for amount in most.values() if FEWEST <= amount < SCANS), reverse=True)
        return many[CUSTOM - 1] if len(many) >= CUSTOM else 0

    def taken(self, acts: Acts, day: int) -> Acts:
        """The first pulls, on the day, of versions that are new to the account and were not pushed lately, nor on that day
        before it pulled them.
        """
        pulls, versions, pairs = pulled(acts)
        pairs, place = np.unique(pairs, return_index=True)
        fresh = (self.pairs.of(pairs) < day - self.span) & (self.pushed.of(versions[place]) < day - LATELY)
        starts, made = _pushed(acts)
        made, first = np.unique(made, return_index=True)
        today = LastSeen(made, starts[first]).of(versions[place])  # five minutes of the first push
        fresh &= (today < 0) | (today > pulls.starts[place])
        return pulls.where(np.sort(place[fresh]))


def pulled(acts: Acts) -> tuple[Acts, Ints, Ints]:
    """The pulls that name account and version, the version and the pair of both."""
    known = ~acts.pushed & (acts.codes["actor"] >= 0) & (acts.codes["repository"] >= 0) & (acts.references != 0)
    pulls = acts.where(known)
    versions = version(pulls.codes["repository"], pulls.references)
    return pulls, versions, pulls.codes["actor"] * _MIX_ACTOR ^ versions


def _pushed(acts: Acts) -> tuple[Ints, Ints]:
    """Five minutes and version of each push, by tag and by digest; in the order of time."""
    pushes = acts.where(acts.pushed & (acts.codes["repository"] >= 0) & (acts.references != 0))
    words = np.concatenate([pushes.references, pushes.digests])
    starts, repositories = np.tile(pushes.starts, 2), np.tile(pushes.codes["repository"], 2)
    order = np.argsort(starts, kind="stable")
    order = order[words[order] != 0]
    return starts[order], version(repositories[order], words[order])
