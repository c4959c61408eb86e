"""Refused credentials, one by one, and which accounts were at home at which addresses.

A try is a request that presented a name with a password or token and was refused, or a request of a known account that
was forbidden. The auth challenge and requests without credentials are no tries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TypeVar

from analytics.daily import carried
from analytics.replay import Replay, floor, horizon, remember
from analytics.windows import CELL, DAY, HOUR, MOMENT
from store.contract import EventQuery, EventReader
from store.event import BAD_CREDENTIALS, FORBIDDEN, Outcome

T = TypeVar("T")
HOME_FOR = timedelta(days=7)  # an account is at home at an address from which it succeeded within this time
_RUN_ENDS = timedelta(hours=6)
_PRIVATE = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


@dataclass(frozen=True, slots=True)
class Try:
    """One refused request. `actor` and `client` are empty where the line does not say."""

    at: datetime
    actor: str
    client: str
    agent: str
    repository: str
    id: str


@dataclass(slots=True)
class Tries:
    """Tries in the order of time, found by time and by one key of theirs."""

    all: list[Try] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    _by: dict[tuple[str, str], Tries] = field(default_factory=dict)

    @staticmethod
    def of(tries: Iterable[Try]) -> Tries:
        found = Tries()
        for one in tries:
            found._add(one)
            for key in (("client", one.client), ("actor", one.actor)):
                found._by.setdefault(key, Tries())._add(one)
        return found

    def between(self, since: datetime, until: datetime) -> list[Try]:
        return self.all[bisect_left(self.times, since) : bisect_left(self.times, until)]

    def run(self, key: str, value: str, until: datetime) -> list[Try]:
        """The last unbroken row of tries before `until` with this client or actor, a day at most."""
        tries = self._by.get((key, value), Tries()).between(until - DAY, until)
        for place in range(len(tries) - 1, 0, -1):
            if tries[place].at - tries[place - 1].at > _RUN_ENDS:
                return tries[place:]
        return tries

    def _add(self, one: Try) -> None:
        self.all.append(one)
        self.times.append(one.at)


@dataclass(slots=True)
class Ledger:
    """Tries, and per account and address the cells with successes and with refusals: to the minute of this day and the one
    before, to the hour of those before.
    """

    refused: Tries
    forbidden: Tries
    successes: dict[tuple[str, str], list[datetime]]
    refusals: dict[tuple[str, str], list[tuple[datetime, int]]]
    homes: dict[str, set[str]]  # account -> addresses with any success
    visits: list[tuple[datetime, str]]  # cells of this day in which an account succeeded, by time

    def at_home(self, actor: str, client: str, before: datetime, inclusive: bool = False) -> bool:
        """Whether the account had succeeded from the address in the week before. A cell says nothing of the order
        inside it: the cell of `before` itself counts only with `inclusive`."""
        cells = self.successes.get((actor, client), [])
        end = floor(before, MOMENT) + (MOMENT if inclusive else timedelta(0))
        return bisect_left(cells, end) > bisect_left(cells, end - HOME_FOR)

    def knows(self, actor: str, before: datetime) -> bool:
        """Whether the account succeeded from anywhere in the week before."""
        return any(self.at_home(actor, home, before) for home in self.homes.get(actor, ()))

    def visitors(self, since: datetime, until: datetime) -> set[str]:
        """The accounts that succeed in a cell that starts before `until` and ends after `since`."""
        first = bisect_left(self.visits, (floor(since, MOMENT), ""))
        return {actor for _, actor in self.visits[first : bisect_left(self.visits, (until, ""))]}

    def near_home(self, actor: str, client: str, before: datetime) -> bool:
        """Whether the account was at home at an address of the same network, or nothing at all is known of it."""
        homes = {home for home in self.homes.get(actor, ()) if self.at_home(actor, home, before)}
        return not homes or _network(client) in {_network(home) for home in homes}

    def succeeded(self, actor: str, client: str, since: datetime, until: datetime) -> bool:
        """Whether the account succeeds from the address in a cell that starts before `until` and ends after `since`."""
        cells = self.successes.get((actor, client), [])
        return bisect_left(cells, until) > bisect_left(cells, floor(since, MOMENT))

    def fails_everywhere(self, actor: str, until: datetime) -> bool:
        """Whether an account that worked is refused at several of its homes, and works nowhere since the first refusal: what it
        holds no longer counts, and who else holds it cannot get in either."""
        run = self.refused.run("actor", actor, until)
        refused = {one.client for one in run if self.at_home(actor, one.client, run[0].at)}
        return len(refused) > 1 and not any(
            self.succeeded(actor, home, run[0].at + MOMENT, until) for home in self.homes.get(actor, ())
        )

    def usual_a_day(self, actor: str | None, client: str, before: datetime) -> float:
        """Refusals a day in the week before, of the account at the address or, without an account, of the address."""
        since = floor(before, MOMENT) - HOME_FOR
        pairs = [(actor, client)] if actor is not None else [pair for pair in self.refusals if pair[1] == client]
        total = sum(
            amount
            for pair in pairs
            for cell, amount in self.refusals.get(pair, [])
            if since <= cell < floor(before, MOMENT)
        )
        return total / HOME_FOR.days


@dataclass(frozen=True, slots=True)
class Cells:
    """Per account and address the starts of the cells with successes, and those with refusals and how many."""

    successes: dict[tuple[str, str], list[datetime]]
    refusals: dict[tuple[str, str], list[tuple[datetime, int]]]

    def then(self, later: Cells) -> Cells:
        """With what came later, by time."""
        return Cells(_appended(self.successes, later.successes), _appended(self.refusals, later.refusals))

    def by_hour(self) -> Cells:
        """The same in cells of an hour."""
        successes = {pair: _hours(starts) for pair, starts in self.successes.items()}
        refusals: dict[tuple[str, str], list[tuple[datetime, int]]] = {}
        for pair, cells in self.refusals.items():
            sums: dict[datetime, int] = defaultdict(int)
            for start, amount in cells:
                sums[floor(start, HOUR)] += amount
            refusals[pair] = list(sums.items())
        return Cells(successes, refusals)


@dataclass(frozen=True, slots=True)
class Before:
    """What the days before a day say: to the minute for the last, in which what is tried today may have begun; to the hour for
    the week before that.
    """

    cells: Cells = field(default_factory=lambda: Cells({}, {}))
    days: tuple[tuple[datetime, Cells], ...] = ()  # all of them to the hour

    def after(self, over: datetime, minutes: Cells) -> Before:
        """With one day more, and without those that are too old then."""
        week = tuple(one for one in self.days if one[0] >= over - HOME_FOR)
        return Before(_joined([*(cells for _, cells in week), minutes]), (*week, (over, minutes.by_hour())))


def ledger_of(store: EventReader, day: datetime, now: datetime, kept: dict[datetime, Before]) -> Ledger:
    """The tries of a day (and of the one before) up to `now` or, in a replay, to its end, with successes and refusals of the week
    before. What days before say is carried from day to day (`analytics.daily.carried`).
    """
    until = min(day + DAY, horizon(store, now))
    return remember(store, "tries", day if isinstance(store, Replay) else now, lambda: _load(store, day, until, kept))


def _load(store: EventReader, day: datetime, until: datetime, kept: dict[datetime, Before]) -> Ledger:
    query = EventQuery(
        since=day - DAY - CELL, until=until, outcome=(Outcome.DENIED,), reason=(BAD_CREDENTIALS, FORBIDDEN)
    )

    def after(before: Before, over: datetime) -> Before:
        return before.after(over, _cells(store, over, over + DAY))

    refused: list[Try] = []
    forbidden: list[Try] = []
    for event in store.events(query):
        one = Try(
            at=event["timestamp"],
            actor=event["actor"] or "",
            client=event["client_ip"] or "",
            agent=event["user_agent"] or "",
            repository=event["repository"] or "",
            id=event["event_id"],
        )
        (refused if event["reason"] == BAD_CREDENTIALS else forbidden).append(one)
    before = carried(store, "tries before", day, HOME_FOR + DAY, kept, Before, after)
    today = _cells(store, day, until)
    cells = before.cells.then(today)
    homes: dict[str, set[str]] = defaultdict(set)
    for actor, client in cells.successes:
        homes[actor].add(client)
    visits = sorted((start, actor) for (actor, _), starts in today.successes.items() for start in starts)
    return Ledger(Tries.of(refused), Tries.of(forbidden), cells.successes, cells.refusals, dict(homes), visits)


def _cells(store: EventReader, since: datetime, until: datetime) -> Cells:
    """To the minute; those of a day that a replay has gone through are what the next one asks for first."""
    return remember(store, "tries by minute", (since, until), lambda: _counted(store, since, until))


def _counted(store: EventReader, since: datetime, until: datetime) -> Cells:
    counted = store.counts(since, until, ("actor", "client_ip", "outcome", "reason"), MOMENT)
    good = counted[(counted["outcome"] == Outcome.SUCCESS) & counted["actor"].notna()]
    bad = counted[(counted["outcome"] == Outcome.DENIED) & (counted["reason"] == BAD_CREDENTIALS)]
    successes: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for actor, client, start in zip(good["actor"], _named(good["client_ip"]), _moments(good), strict=True):
        successes[actor, client].append(start)
    refusals: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    for actor, client, start, amount in zip(
        _named(bad["actor"]), _named(bad["client_ip"]), _moments(bad), bad["events"], strict=True
    ):
        refusals[actor, client].append((start, int(amount)))
    return Cells(dict(successes), dict(refusals))


def _hours(starts: Iterable[datetime]) -> list[datetime]:
    """The hours in which moments lie that follow one another."""
    found: list[datetime] = []
    for at in starts:
        if not found or at - found[-1] >= HOUR:
            found.append(floor(at, HOUR))
    return found


def _joined(days: Iterable[Cells]) -> Cells:
    """Of days that follow one another."""
    successes: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    refusals: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    for day in days:
        for pair, starts in day.successes.items():
            successes[pair] += starts
        for pair, cells in day.refusals.items():
            refusals[pair] += cells
    return Cells(dict(successes), dict(refusals))


def _appended(
    before: dict[tuple[str, str], list[T]], later: dict[tuple[str, str], list[T]]
) -> dict[tuple[str, str], list[T]]:
    return before | {pair: before.get(pair, []) + cells for pair, cells in later.items()}


def _network(address: str) -> str:
    """The network that one site is likely to have: the /16 of a private IPv4 address, the /24 of another, the /48 of
    IPv6.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ip_network(f"{address}/48", strict=False))
    inside = any(parsed in private for private in _PRIVATE)
    return str(ip_network(f"{address}/{16 if inside else 24}", strict=False))


def _named(column: Iterable[object]) -> list[str]:
    return [value if isinstance(value, str) else "" for value in column]


def _moments(frame: object) -> list[datetime]:
    import pandas as pd

    assert isinstance(frame, pd.DataFrame)
    return list(pd.DatetimeIndex(frame["window_start"]).to_pydatetime())
