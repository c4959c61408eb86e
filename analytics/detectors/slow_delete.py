"""Deletes that add up: somebody who works with images takes those of others away, a few a day.

Notices: an account that has been pulling or pushing for a week, and now deletes images of repositories to which it never pushed, in
sitting after sitting over hours and days, though it never did so before. Bursts are told of by the rules `mass_delete` and
`steady_delete`. Needs: logs that name accounts; a week of history. Method: exact bookkeeping over seven days; images of
repositories that the account pushes to are its own to delete. Wakes nobody for one round of tidying up, for a clean-up job (it
deletes more than it does anything else), nor for an account that was made for a migration. Never sees: deletes by accounts that
always delete, and what is taken from one's own repositories.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from analytics.daily import days_before, each_day
from analytics.detector import Suspicion
from analytics.places import NOBODY
from analytics.replay import horizon, remember
from analytics.windows import CELL, DAY, HOUR
from analytics.wording import duration, names, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

WEEK = timedelta(days=7)
SETTLED = timedelta(days=7)  # of being known
FEWEST = 8  # deletes within a week
SITTINGS = 3
PAUSE = 2 * HOUR  # between two sittings, at least
MANY = 40
SLOW = 6 * HOUR  # from the first to the last, at least
HABIT = 3  # a third as many in any week before: it does so now and then
_DELETES = (Action.DELETE, Action.UNTAG)
_WORK = (Action.PULL, Action.PUSH)
_BY = ("actor", "actor_kind", "repository", "action", "outcome")
_COLUMNS = ("event_id", "timestamp", "actor", "actor_kind", "client_ip", "repository")


@dataclass(frozen=True, slots=True)
class _Day:
    """What was done on one day: pulls and pushes of each account, where it pushed, and what it deleted where."""

    work: dict[str, int]
    pushed: dict[str, frozenset[str]]
    deletes: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class _Account:
    """Since when it is known, how much it pulled and pushed, where it pushed, and what it deleted of others, by day."""

    first: datetime
    work: int
    pushed: frozenset[str]
    deletes: dict[datetime, int]

    def most_a_week(self, before: datetime) -> int:
        """The most deletes in any week that was over then."""
        days = [at for at in self.deletes if at < before]
        return max((sum(self.deletes[one] for one in days if at - WEEK < one <= at) for at in days), default=0)


@dataclass(slots=True)
class SlowDelete:
    """See the top of the file."""

    name: str = "slow_delete"
    subject: str = "actor"
    every: timedelta = CELL
    history: timedelta = timedelta(days=35)
    next_step: str = (
        "Ask the account's owner; until then take its right to delete away, and put garbage collection off."
    )
    _kept: dict[datetime, tuple[tuple[datetime, _Day], ...]] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            times, week = self._week(store, day, end)
            doing = {one["actor"] for one in week[bisect_left(times, start) : bisect_left(times, end)]}
            if doing:
                days = days_before(store, self.name, day, self.history, self._kept, partial(_done, store))
                lately = week[bisect_left(times, end - WEEK) : bisect_left(times, end)]
                for actor in sorted(doing):
                    account = _account(actor, days)
                    if account is not None:
                        found += _judge(actor, account, [one for one in lately if one["actor"] == actor])
        return found

    def _week(self, store: EventReader, day: datetime, end: datetime) -> tuple[list[datetime], list[dict[str, Any]]]:
        """The deletes of the week before and of the day, by time, behind their times; in a replay asked once for the day."""
        until = min(day + DAY, horizon(store, end))
        success = (Outcome.SUCCESS,)
        query = EventQuery(since=day - WEEK, until=until, action=_DELETES, outcome=success, columns=_COLUMNS)

        def ask() -> tuple[list[datetime], list[dict[str, Any]]]:
            events = [one for one in store.events(query) if _named(one)]
            return [one["timestamp"] for one in events], events

        return remember(store, f"{self.name} week", day, ask)


def _named(event: dict[str, Any]) -> bool:
    return bool(event["actor"] and event["repository"]) and event["actor_kind"] not in NOBODY


def _done(store: EventReader, day: datetime) -> _Day:
    frame = store.counts(day, day + DAY, _BY, DAY)
    chosen = (frame["outcome"] == Outcome.SUCCESS) & frame["action"].isin([*_WORK, *_DELETES])
    frame = frame[chosen & ~frame["actor_kind"].isin(NOBODY)].dropna(subset=["actor", "repository"])
    work: dict[str, int] = defaultdict(int)
    pushed: dict[str, set[str]] = defaultdict(set)
    deletes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    columns = ("actor", "repository", "action", "events")
    for actor, repository, action, many in zip(*(frame[name] for name in columns), strict=True):
        if action in _DELETES:
            deletes[actor][repository] += int(many)
            continue
        work[actor] += int(many)
        if action == Action.PUSH:
            pushed[actor].add(repository)
    return _Day(
        dict(work), {actor: frozenset(some) for actor, some in pushed.items()}, {a: dict(d) for a, d in deletes.items()}
    )


def _account(actor: str, days: Sequence[tuple[datetime, _Day]]) -> _Account | None:
    known = [(at, one) for at, one in days if actor in one.work or actor in one.deletes]
    if not known:
        return None
    pushed = frozenset[str]().union(*(one.pushed.get(actor, ()) for _, one in known))
    gone = {
        at: sum(many for repository, many in one.deletes.get(actor, {}).items() if repository not in pushed)
        for at, one in known
    }
    work = sum(one.work.get(actor, 0) for _, one in known)
    return _Account(known[0][0], work, pushed, {at: many for at, many in gone.items() if many})


def _judge(actor: str, account: _Account, week: list[dict[str, Any]]) -> Iterator[Suspicion]:
    events = [one for one in week if one["repository"] not in account.pushed]
    repositories = sorted({one["repository"] for one in events})
    if len(events) < FEWEST or _sittings(events) < SITTINGS:
        return
    first, last = events[0]["timestamp"], events[-1]["timestamp"]
    before = account.most_a_week(last - WEEK)
    if (
        last - first < SLOW
        or first - account.first < SETTLED
        or account.work <= sum(account.deletes.values())
        or before * HABIT >= len(events)
    ):
        return
    severity = Severity.HIGH if len(events) >= MANY else Severity.MEDIUM
    yield Suspicion(
        kind="deletes_add_up",
        cause=("deletes_add_up", actor, f"{first:%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)} deleted {several(len(events), 'image')} of {names(repositories, 2)} in {duration(last - first)}",
        start=first,
        end=last,
        subjects={
            "actor": [actor],
            "client": sorted({one["client_ip"] for one in events if one["client_ip"]}),
            "repository": repositories,
        },
        score=10.0 * severity.rank + min(len(events) / FEWEST, 9),
        expected=f"at most {several(before, 'delete')} a week in repositories to which it never pushed",
        observed=f"{several(len(events), 'delete')} in {_sittings(events)} sittings: {names(repositories, 4)}",
        evidence=[one["event_id"] for one in events],
        explanation="It works with images and never cleaned up: what is taken slowly is missed late.",
    )


def _sittings(events: list[dict[str, Any]]) -> int:
    times: list[datetime] = [one["timestamp"] for one in events]
    return 1 + sum(later - earlier >= PAUSE for earlier, later in pairwise(times))


DETECTOR = SlowDelete
