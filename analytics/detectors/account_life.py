"""Accounts at the edges of their life: dormant ones that wake, deleted ones that go on.

Notices: an account that was silent for two months, or for much longer than ever before, and now does something; one that was
seen on a few days only, was silent since, and comes back in an unusual way (from elsewhere, at an hour of rest, in other
projects, with acts that it never did); an account that was deleted or disabled and goes on, with success or without. Needs: logs
that name accounts; for deletions an audit log. Wakes nobody for an account that comes back to its own place and its own work, nor
for a job that always came that seldom, nor for a deleted robot that is still asked for where it always ran: somebody forgot its
settings. Method: exact bookkeeping by days. Never sees: an account that slept before the stored history begins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial, reduce
from itertools import pairwise
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.daily import days_before, each_day, learned, same
from analytics.day_events import done_by
from analytics.detector import Suspicion
from analytics.ledger import network
from analytics.places import NOBODY
from analytics.replay import Replay, floor, horizon, remember
from analytics.traffic_classes import AROUND_THE_CLOCK
from analytics.windows import CELL, DAY, HOUR
from analytics.wording import duration, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

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
MOST_EVENTS = 50
_ENDED = ("user_deleted", "robot_deleted", "user_disabled")
_BEGUN = ("user_created", "robot_created", "user_enabled")
_STRONG = frozenset((Action.PUSH, Action.DELETE, Action.UNTAG, Action.PERMISSION, Action.CONFIG, Action.REPLICATE))
_DOES = frozenset((*_STRONG, Action.PULL, Action.LOGIN, Action.TOKEN, Action.CATALOG, Action.LIST_TAGS, Action.TAG))


@dataclass(slots=True)
class _Past:
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
class _End:
    """An account that was taken away: when, by whom, told by which event."""

    at: datetime
    by: str | None
    change: str
    event_id: str


@dataclass(frozen=True, slots=True)
class _Day:
    """What accounts did on one day: addresses and acts of those that got what they asked for, the hours of all, each a bit."""

    done: dict[str, tuple[frozenset[str], frozenset[str]]]
    hours: dict[str, int]


_Days = tuple[tuple[datetime, _Day], ...]


@dataclass(slots=True)
class AccountLife:
    """See the top of the file."""

    name: str = "account_life"
    subject: str = "actor"
    every: timedelta = CELL
    history: timedelta = timedelta(days=120)
    next_step: str = (
        "Ask the account's owner, or who deleted it; until then revoke its tokens and passwords everywhere."
    )
    _kept: dict[datetime, _Days] = field(default_factory=dict)
    _learned: dict[datetime, dict[str, _End]] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            actors = _active(store, start, end)
            if actors:
                days = days_before(store, self.name, day, self.history, self._kept, partial(_day, store))
                rest = remember(store, f"{self.name} rest", day, partial(_rest, days, day))
                ended = _ended(store, day, end, self._ended(store, day))
                known: dict[str, _Past | None] = remember(store, f"{self.name} past", day, dict)
                for actor in sorted(actors):
                    if actor not in known:
                        known[actor] = _sleeper(actor, days, day)
                    if actor in ended:
                        found += _after_end(store, actor, days, ended[actor], day, start, end)
                    elif (past := known[actor]) is not None:
                        found += _perhaps_woke(store, actor, past, days, rest, day, start, end)
        return found

    def _ended(self, store: EventReader, day: datetime) -> dict[str, _End]:
        return learned(store, self.name, day, self._learned, lambda: _ended(store, day - self.history, day, {}))


def _active(store: EventReader, since: datetime, until: datetime) -> set[str]:
    """Whoever did anything; in a replay of many steps from the day's cells, made once."""
    if not isinstance(store, Replay) or floor(since, CELL) != since or floor(until, CELL) != until:
        return set().union(*_cells(store, since, until).values())
    day = floor(since, DAY)
    cells = store.memo("account_life cells", day, lambda: _cells(store, day, min(day + DAY, horizon(store, until))))
    return set().union(*(actors for at, actors in cells.items() if since <= at < until))


def _cells(store: EventReader, since: datetime, until: datetime) -> dict[datetime, set[str]]:
    frame = store.counts(since, until, ("actor", "actor_kind"), CELL).dropna(subset=["actor"])
    named = frame[~frame["actor_kind"].isin(NOBODY)]
    actors, starts = named["actor"].tolist(), named["window_start"]
    begins = [*np.flatnonzero(starts.ne(starts.shift()).to_numpy()).tolist(), len(actors)]  # counts come by time
    moments = (starts.iloc[first].to_pydatetime() for first in begins[:-1])
    return {at: set(actors[first:last]) for at, (first, last) in zip(moments, pairwise(begins), strict=True)}


def _day(store: EventReader, day: datetime) -> _Day:
    by = ("actor", "client_ip", "action", "outcome")
    frame: pd.DataFrame = store.counts(day, day + DAY, by, HOUR).dropna(subset=["actor"])
    hours: dict[str, int] = defaultdict(int)
    for actor, hour in zip(frame["actor"], frame["window_start"].dt.hour, strict=True):
        hours[actor] |= 1 << hour
    done = frame[(frame["outcome"] == Outcome.SUCCESS) & frame["action"].isin(list(_DOES))]
    seen: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for actor, client, action in zip(done["actor"], done["client_ip"], done["action"], strict=True):
        clients, actions = seen[actor]
        actions.add(str(action))
        if isinstance(client, str):
            clients.add(client)
    return _Day({actor: (same(frozenset(c)), same(frozenset(a))) for actor, (c, a) in seen.items()}, dict(hours))


def _rest(days: _Days, day: datetime) -> frozenset[int]:
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


def _networks(days: _Days) -> dict[str, set[str]]:
    """Network → accounts that were there on any of the days."""
    found: dict[str, set[str]] = defaultdict(set)
    for _, one in days:
        for actor, (clients, _) in one.done.items():
            for client in clients:
                found[network(client)].add(actor)
    return dict(found)


def _new_to_many(store: EventReader, actor: str, day: datetime, now: datetime) -> set[str]:
    """The networks at which others are today: an office that moves."""
    frame = store.counts(day, now, ("actor", "client_ip"), HOUR).dropna()
    return {network(str(one)) for one in frame["client_ip"][frame["actor"] != actor]}


def _past(actor: str, days: _Days) -> _Past | None:
    done = [(at, one.done[actor]) for at, one in days if actor in one.done]
    if not done:
        return None
    return _Past(
        days=[at for at, _ in done],
        done=[of_day for _, of_day in done],
    )


def _sleeper(actor: str, days: _Days, day: datetime) -> _Past | None:
    """Its past, if it slept until `day`: of the many that did not no more need be known."""
    past = _past(actor, days)
    if past is None or not past.slept(day):
        return None
    past.asked = [at for at, one in days if at >= past.days[0] and actor in one.hours]
    return past


def _ended(store: EventReader, since: datetime, until: datetime, before: Mapping[str, _End]) -> dict[str, _End]:
    """Accounts that are gone at `until`, of which `before` were so at `since`: what was made again is not."""
    ended = dict(before)
    for event in store.events(EventQuery(since=since, until=until, action=(Action.PERMISSION,))):
        target, change = event.get("target"), event.get("change")
        if not target or event["outcome"] in (Outcome.DENIED, Outcome.FAILURE):
            continue
        if change in _BEGUN:
            ended.pop(target, None)
        elif change in _ENDED:
            ended[target] = _End(event["timestamp"], event["actor"], change, event["event_id"])
    return ended


def _after_end(
    store: EventReader, actor: str, days: _Days, end: _End, day: datetime, start: datetime, now: datetime
) -> Iterator[Suspicion]:
    tried = _events(store, actor, day, max(end.at, now - DAY), now)
    if any(event["timestamp"] >= start for event in tried):
        yield from _goes_on(actor, tried, _past(actor, days), end)


def _perhaps_woke(
    store: EventReader,
    actor: str,
    past: _Past,
    days: _Days,
    rest: frozenset[int],
    day: datetime,
    start: datetime,
    now: datetime,
) -> Iterator[Suspicion]:
    """`past`: of an account that slept."""
    done = [
        event
        for event in _events(store, actor, day, day, now)
        if event["outcome"] == Outcome.SUCCESS and event["action"] in _DOES
    ]
    if done and done[-1]["timestamp"] >= start:
        known = remember(store, "account_life networks", day, partial(_networks, days))
        others = {place for place, accounts in known.items() if accounts - {actor}}
        if len(past.days) <= LITTLE_KNOWN:
            others |= _new_to_many(store, actor, day, now)
        yield _woke(actor, done, past, day - past.days[-1] - DAY, rest, _before(store, actor, past, day), others)


def _before(store: EventReader, actor: str, past: _Past, day: datetime) -> set[str]:
    """The projects of its first events; asked once, for it is judged in each step in which it does more."""
    known: dict[str, set[str]] = remember(store, "account_life projects", day, dict)
    if actor not in known:
        known[actor] = _projects(_first_events(store, actor, past, day))
    return known[actor]


def _first_events(store: EventReader, actor: str, past: _Past, day: datetime) -> list[dict[str, Any]]:
    """Read from the days on which there are any: those of months are many files, and who sleeps was seldom there."""
    pattern = "*" in actor or "?" in actor  # others' events may fit it, on other days
    spans = [(past.days[0], day)] if pattern else [(at, at + DAY) for at in past.asked]
    found: list[dict[str, Any]] = []
    for since, until in spans:
        left = MOST_EVENTS - len(found)
        columns = ("event_id", "timestamp", "actor", "project")
        found += store.events(EventQuery(since=since, until=until, actor=actor, limit=left, columns=columns))
        if len(found) >= MOST_EVENTS:
            break
    return [one for one in found if one["actor"] == actor and one["timestamp"] > past.days[0]]


def _projects(events: list[dict[str, Any]]) -> set[str]:
    return {str(one["project"]) for one in events if one["project"]}


def _events(store: EventReader, actor: str, day: datetime, since: datetime, until: datetime) -> list[dict[str, Any]]:
    events = done_by(store, day, since, until, MOST_EVENTS, actor=actor)
    return [event for event in events if event["actor"] == actor and event["timestamp"] > since]


def _goes_on(actor: str, tried: list[dict[str, Any]], past: _Past | None, end: _End) -> Iterator[Suspicion]:
    done = [one for one in tried if one["outcome"] == Outcome.SUCCESS and one["action"] in _DOES]
    refused = [one for one in tried if one["outcome"] == Outcome.DENIED]
    shown = done or refused
    if not shown:
        return
    how = end.change.partition("_")[2]
    known = past.networks if past else set()
    elsewhere = any(one["client_ip"] is None or network(one["client_ip"]) not in known for one in shown)
    after = duration(shown[0]["timestamp"] - end.at)
    if done:
        severity = Severity.HIGH
        why = "What it holds still opens the registry: a token that lives longer than its account, or a copy of the password file."
    elif elsewhere:
        severity = Severity.MEDIUM
        why = "Somebody who has its credentials tries them, from where it was never at home."
    else:
        severity = Severity.LOW
        why = "It is tried where it always ran: probably settings that nobody changed."
    yield _suspicion(
        "deleted_account_goes_on",
        (actor, end.event_id, "done" if done else "refused"),
        severity,
        shown,
        title=f"{plain(actor)} was {how}, and {'still gets in' if done else 'is still tried'}",
        expected=f"nothing by it after it was {how} on {end.at:%Y-%m-%d %H:%M} by {plain(end.by or 'nobody named')}",
        observed=f"{several(len(shown), 'success', 'successes') if done else several(len(shown), 'refusal')}, {after} after it",
        explanation=why,
        first=end.event_id,
    )


def _woke(
    actor: str,
    done: list[dict[str, Any]],
    past: _Past,
    silent: timedelta,
    rest: frozenset[int],
    before: set[str],
    others: set[str],
) -> Suspicion:
    """`others`: the networks at which other accounts were."""
    actions, networks = past.actions, past.networks
    strong = sorted({one["action"] for one in done if one["action"] in _STRONG and one["action"] not in actions})
    new = {network(one["client_ip"]) for one in done if one["client_ip"]} - networks
    elsewhere = bool(new)
    seldom = past.longest_gap() >= silent / 2
    beyond = _projects(done) - before if before else set()
    at_rest = done[0]["timestamp"].hour in rest
    known = silent >= DORMANT or len(past.days) > LITTLE_KNOWN  # else it may only be somebody who comes seldom
    signs = [f"it never did this before: {', '.join(strong)}"] if strong else []
    signs += ["it comes from a network that it never used"] if elsewhere else []
    grave = len(signs)
    signs += ["at an hour at which people here rest"] if at_rest else []
    signs += [f"in {several(len(beyond), 'project')} that it never touched"] if beyond else []
    if seldom:
        severity = Severity.LOW if signs else Severity.INFO
    elif known:
        severity = Severity.HIGH if grave == 2 or len(signs) >= 3 else Severity.MEDIUM if signs else Severity.LOW
    else:
        # Of whom little is known nearly everything is new: what it does, and at which of the house's places.
        odd = at_rest or bool(new - others)
        severity = Severity.MEDIUM if len(signs) >= 2 and odd else Severity.INFO
    why = f"Unusual: {' and '.join(signs)}." if signs else "It comes back to its own place and does what it did."
    return _suspicion(
        "dormant_account_wakes",
        (actor, f"{past.days[-1]:%Y-%m-%d}"),
        severity,
        done,
        title=f"{plain(actor)} was silent for {duration(silent)} and is back",
        expected=f"silent since {past.days[-1]:%Y-%m-%d}; its longest pause before was {duration(past.longest_gap())}",
        observed=f"{several(len(done), 'request')} with success, first {done[0]['action']}",
        explanation=why,
    )


def _suspicion(
    kind: str,
    cause: tuple[str, ...],
    severity: Severity,
    events: list[dict[str, Any]],
    *,
    first: str = "",
    title: str,
    expected: str,
    observed: str,
    explanation: str,
) -> Suspicion:
    subjects: Mapping[str, str] = {"actor": "actor", "client": "client_ip", "repository": "repository"}
    return Suspicion(
        kind=kind,
        cause=(kind, *cause),
        severity=severity,
        start=events[0]["timestamp"],
        end=events[-1]["timestamp"],
        subjects={name: sorted({one[column] for one in events if one[column]}) for name, column in subjects.items()},
        score=10.0 * severity.rank + min(len(events), 9),
        evidence=[*([first] if first else []), *(one["event_id"] for one in events)],
        title=title,
        expected=expected,
        observed=observed,
        explanation=explanation,
        without_past=kind == "deleted_account_goes_on",
    )


DETECTOR = AccountLife
