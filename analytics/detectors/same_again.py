"""One image fetched over and over: whoever runs the registry pays for the traffic.

Notices: an account (of a cluster: one node; where no account is named, an address) that downloads every layer of one repository
twelve times within a day at least, and more than twice as often (and six) as it ever did, while a client keeps what it has. Where
the log tells of no layers, the same of one image's manifest, by accounts that people use by hand. Needs: logs with accounts or
addresses; a week of history, and of the account's. Method: downloads per layer and day, beside the account's own days. Wakes nobody
for a node (its disk is full, it tries again), who fetches several images as often, nor where several do so on one day (a load
test). Never sees: parts of layers (ranges), layers from a storage that the registry does not front, and what is spread over many
accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import log2

import numpy as np

from analytics.acts import CELL, NAMES, Bools, acts_of, hashes
from analytics.columns import Columns
from analytics.daily import block_of, days_before, settled_days
from analytics.detector import Suspicion
from analytics.firsts import MIX, pair, parted
from analytics.pullers import FLEET, is_account, pullers
from analytics.replay import remember
from analytics.traffic_classes import MOST_BY_HAND
from analytics.windows import DAY, Floats, Ints, minute, moment
from analytics.wording import number, plain
from store.contract import EventQuery, EventReader
from store.event import NOT_USE, Action, Outcome, Traffic
from store.finding import Severity

KIND = "fetched_over_and_over"  # the kinds of its findings
SETTLED = timedelta(days=7)  # of history, and of an account's
FEWEST = 12
TIMES, MORE = 2, 6  # the most that the account ever did in a day, that often, and so many more
MANY = 100
CROWD = 3  # who do so on one day: a load test
IMAGES, SHARE = 3, 1 / 3  # so many images, each fetched nearly as often: it keeps none of them
MOST_EVENTS = 200
_PART = 206  # of a layer


@dataclass(frozen=True, slots=True)
class _Fetches:
    """Layers that were fetched, or manifests where the log tells of no layers, in order of time."""

    starts: Ints  # minutes since the epoch
    who: Ints  # numbers of `pullers`
    clients: Ints
    repositories: Ints
    things: Ints  # a hash of the digest
    human: Bools

    def where(self, chosen: Bools | Ints | slice) -> _Fetches:
        return _Fetches(*(getattr(self, name)[chosen] for name in self.__slots__))

    def between(self, first: int, end: int) -> _Fetches:
        return self.where(slice(*np.searchsorted(self.starts, [first, end])))


@dataclass(frozen=True, slots=True)
class _Day:
    """Of each who fetched anything: how often one image at most, from how many addresses, and how much in all."""

    who: Ints
    most: Floats
    places: Ints
    amounts: Ints
    layers: bool


@dataclass(frozen=True, slots=True)
class _Past:
    """What the days before say."""

    layers: bool
    known: frozenset[int]  # for so long as is needed
    most: dict[int, float]
    busiest: dict[int, int]
    fleets: Ints

    @classmethod
    def of(cls, days: Sequence[tuple[datetime, _Day]], day: datetime) -> _Past:
        most: dict[int, float] = {}
        busiest: dict[int, int] = {}
        for _, one in days:
            for who, often, amount in zip(one.who.tolist(), one.most.tolist(), one.amounts.tolist(), strict=True):
                most[who], busiest[who] = max(often, most.get(who, 0.0)), max(amount, busiest.get(who, 0))
        early = [one.who for at, one in days if at <= day - SETTLED]
        return cls(
            layers=any(one.layers for _, one in days),
            known=frozenset(np.concatenate(early).tolist() if early else ()),
            most=most,
            busiest=busiest,
            fleets=_fleets(days),
        )

    def limit(self, who: int) -> float:
        return max(FEWEST, TIMES * self.most.get(who, 0.0) + MORE)


@dataclass(frozen=True, slots=True)
class _Today:
    past: _Past
    fetches: _Fetches
    units: Ints
    groups: Ints  # of each fetch: which unit and image
    often: Ints  # groups that may have gone too far


@dataclass(slots=True)
class SameAgain:
    """See the top of the file."""

    name: str = "same_again"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=CELL)
    history: timedelta = timedelta(days=28)
    next_step: str = (
        "Ask the account's owner what fetches this image; if nothing of theirs does, renew its password or token."
    )
    _kept: dict[datetime, tuple[tuple[datetime, _Day], ...]] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day, _ in settled_days(store, since, now, SETTLED):
            today = remember(store, f"{self.name} today", day, partial(self._today, store, day, now))
            found += _judge(store, today, day, max(since, day), min(day + DAY, now))
        return found

    def _today(self, store: EventReader, day: datetime, now: datetime) -> _Today:
        days = days_before(store, self.name, day, self.history, self._kept, partial(_day, store))
        past = _Past.of(days, day)
        fetches = _layers(store, day, now) if past.layers else _manifests(store, day, now)
        units, groups = _grouped(fetches, past.fleets, past.layers)
        _, first, many = np.unique(groups * MIX ^ fetches.things, return_index=True, return_counts=True)
        # On average no layer was fetched more often than the one that was most: few are left to be looked at.
        first, many = first[many >= FEWEST], many[many >= FEWEST]
        limits = [past.limit(who) for who in fetches.who[first].tolist()]
        return _Today(past, fetches, units, groups, np.unique(groups[first[many >= np.asarray(limits)]]))


def _day(store: EventReader, day: datetime) -> _Day:
    """A day that is over."""
    fetches, layers = _layers(store, day, day + DAY), True
    if not len(fetches.starts):
        fetches, layers = _manifests(store, day, day + DAY), False
    pairs = np.unique(pair(fetches.who, fetches.clients + 1))
    who, places = np.unique(parted(pairs)[0], return_counts=True)
    _, groups = _grouped(fetches, who[places >= FLEET], layers)
    often, first = _rates(groups, fetches.things)
    most = np.zeros(len(who))
    np.maximum.at(most, np.searchsorted(who, fetches.who[first]), often)
    amounts = np.bincount(np.searchsorted(who, fetches.who), minlength=len(who))
    return _Day(who, most, places, amounts, layers)


def _rates(groups: Ints, things: Ints) -> tuple[Floats, Ints]:
    """How often all that there is in each group was fetched, and the place of its first fetch."""
    keys, first, place = np.unique(groups, return_index=True, return_inverse=True)
    place = place.ravel()
    distinct = np.unique(place * MIX ^ things, return_index=True)[1]
    fetched, there = (np.bincount(rows, minlength=len(keys)) for rows in (place, place[distinct]))
    return fetched / there, first


def _fleets(days: Sequence[tuple[datetime, _Day]]) -> Ints:
    """Accounts of many nodes."""
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(one.who[one.places >= FLEET] for _, one in days)]))


def _grouped(fetches: _Fetches, fleets: Ints, layers: bool) -> tuple[Ints, Ints]:
    """A key of each account or node, and of what it fetched: a repository with all its layers, or one manifest."""
    nodes = np.isin(fetches.who, fleets)
    units = pair(fetches.who, np.where(nodes, fetches.clients + 1, 0))
    groups = units * MIX ^ fetches.repositories
    return units, groups if layers else groups * MIX ^ fetches.things


def _layers(store: EventReader, day: datetime, now: datetime) -> _Fetches:
    return block_of(store, "layers fetched", day, now, _read).between(minute(day), minute(day + DAY))


def _read(store: EventReader, since: datetime, until: datetime) -> _Fetches:
    query = EventQuery(
        since=since,
        until=until,
        action=(Action.LAYER_DOWNLOAD,),
        outcome=(Outcome.SUCCESS,),
        columns=("timestamp", "actor", "actor_kind", "client_ip", "repository", "digest", "status"),
    )
    events = Columns(store.table(query))
    actors, clients, repositories = (
        NAMES[kind].numbers(events.coded(name))
        for kind, name in (("actor", "actor"), ("client", "client_ip"), ("repository", "repository"))
    )
    digests, status = events.coded("digest"), events.coded("status")
    whole = status.where(lambda one: one != _PART)
    starts, human = events.times() // 60_000_000, events.fits({"actor_kind": "human"})
    things = hashes(digests.values)[digests.codes]
    return _named(starts, actors, clients, repositories, np.where(whole, things, 0), human)


def _manifests(store: EventReader, day: datetime, now: datetime) -> _Fetches:
    acts = acts_of(store, day, now)
    acts = acts.where(~acts.pushed)
    things = np.where(acts.digests != 0, acts.digests, acts.references)
    codes = acts.codes
    return _named(acts.starts, codes["actor"], codes["client"], codes["repository"], things, acts.human)


def _named(starts: Ints, actors: Ints, clients: Ints, repositories: Ints, things: Ints, human: Bools) -> _Fetches:
    who = pullers(actors, clients)
    found = _Fetches(starts, who, clients, repositories, things, human)
    return found.where((who >= 0) & (repositories >= 0) & (things != 0))


def _judge(store: EventReader, today: _Today, day: datetime, since: datetime, now: datetime) -> Iterator[Suspicion]:
    """Who went too far in [since, now), or twice as far as when it was told."""
    if not len(today.often):
        return
    begin, end = minute(since), -(-int(now.timestamp()) // 60)
    touched = today.groups[slice(*np.searchsorted(today.fetches.starts, [begin, end]))]
    for group in today.often[np.isin(today.often, touched)].tolist():
        who, _ = _whose(today, group)
        limit, often = today.past.limit(who), _often(today, group, end)
        if _step(often, limit) > _step(_often(today, group, begin), limit):
            yield _suspicion(store, today, group, often, limit, day, now)


def _whose(today: _Today, group: int) -> tuple[int, int]:
    """Of a group: who it is, and the place of its first fetch."""
    first = int(np.argmax(today.groups == group))
    return int(today.fetches.who[first]), first


def _often(today: _Today, group: int, end: int) -> float:
    """How often all of one image was fetched before a minute."""
    things = today.fetches.things[(today.groups == group) & (today.fetches.starts < end)]
    return len(things) / max(len(np.unique(things)), 1)


def _step(often: float, limit: float) -> int:
    return 1 + int(log2(often / limit)) if often >= limit else 0


def _suspicion(
    store: EventReader, today: _Today, group: int, often: float, limit: float, day: datetime, now: datetime
) -> Suspicion:
    who, first = _whose(today, group)
    node, end = bool(np.isin(who, today.past.fleets)), -(-int(now.timestamp()) // 60)
    actor = NAMES["actor"].words[who] if is_account(who) else None
    place = int(today.fetches.clients[first])
    client = NAMES["client"].words[place] if (actor is None or node) and place >= 0 else None
    repository, start = (
        NAMES["repository"].words[int(today.fetches.repositories[first])],
        moment(today.fetches.starts[first]),
    )
    query = EventQuery(
        since=start,
        until=now,
        action=(Action.LAYER_DOWNLOAD if today.past.layers else Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        actor=actor,
        client=client,
        repository=repository,
        limit=MOST_EVENTS,
        columns=("event_id", "timestamp", "actor", "client_ip", "repository", "traffic_class"),
    )
    events = [one for one in store.events(query) if one["repository"] == repository and one["actor"] == actor]
    ordinary = _ordinary(today, group, often, end, {one["traffic_class"] for one in events})
    severity = Severity.LOW if ordinary else Severity.HIGH if often >= max(MANY, limit) else Severity.MEDIUM
    name = plain(actor or client or "")
    what = "every layer" if today.past.layers else "one image"
    return Suspicion(
        kind=KIND,
        cause=(KIND, name, client or "", repository, f"{day:%Y-%m-%d}"),
        severity=severity,
        title=f"{name}: fetched {what} of {plain(repository)} {number(often)} times within a day",
        start=start,
        end=now,
        subjects={
            "actor": [actor] if actor else [],
            "client": sorted({one["client_ip"] for one in events if one["client_ip"]})[:20],
            "repository": [repository],
        },
        score=round(often / limit, 3),
        expected=f"fewer than {number(limit)} times; at most {number(today.past.most.get(who, 0.0))} of any image a day so far",
        observed=f"{number(often)} times between {start:%H:%M} and {now:%H:%M} UTC",
        evidence=[one["event_id"] for one in events],
        explanation=ordinary
        or "A client keeps what it has. Who fetches all of it again does so for the traffic, or has a fault.",
    )


def _ordinary(today: _Today, group: int, often: float, end: int, classes: set[str | None]) -> str:
    """What explains it without ill will; empty if nothing does."""
    past, (who, first) = today.past, _whose(today, group)
    if who not in past.known:
        return "It is new here: a job that keeps nothing from one run to the next looks the same."
    if np.isin(who, past.fleets) or classes & {Traffic.CLUSTER, *NOT_USE}:
        return "A node whose disk is full, or an image that it cannot unpack, looks the same."
    by_hand = bool(today.fetches.human[first]) and past.busiest.get(who, 0) <= MOST_BY_HAND
    if not past.layers and not by_hand:
        return "Manifests alone, by a machine: it looks whether there is something new."
    until = np.searchsorted(today.fetches.starts, end)
    mine = np.flatnonzero(today.units[:until] == today.units[first])
    if np.count_nonzero(_rates(today.groups[mine], today.fetches.things[mine])[0] >= SHARE * often) >= IMAGES:
        return "It fetches several images as often: it keeps nothing."
    also = np.flatnonzero(np.isin(today.groups[:until], today.often))
    rates, firsts = _rates(today.groups[also], today.fetches.things[also])
    whose = today.fetches.who[also[firsts]].tolist()
    others = {one for one, rate in zip(whose, rates.tolist(), strict=True) if rate >= past.limit(one)}
    return "Several do so today: looks like a load test." if len(others) >= CROWD else ""


DETECTOR = SameAgain
