"""What accounts did on the days before, as far as that says who was silent, for how long, and what is unlike them since."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

from analytics.daily import same
from analytics.ledger import network
from analytics.places import by_network
from analytics.traffic_classes import AROUND_THE_CLOCK
from analytics.windows import DAY, HOUR
from store.contract import EventReader
from store.event import Action, Outcome

if TYPE_CHECKING:
    import pandas as pd

DORMANT = timedelta(days=60)
QUIET = timedelta(days=21)  # enough for an account that was there nearly every day
FEWEST_DAYS = 8  # on which an account must have been active before a pause can be unlike it
TIMES_LONGER = 7
LITTLE_KNOWN = 3  # days on which an account was seen at all
LITTLE_QUIET = timedelta(days=8)  # more than a week: not the same weekday's errand
REST = 0.02  # of what people do in a day, at most, falls into an hour of rest
REST_DAYS = timedelta(days=14)
FEWEST_HOURS = 50  # account-hours of people, before their rest is known
STRONG = frozenset((Action.PUSH, Action.DELETE, Action.UNTAG, Action.PERMISSION, Action.CONFIG, Action.REPLICATE))
DOES = frozenset((*STRONG, Action.PULL, Action.LOGIN, Action.TOKEN, Action.CATALOG, Action.LIST_TAGS, Action.TAG))


@dataclass(slots=True)
class Past:
    """One account on the days before: which, from which networks, what it did, which repositories."""

    days: list[datetime]
    done: list[tuple[frozenset[str], frozenset[str]]]  # its addresses and acts on these days
    asked: list[datetime] = field(default_factory=list)  # days since the first of `days` on which it asked for anything

    @property
    def networks(self) -> set[str]:
        return set(map(network, frozenset[str]().union(*(clients for clients, _ in self.done))))

    @property
    def actions(self) -> set[str]:
        return set().union(*(actions for _, actions in self.done))

    def slept(self, day: datetime) -> bool:
        """Whether it was silent before `day`, for so long that its coming back is looked at."""
        silent = day - self.days[-1] - DAY
        unlike = silent >= QUIET and len(self.days) >= FEWEST_DAYS and silent >= TIMES_LONGER * self.longest_gap()
        little = silent >= LITTLE_QUIET and len(self.days) <= LITTLE_KNOWN
        return silent >= DORMANT or unlike or little

    def longest_gap(self) -> timedelta:
        gaps = [later - earlier for earlier, later in zip(self.days, self.days[1:], strict=False)]
        return max(gaps, default=timedelta(0))


@dataclass(frozen=True, slots=True)
class AccountsDay:
    """What accounts did on one day: addresses and acts of those that got what they asked for, the hours of all, each a bit."""

    done: dict[str, tuple[frozenset[str], frozenset[str]]]
    hours: dict[str, int]


Days = tuple[tuple[datetime, AccountsDay], ...]


def day_of_accounts(store: EventReader, day: datetime) -> AccountsDay:
    """Of a day that is over."""
    by = ("actor", "client_ip", "action", "outcome")
    frame: pd.DataFrame = store.counts(day, day + DAY, by, HOUR).dropna(subset=["actor"])
    hours: dict[str, int] = defaultdict(int)
    for actor, hour in zip(frame["actor"], frame["window_start"].dt.hour, strict=True):
        hours[actor] |= 1 << hour
    done = frame[(frame["outcome"] == Outcome.SUCCESS) & frame["action"].isin(list(DOES))]
    seen: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for actor, client, action in zip(done["actor"], done["client_ip"], done["action"], strict=True):
        clients, actions = seen[actor]
        actions.add(str(action))
        if isinstance(client, str):
            clients.add(client)
    return AccountsDay({actor: (same(frozenset(c)), same(frozenset(a))) for actor, (c, a) in seen.items()}, dict(hours))


def rest_hours(days: Days, day: datetime) -> frozenset[int]:
    """The hours of the day (UTC) in which people here do next to nothing; none while too little is known."""
    masks: dict[str, list[int]] = defaultdict(list)
    for at, one in days:
        if at >= day - REST_DAYS:
            for actor, mask in one.hours.items():
                masks[actor].append(mask)
    people = [of_actor for of_actor in masks.values() if reduce(or_, of_actor).bit_count() < AROUND_THE_CLOCK]
    seen = np.asarray([mask for of_actor in people for mask in of_actor], dtype=np.int64)
    of_hour = [int((seen >> hour & 1).sum()) for hour in range(24)]
    if sum(of_hour) < FEWEST_HOURS:
        return frozenset()
    return frozenset(hour for hour, many in enumerate(of_hour) if many <= REST * sum(of_hour))


def places(days: Days) -> dict[str, set[str]]:
    """Network → accounts that were there on any of the days."""
    return by_network((actor, clients) for _, one in days for actor, (clients, _) in one.done.items())


def past_of(actor: str, days: Days) -> Past | None:
    """None for an account that never got anything on these days."""
    done = [(at, one.done[actor]) for at, one in days if actor in one.done]
    if not done:
        return None
    return Past(
        days=[at for at, _ in done],
        done=[of_day for _, of_day in done],
    )


def sleeper(actor: str, days: Days, day: datetime) -> Past | None:
    """Its past, if it slept until `day`: of the many that did not no more need be known."""
    past = past_of(actor, days)
    if past is None or not past.slept(day):
        return None
    past.asked = [at for at, one in days if at >= past.days[0] and actor in one.hours]
    return past
