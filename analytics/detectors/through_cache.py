"""Images that nobody here ever used, several brought by one account through a pull-through cache: tools past the firewall.

Notices: repositories of a project that keeps copies of others' (nobody pushes to it, and its names have a path behind the project),
which nobody pulled in five weeks; told when one account (of a cluster: one node; where no account is named, an address) brought
three within three days, more than twice as many as any of its sort (people, machines, nodes) ever did, and nobody else took them up
within half an hour. Needs: a week of history, and a cache in use for a week. Method: exact bookkeeping; what was brought before is
the custom. Wakes nobody for new work of a cluster, which comes to several nodes, nor for who goes through everything there is.
Never sees: two tools, caches that keep no path, a registry that is nothing but a cache, and what busy accounts bring where the log
has no addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from analytics.acts import CELL, NAMES, Acts, acts_of, tops
from analytics.daily import carried, settled_days
from analytics.detector import Suspicion
from analytics.newcomers import (
    LATELY,
    MACHINE,
    NODE,
    PATIENCE,
    PERSON,
    SWEEP,
    Caches,
    Pulls,
    by_chance,
    taken_up,
)
from analytics.pullers import is_account
from analytics.replay import days_since_epoch, remember
from analytics.traffic_classes import MOST_BY_HAND
from analytics.windows import DAY, minute, moment
from analytics.wording import names, plain, several
from store.contract import EventQuery, EventReader
from store.event import NOT_USE, Action, Outcome
from store.finding import Severity

KIND = "new_through_cache"  # the kinds of its findings
SETTLED = 7  # days of history, and of a cache's use
FEWEST = 3
TIMES, MORE = 2, 1  # the most that anybody of its sort brought, that often, and so many more
MOST_EVENTS = 20  # of one repository
_WINDOW = LATELY * DAY // timedelta(minutes=1)
_SORTS = {PERSON: "person", MACHINE: "machine", NODE: "node"}


@dataclass(slots=True)
class ThroughCache:
    """See the top of the file."""

    name: str = "through_cache"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=CELL)
    history: timedelta = timedelta(days=35)
    next_step: str = "Ask the account's owner what these images are for; if nobody knows, look at where they run."
    _kept: dict[datetime, Caches] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day, _ in settled_days(store, since, now, SETTLED * DAY):
            today = remember(store, f"{self.name} today", day, partial(self._today, store, day, now))
            found += _judge(store, today, max(since, day), min(day + DAY, now))
        return found

    def _today(self, store: EventReader, day: datetime, now: datetime) -> _Today:
        return _today(self._before(store, day), acts_of(store, day, now), days_since_epoch(day))

    def _before(self, store: EventReader, day: datetime) -> Caches:
        def after(caches: Caches, over: datetime) -> Caches:
            return caches.after(acts_of(store, over, over + DAY), days_since_epoch(over))

        return carried(store, self.name, day, self.history, self._kept, lambda: Caches(self.history // DAY), after)


@dataclass(frozen=True, slots=True)
class _Today:
    """A day as far as it is loaded, with the days before that still count; whoever judges a moment leaves out what comes later."""

    day: int  # since the epoch
    caches: Caches
    pulls: Pulls
    new: Pulls  # of what was new then, whoever pulled it
    many: dict[int, int]  # the most that an account pulled on one of these days


def _today(caches: Caches, acts: Acts, number: int) -> _Today:
    day = caches.today(acts, number)
    pulls, new = caches.recent()
    still = day.pulls.where(np.isin(day.pulls.repositories, np.concatenate([new.repositories, day.new.repositories])))
    many: dict[int, int] = {}
    for one in (*caches.lately, day):
        for who, pulled in one.many.items():
            many[who] = max(pulled, many.get(who, 0))
    return _Today(number, caches, pulls.and_then(day.pulls), new.and_then(still), many)


def _judge(store: EventReader, today: _Today, since: datetime, now: datetime) -> Iterator[Suspicion]:
    """What was complete in [since, now): those who brought something so long before that others would have come for it."""
    begin, end = minute(since), -(-int(now.timestamp()) // 60)
    if not ((today.new.starts >= begin - PATIENCE) & (today.new.starts < end - PATIENCE)).any():
        return
    new = today.new.where(today.new.starts < end)
    first = new.firsts()
    old = today.caches.begun.of(tops(first.repositories)) <= today.day - SETTLED
    first = first.where(old & (first.starts < end - PATIENCE) & ~taken_up(first, new))
    units = first.units()
    for unit in np.unique(units[first.starts >= begin - PATIENCE]).tolist():
        brought = first.where(units == unit)
        sort = int(brought.sorts[-1])
        most = today.caches.most(sort, today.day - today.caches.span, today.day - LATELY)
        limit = max(FEWEST, TIMES * most + MORE)
        mine = today.pulls.where((today.pulls.units() == unit) & (today.pulls.starts < end))
        sweeps = len(np.unique(mine.repositories)) > SWEEP * len(brought.starts)
        if len(brought.starts) >= limit and not sweeps and not by_chance(today.pulls, first, brought):
            yield _suspicion(store, today, brought, sort, most, limit, now)


def _suspicion(
    store: EventReader, today: _Today, brought: Pulls, sort: int, most: int, limit: int, now: datetime
) -> Suspicion:
    who, there = int(brought.who[-1]), [NAMES["repository"].words[code] for code in brought.repositories.tolist()]
    actor = NAMES["actor"].words[who] if is_account(who) else None
    client = NAMES["client"].words[int(brought.clients[-1])] if actor is None or sort == NODE else None
    start = moment(int(brought.starts[0]))
    events = [one for name in there for one in _pulls(store, name, actor, client, start, now)]
    clients = sorted({one["client_ip"] for one in events if one["client_ip"]})
    machine = any(one["traffic_class"] in NOT_USE for one in events)
    many = not clients and today.many.get(who, 0) > MOST_BY_HAND  # it may be a whole cluster
    quiet = machine or many
    severity = Severity.LOW if quiet else Severity.HIGH if len(there) >= TIMES * limit else Severity.MEDIUM
    name = plain(actor or client or "")
    return Suspicion(
        kind=KIND,
        cause=(KIND, "actor" if actor else "client", name, client or "", f"{start:%Y-%m-%d}"),
        severity=severity,
        title=f"{name}: brought {several(len(there), 'image')} through the cache that nobody here ever used",
        start=start,
        end=now,
        subjects={"actor": [actor] if actor else [], "client": clients, "repository": sorted(there)},
        score=round(len(there) / limit, 3),
        expected=f"fewer than {limit} within {LATELY} days; at most {most} by one {_SORTS[sort]} so far",
        observed=f"{names(sorted(there), 5)}; nobody else asked for them within {PATIENCE} minutes",
        evidence=[one["event_id"] for one in events],
        explanation="It pulls whatever there is, or for many."
        if quiet
        else "What a firewall would stop comes in this way.",
    )


def _pulls(
    store: EventReader, repository: str, actor: str | None, client: str | None, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    query = EventQuery(
        since=since,
        until=until,
        action=(Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        actor=actor,
        client=client,
        repository=repository,
        limit=MOST_EVENTS,
        columns=("event_id", "timestamp", "actor", "client_ip", "repository", "traffic_class"),
    )
    return [one for one in store.events(query) if one["repository"] == repository and one["actor"] == actor]


DETECTOR = ThroughCache
