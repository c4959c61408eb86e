"""What each account does as a rule, and with which tools: the sorts of work and the clients of the days before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from analytics.daily import block_of, each_day, same
from analytics.day_events import MOST_EVENTS, done_by
from analytics.places import MACHINE_TOOLS, MACHINES, NOBODY
from analytics.replay import behind, floor
from analytics.traffic_classes import MOST_BY_HAND, around_the_clock
from analytics.windows import DAY, HOUR, MOMENT
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome

# What is asked of an account is one of these; what an image's pull, a push or a sign-in consists of is no sort of its own.
SORTS: dict[Action, str] = {
    Action.PULL: "pulls",
    Action.LAYER_DOWNLOAD: "pulls",
    Action.CHECK: "questions about images",
    Action.LAYER_CHECK: "questions about layers",
    Action.REFERRERS: "questions about signatures",
    Action.LIST_TAGS: "lists of tags",
    Action.CATALOG: "lists of repositories",
    Action.PUSH: "pushes",
    Action.LAYER_UPLOAD: "pushes",
    Action.MOUNT: "pushes",
    Action.SIGN: "signatures",
    Action.TAG: "tags set",
    Action.UNTAG: "tags removed",
    Action.DELETE: "deletes",
    Action.PERMISSION: "changes of rights",
    Action.CONFIG: "changes of settings",
}
# Of these nobody does the first in what belongs to others, to see what is there.
_NEVER_IDLE = frozenset(
    (
        "pushes",
        "signatures",
        "tags set",
        "questions about layers",
        "questions about signatures",
    )
)
_BY = ("actor", "actor_kind", "client_class", "action", "outcome")
_CAME = (Outcome.SUCCESS, Outcome.FAILURE)  # of who was let in; what is refused says nothing of the account
_ACTIVE = 4  # days on which an account that is known well was there
_KNOWN = timedelta(days=7)
NEW_GROUND = 3  # repositories
CROWD = 3  # accounts that begin the same on one day
# What a browser asks for by itself, where the registry has pages of its own, and who tries what colleagues use: a look.
LOOKS = frozenset(("lists of repositories", "lists of tags", "questions about images"))
_OF_HOUSE = 3  # people, before a tool is one that others take up as well
_FAR_GROUND = 5  # repositories, with such a tool
_MANY_HANDS = 4  # times what one person does by hand; a busy day of a developer is no machine


class First(NamedTuple):
    """An account does a sort of work (`SORTS`), or uses a tool, that it never did or used before today: from when on. `ground`:
    the repositories in which it did, where most of them are new to it as well; `runner`: the address at which it did, where
    before only machines were.
    """

    at: datetime
    actor: str
    sort: str | None = None
    tool: str | None = None
    ground: frozenset[str] = frozenset()
    runner: str | None = None


@dataclass(frozen=True, slots=True)
class DayOfCustoms:
    """One account on one day: sorts of work, tools, pulls and pushes, the hours in which it was there (a bit each)."""

    sorts: frozenset[str]
    tools: frozenset[str]
    work: int
    hours: int
    machine: bool


Days = tuple[tuple[datetime, dict[str, DayOfCustoms]], ...]


@dataclass(slots=True)
class Account:
    """One account before the day."""

    sorts: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)
    days: int = 0
    since: datetime | None = None
    machine: bool = False

    def known_well(self, day: datetime) -> bool:
        """Whether what it never did is no accident of when it came."""
        return self.since is not None and day - self.since >= _KNOWN and self.days >= _ACTIVE


class Past:
    """What the days before `day` say of every account, and which tools anybody used."""

    def __init__(self, days: Days, day: datetime) -> None:
        self.day = day
        self._days = days
        self._begin = days[0][0] if days else day
        self._found: dict[str, Account] = {}
        self._ground: dict[str, frozenset[str]] = {}
        self._people: dict[str, int] = {}
        self._runner: dict[str, bool] = {}

    @cached_property
    def tools(self) -> frozenset[str]:
        """Of all accounts."""
        return frozenset(tool for _, of_day in self._days for one in of_day.values() for tool in one.tools)

    def of_house(self, tool: str) -> bool:
        """Whether several people use a tool: sooner or later another one does."""
        if tool not in self._people:
            used = {name for _, of_day in self._days for name, one in of_day.items() if tool in one.tools}
            self._people[tool] = sum(not self.account(name).machine for name in used)
        return self._people[tool] >= _OF_HOUSE

    def account(self, name: str) -> Account:
        """Put together when somebody asks; one that never came has no `since`."""
        if name not in self._found:
            self._found[name] = self._account(name)
        return self._found[name]

    def ground(self, store: EventReader, name: str) -> frozenset[str]:
        """The repositories that an account ever used: asked of the store, which only few are worth."""
        if name not in self._ground:
            query = EventQuery(
                since=self._begin,
                until=self.day,
                outcome=_CAME,
                actor=name,
                columns=("actor", "repository"),
            )
            used = {
                one["repository"] for one in behind(store).events(query) if one["actor"] == name and one["repository"]
            }
            self._ground[name] = frozenset(used)
        return self._ground[name]

    def runner(self, store: EventReader, client: str) -> bool:
        """Whether machines worked at an address, and nobody else. Asked of the store, by the newest that it has."""
        if client not in self._runner:
            query = EventQuery(
                since=self._begin,
                until=self.day,
                outcome=_CAME,
                client=client,
                limit=MOST_EVENTS,
                newest_first=True,
                columns=("actor",),
            )
            there = {one["actor"] for one in behind(store).events(query)} - {None}
            self._runner[client] = bool(there) and all(self.account(one).machine for one in there)
        return self._runner[client]

    def _account(self, name: str) -> Account:
        account, work = Account(), 0
        hours: list[int] = []
        for at, of_day in self._days:
            one = of_day.get(name)
            if one is None:
                continue
            account.since = account.since or at
            account.days += 1
            account.sorts |= one.sorts
            account.tools |= one.tools
            account.machine = account.machine or one.machine
            work += one.work
            hours.append(one.hours)
        busy = work > _MANY_HANDS * MOST_BY_HAND * account.days or around_the_clock(hours)
        account.machine = account.machine or busy or (bool(account.tools) and account.tools <= MACHINE_TOOLS)
        return account


def day_of_customs(store: EventReader, day: datetime) -> dict[str, DayOfCustoms]:
    """Every account's, of a day that is over."""
    return block_of(store, "customs", day, day + DAY, _read)[day]


def _read(store: EventReader, since: datetime, until: datetime) -> dict[datetime, dict[str, DayOfCustoms]]:
    sorts: dict[tuple[datetime, str], set[str]] = defaultdict(set)
    tools: dict[tuple[datetime, str], set[str]] = defaultdict(set)
    work: dict[tuple[datetime, str], int] = defaultdict(int)
    hours: dict[tuple[datetime, str], int] = defaultdict(int)
    machines: set[tuple[datetime, str]] = set()
    for at, actor, kind, tool, action, many in _counted(store, since, until, HOUR):
        key = (floor(at, DAY), actor)
        hours[key] |= 1 << at.hour
        if (sort := SORTS.get(action)) is not None:
            sorts[key].add(sort)
        if tool is not None:
            tools[key].add(tool)
        if action in (Action.PULL, Action.PUSH):
            work[key] += many
        if kind in MACHINES:
            machines.add(key)
    found: dict[datetime, dict[str, DayOfCustoms]] = {day: {} for day in each_day(since, until)}
    for key, seen in hours.items():
        did, used = same(frozenset(sorts[key])), same(frozenset(tools[key]))
        found[key[0]][key[1]] = same(DayOfCustoms(did, used, work[key], seen, key in machines))
    return found


def _counted(
    store: EventReader, since: datetime, until: datetime, width: timedelta, *, first: bool = False
) -> Iterator[tuple[datetime, str, str | None, str | None, Action, int]]:
    """Of accounts that were let in: window, account, its kind, tool, action, how many; in order of time. `first`: only when an
    account did something with a tool for the first time.
    """
    frame = store.counts(since, until, _BY, width)
    chosen = frame["outcome"].isin(_CAME) & frame["actor"].notna() & ~frame["actor_kind"].isin(NOBODY)
    frame = frame[chosen]
    frame = frame.drop_duplicates(["actor", "client_class", "action"]) if first else frame
    columns = ("window_start", "actor", "actor_kind", "client_class", "action", "events")
    for at, actor, kind, tool, action, many in zip(*(frame[name] for name in columns), strict=True):
        yield at.to_pydatetime(), actor, _text(kind), _text(tool), action, int(many)


def _text(value: object) -> str | None:
    """What a table has where there is nothing is no text."""
    return value if isinstance(value, str) else None


def firsts(store: EventReader, past: Past, until: datetime) -> list[First]:
    """What accounts that are known well did, or used, for the first time on the day, by time."""
    found: dict[tuple[str, str | None, str | None], First] = {}
    for at, actor, _, tool, action, _ in _counted(store, past.day, until, MOMENT, first=True):
        account = past.account(actor)
        if not account.known_well(past.day):
            continue
        sort = SORTS.get(action)
        if sort is not None and sort not in account.sorts:
            found.setdefault((actor, sort, None), First(at, actor, sort=sort))
        if tool is not None and account.tools and tool not in account.tools:
            found.setdefault((actor, None, tool), First(at, actor, tool=tool))
    # The third that begins the same makes a crowd, which is told quietly; each of those before is asked of the store.
    before: Counter[tuple[str | None, str | None]] = Counter()
    grounds = []
    for one in sorted(found.values(), key=lambda one: (one.at, one.actor)):
        before[one.sort, one.tool] += 1
        if before[one.sort, one.tool] >= CROWD or (one.tool is None and one.sort not in _NEVER_IDLE):
            continue
        events = done_by(store, past.day, one.at, until, MOST_EVENTS, actor=one.actor)
        grounds.append(_new_ground(store, past, one, events))
        if one.tool is not None and not past.account(one.actor).machine:
            grounds.append(_at_a_runner(store, past, one, events))
    return sorted([*found.values(), *filter(None, grounds)], key=lambda one: one.at)


def _new_ground(store: EventReader, past: Past, first: First, events: Iterable[dict[str, Any]]) -> First | None:
    """Whether it is mostly where the account never was: whoever changes the tool, or learns to push, does so with the images
    that they had before.
    """
    used: list[str] = []
    known: frozenset[str] | None = None
    new, fewest = 0, NEW_GROUND
    if first.tool is not None and past.of_house(first.tool) and not past.account(first.actor).machine:
        fewest = _FAR_GROUND
    for one in events:
        repository, came = one["repository"], one["actor"] == first.actor and one["outcome"] in _CAME
        sort = SORTS.get(one["action"])
        is_it = sort == first.sort if first.sort else one["client_class"] == first.tool
        is_it &= first.tool != "browser" or sort not in LOOKS
        if not came or not is_it or not repository or repository in used:
            continue
        used.append(repository)
        if len(used) < fewest:
            continue
        known = past.ground(store, first.actor) if known is None else known
        new = sum(there not in known for there in used)
        if new >= fewest and 2 * new >= len(used):
            return first._replace(at=one["timestamp"], ground=frozenset(used))
    return None


def _at_a_runner(store: EventReader, past: Past, first: First, events: Iterable[dict[str, Any]]) -> First | None:
    """Whether a person's account uses the tool at an address where machines work: it stands in a job, or somebody is there."""
    for one in events:
        client = one["client_ip"]
        if one["client_class"] == first.tool and client and one["outcome"] in _CAME and past.runner(store, client):
            return first._replace(at=one["timestamp"], runner=client)
    return None
