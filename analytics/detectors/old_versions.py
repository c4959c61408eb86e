"""Accounts that go through the versions of repositories one by one: secrets are looked for, or everything is taken along.

Notices: an account that pulls version after version of the same repositories, of images that were not pushed lately and that
it never pulled: clusters want the newest, people one of them, nobody all. Needs: logs that name accounts and the tag or digest
that was asked for; a week of history. Method: exact bookkeeping of references over three days; the first one of each repository
is free, and an account may have three times as many as it ever had, or as it takes of all versions, old and new, as a rule, and
half as many again as three others here had.
Low: fewer than three repositories, unless it is thirty versions; an account that an administrator made within a week, as for a
mirror.
Never sees: somebody who takes one version of each repository (`new_reach` does), and what was pulled before the stored
history begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

import numpy as np

from analytics.acts import CELL, NAMES, Acts, acts_of, hashes
from analytics.creations import last_creation
from analytics.daily import carried, settled_days
from analytics.detector import Suspicion
from analytics.replay import days_since_epoch, floor, remember
from analytics.versions import LATELY, SETTLED, Account, Past, excess, version
from analytics.windows import DAY, Ints, minute
from analytics.wording import names, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

SPAN = timedelta(days=LATELY)
MANY = 30
USUAL = 2  # days on which somebody changed rights or settings, to be one who makes accounts
FEW = 3  # repositories; who goes through fewer looks for the version in which something broke
MOST_EVENTS = 2_000


@dataclass(slots=True)
class OldVersions:
    """See the top of the file."""

    name: str = "old_versions"
    subject: str = "actor"
    every: timedelta = timedelta(minutes=CELL)
    history: timedelta = timedelta(days=28)
    next_step: str = (
        "Ask the account's owner what they need old versions for; look at which secrets those images may hold."
    )
    _kept: dict[datetime, Past] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day, begin in settled_days(store, since, now, SETTLED):
            start, end = max(since, day), min(day + DAY, now)
            taken = self._taken(store, day, now).between(0, -(-int(end.timestamp()) // 60))
            lately = np.unique(taken.codes["actor"][taken.starts + CELL > minute(start)])
            for actor in sorted(lately.tolist(), key=NAMES["actor"].words.__getitem__):
                account, custom = self._account(store, actor, begin, day), partial(self._custom, store, begin, day)
                found += _judge(store, account, custom, actor, taken.where(taken.codes["actor"] == actor), day, end)
        return found

    def _past(self, store: EventReader, day: datetime) -> Past:
        def after(past: Past, over: datetime) -> Past:
            return past.after(acts_of(store, over, over + DAY), days_since_epoch(over))

        return carried(store, self.name, day, self.history, self._kept, lambda: Past(span=self.history // DAY), after)

    def _taken(self, store: EventReader, day: datetime, now: datetime) -> Acts:
        """Old versions that are new to whoever pulls them today; in a replay worked out once for the day."""

        def taken() -> Acts:
            return self._past(store, day).taken(acts_of(store, day, now), days_since_epoch(day))

        return remember(store, f"{self.name} today", day, taken)

    def _custom(self, store: EventReader, began: datetime, day: datetime) -> int:
        """Half as much again as some others took: what is usual here."""
        first = days_since_epoch(floor(began, DAY))
        here = remember(
            store, f"{self.name} custom", day, lambda: self._past(store, day).custom(first, days_since_epoch(day))
        )
        return ceil(1.5 * here)

    def _account(self, store: EventReader, actor: int, began: datetime, day: datetime) -> Account:
        accounts: dict[int, Account] = remember(store, f"{self.name} accounts", day, dict)
        if actor not in accounts:
            first = days_since_epoch(floor(began, DAY))
            accounts[actor] = self._past(store, day).account(actor, first, days_since_epoch(day))
        return accounts[actor]


def _judge(
    store: EventReader,
    account: Account,
    custom: Callable[[], int],
    actor: int,
    taken: Acts,
    day: datetime,
    now: datetime,
) -> Iterator[Suspicion]:
    earlier, before = account.lately()
    repositories = np.concatenate([earlier, taken.codes["repository"]])
    versions = np.concatenate([before, version(taken.codes["repository"], taken.references)])
    amount, limit = excess(repositories, versions), account.limit()
    if amount >= limit:  # only then it matters what others do
        limit = max(limit, custom())
    if amount >= limit:
        yield _suspicion(store, NAMES["actor"].words[actor], repositories, versions, amount, limit, day, now)


def _suspicion(
    store: EventReader,
    actor: str,
    repositories: Ints,
    versions: Ints,
    amount: int,
    limit: int,
    day: datetime,
    now: datetime,
) -> Suspicion:
    versions, place = np.unique(versions, return_index=True)
    repositories = repositories[place]
    found, many = np.unique(repositories, return_counts=True)
    words = NAMES["repository"].words
    more_than_one = [(-int(times), words[number]) for number, times in zip(found, many, strict=True) if times > 1]
    gone_through = [name for _, name in sorted(more_than_one)]
    wanted = set(versions[np.isin(repositories, found[many > 1])].tolist())
    query = EventQuery(
        since=day - SPAN + DAY,
        until=now,
        actor=actor,
        action=(Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        limit=MOST_EVENTS,
    )
    pulls = [event for event in store.events(query) if event["actor"] == actor and event["repository"]]
    numbers = np.asarray([NAMES["repository"].number(event["repository"]) for event in pulls], dtype=np.int64)
    seen: dict[int, dict[str, Any]] = {}
    for one, event in zip(
        version(numbers, hashes([event["reference"] for event in pulls])).tolist(), pulls, strict=True
    ):
        if one in wanted:
            seen.setdefault(one, event)
    events = sorted(seen.values(), key=lambda event: event["timestamp"])
    start = events[0]["timestamp"] if events else day
    severity = Severity.MEDIUM if len(gone_through) >= FEW else Severity.LOW
    severity = Severity.HIGH if amount >= max(MANY, limit) else severity
    maker = _made_lately_by(store, actor, day, now)
    severity = Severity.LOW if maker else severity
    return Suspicion(
        kind="old_versions_taken",
        cause=("old_versions", actor, f"{start:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)}: pulled {len(wanted)} old versions of {several(len(gone_through), 'repository', 'repositories')}",
        start=start,
        end=now,
        subjects={
            "actor": [actor],
            "client": sorted({event["client_ip"] for event in events if event["client_ip"]}),
            "repository": sorted(gone_through),
        },
        score=round(amount / limit, 3),
        expected=f"fewer than {limit} versions beyond one of each repository within {SPAN.days} days, as in its past",
        observed=f"{amount}, most of {names(gone_through, 4)}; none of them pushed lately, none pulled by it before",
        evidence=[event["event_id"] for event in events],
        explanation="Clusters want the newest image, people the one they work with. Who goes through the old ones looks for "
        "what they hold (secrets, code), or takes everything along."
        + (
            f" The account was made for something lately by {plain(maker)}, who makes such: a mirror's first run."
            if maker
            else ""
        ),
    )


def _made_lately_by(store: EventReader, actor: str, day: datetime, now: datetime) -> str:
    """Who made the account within a week, if they did as much before; else nobody."""
    made = last_creation(store, actor, now, day - 7 * DAY)
    if made is None or not made["actor"]:
        return ""
    maker, at = str(made["actor"]), made["timestamp"]
    changes = EventQuery(
        since=at - 28 * DAY,
        until=at,
        actor=maker,
        action=(Action.PERMISSION, Action.CONFIG),
        outcome=(Outcome.SUCCESS,),
        limit=MOST_EVENTS,
        columns=("timestamp", "actor"),
    )
    days = {one["timestamp"].date() for one in store.events(changes) if one["actor"] == maker}
    return maker if len(days - {at.date()}) >= USUAL else ""


DETECTOR = OldVersions
