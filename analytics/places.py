"""Where each account is at home: the networks, tools and projects of the days before, and who is seen elsewhere today."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from analytics.ledger import network
from analytics.traffic_classes import AROUND_THE_CLOCK
from analytics.windows import DAY, HOUR, MOMENT
from store.contract import EventReader
from store.event import Action, Outcome

SETTLED_DAYS = timedelta(days=7)
SETTLED_ACTIVE = 4  # days
POOL = 4  # networks of one account in a wider one: machines that are drawn from a pool
RARE = 0.15  # of the days on which an account meets a new network, at most, for one more to be news
BY_HAND = 25  # pulls and pushes a day; more are a machine's
AWAKE_DAYS = timedelta(days=14)
_MACHINES = frozenset(("robot", "ci", "node"))
NOBODY = ("anonymous", "internal")  # kinds of account behind which there is no one account
_MACHINE_TOOLS = frozenset(
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

    def seldom(self, day: datetime) -> bool:
        """Whether it has been known for long enough, but comes so seldom that its places may not all be known."""
        return len(self.days) < SETTLED_ACTIVE and day - self.days[0] >= SETTLED_DAYS

    def settled(self, day: datetime, least: int = 0) -> bool:
        """Whether enough is known of it, and new networks are rare with it; `least` of them are no sign of roaming."""
        long = len(self.days) >= SETTLED_ACTIVE and day - self.days[0] >= SETTLED_DAYS
        return long and self.fresh <= max(RARE * (len(self.days) - 1), least)


@dataclass(frozen=True, slots=True)
class Past:
    accounts: dict[str, Account]
    networks: dict[str, set[str]]  # network → accounts
    projects: dict[str, int]  # project → accounts that used it
    began: datetime | None


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


def learn(store: EventReader, since: datetime, day: datetime) -> Past:
    frame = store.counts(since, day, (*_BY, "action", "outcome"), DAY)
    chosen = (frame["outcome"] == Outcome.SUCCESS) & frame["actor"].notna() & frame["client_ip"].notna()
    frame = frame[chosen & frame["action"].isin(list(_ASKS)) & ~frame["actor_kind"].isin(NOBODY)]
    accounts: dict[str, Account] = {}
    at_network: dict[str, set[str]] = defaultdict(set)
    columns = ("actor", "actor_kind", "client_ip", "client_class", "action", "events", "window_start")
    for actor, kind, client, tool, action, many, start in zip(*(frame[name] for name in columns), strict=True):
        account = accounts.setdefault(actor, Account())
        at = start.to_pydatetime()
        if not account.days or account.days[-1] != at:
            account.days.append(at)
        _enter(account, client, at)
        at_network[network(client)].add(actor)
        if isinstance(tool, str):
            account.tools.add(tool)
        account.work += int(many) if action in (Action.PULL, Action.PUSH) else 0
        account.machine = account.machine or kind in _MACHINES
        account.pushed = account.pushed or action == Action.PUSH
    awake = _awake(store, day)
    for name, account in accounts.items():
        busy = account.work > BY_HAND * len(account.days) or awake.get(name, 0) >= AROUND_THE_CLOCK
        account.machine = account.machine or busy or (bool(account.tools) and account.tools <= _MACHINE_TOOLS)
    used = store.counts(since, day, ("actor", "project", "outcome"), DAY).dropna(subset=["actor", "project"])
    used = used[used["outcome"] == Outcome.SUCCESS]
    projects = used.groupby("project")["actor"].nunique()
    for actor, some in used.groupby("actor")["project"]:
        if (name := str(actor)) in accounts:
            accounts[name].projects.update(some)
    span = store.span()
    return Past(accounts, dict(at_network), {str(k): int(v) for k, v in projects.items()}, span[0] if span else None)


def _awake(store: EventReader, day: datetime) -> dict[str, int]:
    """In how many hours of the day each account was served, on any of the days before."""
    frame = store.counts(day - AWAKE_DAYS, day, ("actor", "outcome"), HOUR).dropna(subset=["actor"])
    served = frame[frame["outcome"] == Outcome.SUCCESS]
    hours = served.assign(hour=[at.hour for at in served["window_start"]]).groupby("actor")["hour"].nunique()
    return {str(actor): int(many) for actor, many in hours.items()}


def _enter(account: Account, client: str, at: datetime) -> None:
    if not account.covers(client) and len(account.days) > 2:
        account.fresh += 1
    where = network(client)
    if where not in account.networks:
        account.networks.add(where)
        account.wide[_wide(client)] += 1


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
