"""Whose hands make images and whose only use them: accounts, repositories and projects, as their pushes and pulls tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.account_day import AccountDay
from analytics.replay import EPOCH
from analytics.walk import Memory
from analytics.windows import DAY

MAKER_DAYS = 4  # days with pushes that make an account one that makes images
RUNS = 6  # repositories pulled by an account that runs images
RUN_DAYS = 4
MOST_HOURS = 22  # of the day, in which only machines are at work all of them
FEW_HOURS = 6  # of the day, in which a job is at work
MANY = 10  # pulls of a day
SELDOM = 0.1  # of its pulls with a tool of builds, or of its days with a push
MOST_OF_ALL = 0.6  # of all repositories; whoever pulls from more scans or copies
HOME_SHARE = 0.3  # of an account's pulls in a project that make it its own
USED = 5  # repositories of a project that are pulled from; if nobody pushes to any of them, it fills itself
ENTRY = timedelta(days=4)  # since a stranger's first push in a project: what it does there has been told
PROBATION = timedelta(days=7)  # since the first of an account, or of a project that is only pulled from


@dataclass(slots=True)
class Account:
    """Days with pushes, projects pushed to (since when), those that it came into as a stranger, pulls per project, repositories
    pulled from (as many as matter).
    """

    first: datetime = EPOCH
    push_days: int = 0
    last_push: datetime = EPOCH
    projects: dict[str, datetime] = field(default_factory=dict)
    entered: dict[str, datetime] = field(default_factory=dict)
    pulls: dict[str, int] = field(default_factory=dict)
    repositories: set[str] = field(default_factory=set)
    pull_days: int = 0
    hours: int = 0  # of the day, in which it ever pulled: one bit each
    builds: int = 0  # pulls with a tool of builds
    last_pull: datetime = EPOCH
    writes: datetime = EPOCH  # since when, though it only ever pulled
    wrote: AccountDay = field(default_factory=AccountDay)  # and what, on the last day of it
    loud: bool = False  # where it fetches what it runs
    seen: datetime = EPOCH

    def runs(self, of_all: int) -> bool:
        """Whether it runs images; who pulls from nearly `of_all` repositories scans or copies them."""
        return not self.push_days and self._some(of_all)

    def _some(self, of_all: int) -> bool:
        return self.pull_days >= RUN_DAYS and RUNS <= len(self.repositories) <= MOST_OF_ALL * of_all

    def reads_all(self, of_all: int) -> bool:
        """Whether it goes through nearly everything at a few hours of the day, and pushes nothing: it scans or copies, and uses
        nothing of it."""
        seldom = self.hours.bit_count() <= FEW_HOURS and self.pull_days >= RUN_DAYS
        return seldom and not self.push_days and len(self.repositories) > max(2 * RUNS, MOST_OF_ALL * of_all)

    def steady(self, of_all: int) -> bool:
        """Whether it runs images round the clock and does next to nothing else: no person, no builder, no copy."""
        if self.hours.bit_count() < MOST_HOURS:
            return False
        pulls = sum(self.pulls.values())
        busy = pulls >= MANY * self.pull_days
        return busy and max(self.builds / pulls, self.push_days / self.pull_days) < SELDOM and self._some(of_all)

    def makes(self, at: datetime) -> bool:
        """Whether making images is what it does, as builds do: on half of its days, at least."""
        return self.push_days >= MAKER_DAYS and self.push_days >= 0.5 * ((at - self.first) / DAY)

    def own(self, project: str, before: datetime, *, by_pulls: bool = True) -> bool:
        """Whether it pushed in the project, or works with it: a good part of its pulls, on more than a day (not where it is a
        cache's); or came into it as a stranger long ago.
        """
        total = sum(self.pulls.values())
        return (
            self.projects.get(project, before) < before
            or before - self.entered.get(project, before) >= ENTRY
            or (by_pulls and total >= 4 and self.pulls.get(project, 0) >= HOME_SHARE * total)
        )


@dataclass(slots=True)
class Repository:
    """Pushes so far, by whom; since when it is known; who pulls, by which tags; the strange push that nobody used yet. What was
    pulled, by its hash: only while hardly anybody pushes.
    """

    first: datetime = EPOCH
    pushes: int = 0
    pushers: dict[str, datetime] = field(default_factory=dict)  # account → when first
    pullers: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    strange: Push | None = None
    seen: datetime = EPOCH


@dataclass(slots=True)
class Project:
    """Pushes to any of its repositories, and by whom; since when it is pulled from, and which of them (as many as matter)."""

    pushes: int = 0
    pushers: set[str] = field(default_factory=set)
    pulled: datetime = EPOCH
    used: set[str] = field(default_factory=set)
    seen: datetime = EPOCH

    def cache(self, at: datetime) -> bool:
        """Whether much of it has been used for a while, and nobody pushed."""
        return not self.pushes and EPOCH < self.pulled <= at - PROBATION and len(self.used) >= USED


@dataclass(frozen=True, slots=True)
class Push:
    at: datetime
    actor: str
    client: str | None
    tags: tuple[str, ...]
    digest: str | None
    event_id: str
    made: bool  # the repository itself is new
    known_tag: bool
    makers: int  # accounts whose pushes made it that the account is a stranger
    still: bool  # they push to the project; hardly anybody pushed to the repository
    told: frozenset[str] = frozenset()  # the one who is new to the repository and of whom it was told


@dataclass(slots=True)
class Custom:
    """How many repositories there are, and by whose hands new ones were made that were run."""

    repositories: int = 0
    by_hand: set[str] = field(default_factory=set)
    seen: datetime = EPOCH


def renewed(memory: Memory, repository: Repository, name: str) -> bool:
    """Whether it took over from an account of the same name up to a number, of which nothing was seen since."""
    accounts = memory.table("accounts", Account)
    own = accounts.look(name)
    last = {other: one.seen for other in repository.pushers if (one := accounts.look(other)) is not None}
    return own is not None and follows_kin(name, own.first, last)


def took_over(memory: Memory, repository: Repository, name: str) -> bool:
    """Whether it has made images on several days, and who made those of the repository were silent from its first on."""
    accounts = memory.table("accounts", Account)
    own, known = accounts.look(name), map(accounts.look, repository.pushers)
    before = [one for one in known if one is not None and one is not own and one.push_days >= MAKER_DAYS]
    last = max((one.seen for one in before), default=None)
    return own is not None and own.push_days > 1 and last is not None and last <= own.first


def follows_kin(name: str, first: datetime, last: Mapping[str, datetime]) -> bool:
    """Whether there were accounts of the same name up to a number, all of them silent since `first`. `last`: account → when it
    was seen last.
    """
    kin = [at for other, at in last.items() if _stem(other) == _stem(name)]
    return bool(kin) and all(at <= first for at in kin)


def _stem(name: str) -> str:
    """The name without a number, date or version at its end."""
    stem = name.rstrip("0123456789._-")
    if stem != name and stem.endswith(("-v", "_v", ".v", "+v")):
        stem = stem[:-2]
    return stem or name
