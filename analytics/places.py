"""Where each account is at home: the networks, tools and projects of the days before, and who is seen elsewhere today."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple

from analytics.daily import block_of, each_day, same
from analytics.ledger import network
from analytics.replay import floor
from analytics.traffic_classes import AROUND_THE_CLOCK
from analytics.windows import DAY, HOUR, MOMENT
from store.contract import EventReader
from store.event import Action, Outcome

if TYPE_CHECKING:
    import pandas as pd

SETTLED_DAYS = timedelta(days=7)
SETTLED_ACTIVE = 4  # days
POOL = 3  # networks of one account in a wider one: machines that are drawn from a pool
SITES = 3  # wider networks of one account: machines in several places, each with a provider of its own
LATELY = 2  # days
RARE = 0.15  # of the days on which an account meets a new network, at most, for one more to be news
BY_HAND = 25  # pulls and pushes a day; more are a machine's
AWAKE_DAYS = timedelta(days=14)
MACHINES = frozenset(("robot", "ci", "node"))  # kinds of account behind which there is no person
NOBODY = ("anonymous", "internal")  # kinds of account behind which there is no one account
# An account that has none but these is a machine's.
MACHINE_TOOLS = frozenset(
    (
        "containerd",
        "cri-o",
        "kaniko",
        "buildkit",
        "buildah",
        "ko",
        "jib",
        "trivy",
        "grype",
        "clair",
        "harbor",
        "argocd",
        "flux",
    )
)
_ASKS = (
    Action.PULL,
    Action.PUSH,
    Action.DELETE,
    Action.CATALOG,
    Action.LIST_TAGS,
    Action.LOGIN,
    Action.TOKEN,
    Action.CHECK,
)
_BY = ("actor", "actor_kind", "client_ip", "client_class")


@dataclass(slots=True)
class Account:
    """One account before the day: when, from which networks, with which tools, how busy, and in which projects."""

    days: list[datetime] = field(default_factory=list)
    networks: set[str] = field(default_factory=set)
    wide: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # wider network → networks in it
    fresh: int = 0  # networks that came up after the first two days
    tools: set[str] = field(default_factory=set)
    work: int = 0  # pulls and pushes
    machine: bool = False
    pushed: bool = False
    projects: set[str] = field(default_factory=set)

    def covers(self, client: str) -> bool:
        """Whether it is at home at an address."""
        return network(client) in self.networks or self.wide.get(_wide(client), 0) >= POOL

    def near(self, client: str) -> bool:
        """Whether any of its networks lies in the same wide one."""
        return self.wide.get(_wide(client), 0) > 0

    @property
    def spread(self) -> bool:
        """Whether it works at several places that have nothing to do with each other."""
        return len(self.wide) >= SITES

    def seldom(self, day: datetime) -> bool:
        """Whether it has been known for long enough, but comes so seldom that its places may not all be known."""
        return len(self.days) < SETTLED_ACTIVE and day - self.days[0] >= SETTLED_DAYS

    def settled(self, day: datetime, least: int = 0) -> bool:
        """Whether enough is known of it, and new networks are rare with it; `least` of them are no sign of roaming."""
        long = len(self.days) >= SETTLED_ACTIVE and day - self.days[0] >= SETTLED_DAYS
        return long and self.fresh <= max(RARE * (len(self.days) - 1), least)


@dataclass(frozen=True, slots=True)
class _Stay:
    """One account on one day: the first address in each network, in the order of the counts, its tools, what it is."""

    clients: tuple[str, ...]
    tools: frozenset[str]
    machine: bool
    pushed: bool


@dataclass(frozen=True, slots=True)
class DayOfPlaces:
    """One day of all accounts, by name: where each was, pulls and pushes, projects, and the hours in which it was served (a
    bit each).
    """

    stays: dict[str, _Stay]
    work: dict[str, int]
    projects: dict[str, frozenset[str]]
    hours: dict[str, int]


Days = tuple[tuple[datetime, DayOfPlaces], ...]


class Accounts(Mapping[str, Account]):
    """All accounts of the days before by name; each is put together when it is asked for."""

    def __init__(self, days: Days, day: datetime) -> None:
        self._days = days
        self._awake = [one for at, one in days if at >= day - AWAKE_DAYS]
        self._names = frozenset[str]().union(*(one.stays for _, one in days))
        self._found: dict[str, Account] = {}

    def __getitem__(self, name: str) -> Account:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._found:
            self._found[name] = self._account(name)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _account(self, name: str) -> Account:
        account = Account()
        for at, day in self._days:
            account.projects.update(day.projects.get(name, ()))
            stay = day.stays.get(name)
            if stay is None:
                continue
            account.days.append(at)
            for client in stay.clients:
                _enter(account, client)
            account.tools |= stay.tools
            account.work += day.work.get(name, 0)
            account.machine = account.machine or stay.machine
            account.pushed = account.pushed or stay.pushed
        awake = reduce(or_, (day.hours.get(name, 0) for day in self._awake), 0).bit_count()
        busy = account.work > BY_HAND * len(account.days) or awake >= AROUND_THE_CLOCK
        account.machine = account.machine or busy or (bool(account.tools) and account.tools <= MACHINE_TOOLS)
        return account


def _enter(account: Account, client: str) -> None:
    if not account.covers(client) and len(account.days) > 2:
        account.fresh += 1
    where = network(client)
    if where not in account.networks:
        account.networks.add(where)
        account.wide[_wide(client)] += 1


class Past:
    """What the days before `day` say. Whose the networks and projects are is worked out where somebody asks."""

    def __init__(self, days: Days, day: datetime, began: datetime | None) -> None:
        self.accounts = Accounts(days, day)
        self.began = began
        self._days = days

    def lately(self, actor: str) -> set[str]:
        """The networks at which an account was on each of the last days."""
        days = [day.stays.get(actor) for _, day in self._days[-LATELY:]]
        each = [set(map(network, stay.clients)) if stay is not None else set() for stay in days]
        return set.intersection(*each) if each else set()

    @cached_property
    def networks(self) -> dict[str, set[str]]:
        """Network → accounts."""
        return by_network((name, stay.clients) for _, day in self._days for name, stay in day.stays.items())

    @cached_property
    def projects(self) -> dict[str, int]:
        """Project → how many accounts used it."""
        found: dict[str, set[str]] = defaultdict(set)
        for _, day in self._days:
            for name, some in day.projects.items():
                for project in some:
                    found[project].add(name)
        return {project: len(names) for project, names in found.items()}


class Seen(NamedTuple):
    """An account at an address, within a minute from `at` on. `served` is False where nothing came of what it asked:
    it is there, but it got nothing.
    """

    at: datetime
    actor: str
    client: str
    served: bool = True


def _wide(client: str) -> str:
    """The first half of an address: /16, or about /32 of IPv6."""
    separator = ":" if ":" in client else "."
    return separator.join(client.split(separator)[:2])


def by_network(stays: Iterable[tuple[str, Iterable[str]]]) -> dict[str, set[str]]:
    """Network → accounts, of accounts and their addresses."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, clients in stays:
        for client in clients:
            found[network(client)].add(name)
    return dict(found)


def day_of_places(store: EventReader, day: datetime) -> DayOfPlaces:
    """Of a day that is over."""
    return block_of(store, "places", day, day + DAY, _read)[day]


def _read(store: EventReader, since: datetime, until: datetime) -> dict[datetime, DayOfPlaces]:
    found = {day: DayOfPlaces({}, {}, {}, {}) for day in each_day(since, until)}
    frame = store.counts(since, until, (*_BY, "action", "outcome"), DAY)
    chosen = (frame["outcome"] == Outcome.SUCCESS) & frame["actor"].notna() & frame["client_ip"].notna()
    frame = frame[chosen & frame["action"].isin(list(_ASKS)) & ~frame["actor_kind"].isin(NOBODY)]
    for day, of_day in _by_window(frame):
        _stayed(of_day, found[day])
    used = store.counts(since, until, ("actor", "project", "outcome"), DAY).dropna(subset=["actor", "project"])
    used = used[used["outcome"] == Outcome.SUCCESS]
    for day, of_day in _by_window(used):
        projects: dict[str, set[str]] = defaultdict(set)
        for actor, project in zip(of_day["actor"], of_day["project"], strict=True):
            projects[actor].add(project)
        found[day].projects.update((actor, same(frozenset(some))) for actor, some in projects.items())
    served = store.counts(since, until, ("actor", "outcome"), HOUR).dropna(subset=["actor"])
    served = served[served["outcome"] == Outcome.SUCCESS]
    for start, of_hour in _by_window(served):
        hours = found[floor(start, DAY)].hours
        for actor in of_hour["actor"]:
            hours[actor] = hours.get(actor, 0) | 1 << start.hour
    return found


def _by_window(frame: pd.DataFrame) -> Iterator[tuple[datetime, pd.DataFrame]]:
    for start, some in frame.groupby("window_start", sort=False):
        at: Any = start
        yield at.to_pydatetime(), some


def _stayed(frame: pd.DataFrame, day: DayOfPlaces) -> None:
    """Enter the counts of one day, in their order."""
    clients: dict[str, dict[str, str]] = defaultdict(dict)  # account → network → its first address
    tools: dict[str, set[str]] = defaultdict(set)
    machines: set[str] = set()
    pushed: set[str] = set()
    columns = ("actor", "actor_kind", "client_ip", "client_class", "action", "events")
    for actor, kind, client, tool, action, many in zip(*(frame[name] for name in columns), strict=True):
        clients[actor].setdefault(network(client), client)
        if isinstance(tool, str):
            tools[actor].add(tool)
        if action in (Action.PULL, Action.PUSH):
            day.work[actor] = day.work.get(actor, 0) + int(many)
        if kind in MACHINES:
            machines.add(actor)
        if action == Action.PUSH:
            pushed.add(actor)
    for actor, places in clients.items():
        stay = _Stay(tuple(places.values()), frozenset(tools.get(actor, ())), actor in machines, actor in pushed)
        day.stays[actor] = same(stay)


def seen(store: EventReader, past: Past, since: datetime, until: datetime) -> list[Seen]:
    """By time. What every account did at home is left out."""
    frame = store.counts(since, until, ("actor", "actor_kind", "client_ip", "action", "outcome"), MOMENT)
    let_in = frame["outcome"].isin([Outcome.SUCCESS, Outcome.FAILURE]) & frame["action"].isin(list(_ASKS))
    frame = frame[let_in & ~frame["actor_kind"].isin(NOBODY) & frame["actor"].notna() & frame["client_ip"].notna()]
    home: dict[tuple[str, str], bool] = {}
    found = []
    columns = ("actor", "client_ip", "outcome", "window_start")
    for actor, client, outcome, at in zip(*(frame[name] for name in columns), strict=True):
        if (actor, client) not in home:
            account = past.accounts.get(actor)
            home[actor, client] = account is not None and account.covers(client)
        if not home[actor, client]:
            found.append(Seen(at.to_pydatetime(), actor, client, outcome == Outcome.SUCCESS))
    return sorted(found, key=lambda one: one.at)
