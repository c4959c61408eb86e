"""Accounts at the edges of their life: dormant ones that wake, deleted ones that go on.

Notices: an account that was silent for two months, or for much longer than ever before, and now does something; one that was
seen on a few days only, was silent since, and comes back in an unusual way (from elsewhere, at an hour of rest, in other
projects, with acts that it never did); an account that was deleted or disabled and goes on, with success or without. Needs: logs
that name accounts; for deletions an audit log. Wakes nobody for an account that comes back to its own place and its own work, nor
for a job that always came that seldom, nor for a deleted robot that is still asked for where it always ran: somebody forgot its
settings. Method: exact bookkeeping by days. Never sees: an account that slept before the stored history begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.daily import days_before, each_day, learned
from analytics.day_events import done_by
from analytics.detector import Suspicion
from analytics.ledger import network
from analytics.pauses import (
    DOES,
    DORMANT,
    LITTLE_KNOWN,
    STRONG,
    Days,
    Past,
    day_of_accounts,
    past_of,
    places,
    rest_hours,
    sleeper,
)
from analytics.places import NOBODY
from analytics.replay import Replay, floor, horizon, remember
from analytics.windows import CELL, DAY, HOUR
from analytics.wording import duration, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

if TYPE_CHECKING:
    pass

MOST_EVENTS = 50
_ENDED = ("user_deleted", "robot_deleted", "user_disabled")
_BEGUN = ("user_created", "robot_created", "user_enabled")


@dataclass(frozen=True, slots=True)
class _End:
    """An account that was taken away: when, by whom, told by which event."""

    at: datetime
    by: str | None
    change: str
    event_id: str


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
    _kept: dict[datetime, Days] = field(default_factory=dict)
    _learned: dict[datetime, dict[str, _End]] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            actors = _active(store, start, end)
            if actors:
                days = days_before(store, self.name, day, self.history, self._kept, partial(day_of_accounts, store))
                rest = remember(store, f"{self.name} rest", day, partial(rest_hours, days, day))
                ended = _ended(store, day, end, self._ended(store, day))
                known: dict[str, Past | None] = remember(store, f"{self.name} past", day, dict)
                for actor in sorted(actors):
                    if actor not in known:
                        known[actor] = sleeper(actor, days, day)
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
    store: EventReader, actor: str, days: Days, end: _End, day: datetime, start: datetime, now: datetime
) -> Iterator[Suspicion]:
    tried = _events(store, actor, day, max(end.at, now - DAY), now)
    if any(event["timestamp"] >= start for event in tried):
        yield from _goes_on(actor, tried, past_of(actor, days), end)


def _perhaps_woke(
    store: EventReader,
    actor: str,
    past: Past,
    days: Days,
    rest: frozenset[int],
    day: datetime,
    start: datetime,
    now: datetime,
) -> Iterator[Suspicion]:
    """`past`: of an account that slept."""
    done = [
        event
        for event in _events(store, actor, day, day, now)
        if event["outcome"] == Outcome.SUCCESS and event["action"] in DOES
    ]
    if done and done[-1]["timestamp"] >= start:
        little = len(past.days) <= LITTLE_KNOWN
        others = _places_of_others(store, actor, days, day, now) if little else set()
        yield _woke(actor, done, past, day - past.days[-1] - DAY, rest, _before(store, actor, past, day), others)


def _places_of_others(store: EventReader, actor: str, days: Days, day: datetime, now: datetime) -> set[str]:
    """The networks at which other accounts were on the days before, or are today: an office that moves."""
    before = remember(store, "account_life networks", day, partial(places, days))
    today = store.counts(day, now, ("actor", "client_ip"), HOUR).dropna()
    found = {network(str(client)) for client in today["client_ip"][today["actor"] != actor]}
    return found | {place for place, accounts in before.items() if accounts - {actor}}


def _before(store: EventReader, actor: str, past: Past, day: datetime) -> set[str]:
    """The projects of its first events; asked once, for it is judged in each step in which it does more."""
    known: dict[str, set[str]] = remember(store, "account_life projects", day, dict)
    if actor not in known:
        known[actor] = _projects(_first_events(store, actor, past, day))
    return known[actor]


def _first_events(store: EventReader, actor: str, past: Past, day: datetime) -> list[dict[str, Any]]:
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


def _goes_on(actor: str, tried: list[dict[str, Any]], past: Past | None, end: _End) -> Iterator[Suspicion]:
    done = [one for one in tried if one["outcome"] == Outcome.SUCCESS and one["action"] in DOES]
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
    past: Past,
    silent: timedelta,
    rest: frozenset[int],
    before: set[str],
    others: set[str],
) -> Suspicion:
    """`others`: the networks at which other accounts were; asked for where little is known of this one."""
    actions, networks = past.actions, past.networks
    strong = sorted({one["action"] for one in done if one["action"] in STRONG and one["action"] not in actions})
    elsewhere = {network(one["client_ip"]) for one in done if one["client_ip"]} - networks
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
        odd = at_rest or bool(elsewhere - others)
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
