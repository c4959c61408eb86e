"""Repositories whose name looks like that of a popular one, by somebody else: bait for typing errors.

Notices: the first push to a new repository whose name differs from a known, well-used one by a letter, by two changed places,
or by signs that look alike (0 and o, 1 and l, rn and m); the first pull, through a cache that nobody pushes to, of an image
that is called like one of the registry's own: somebody has put it where the cache fetches from. Told loudly only if the account
never pushed to the project of the original. Needs: logs that name accounts, or addresses. Method: edit distance (Damerau, one
step; two in long names) of the one part of the name that differs, and equal skeletons of confusable signs (as in Unicode
Technical Standard 39, its Latin part). Never sees: bait in another registry that nobody here pulls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from analytics.acts import CELL, NAMES, Acts, acts_of
from analytics.daily import carried, each_day
from analytics.detector import Suspicion
from analytics.known_names import Known, Repositories, touched_on
from analytics.likeness import Shelves, alike
from analytics.replay import remember
from analytics.windows import DAY, Ints, minute
from analytics.wording import plain
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

MOST_EVENTS = 50
FEWEST_PULLS = 20
OLD = timedelta(days=3)  # younger names are nobody's habit yet


@dataclass(slots=True)
class LookAlike:
    """See the top of the file."""

    name: str = "look_alike"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=CELL)
    history: timedelta = timedelta(days=30)
    next_step: str = "Ask the account what the repository is for; see who pulled it (`regsight blast --repository`)."
    _kept: dict[datetime, Repositories] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            start, end = max(since, day), min(day + DAY, now)
            today = remember(store, f"{self.name}, today", day, partial(self._day, store, day, now))
            found += _pushed(store, today, start, end)
            found += _from_outside(store, today, start, end)
        return found

    def _day(self, store: EventReader, day: datetime, now: datetime) -> _Today:
        return _today(self._before(store, day), acts_of(store, day, now), day)

    def _before(self, store: EventReader, day: datetime) -> Repositories:
        def after(before: Repositories, over: datetime) -> Repositories:
            return before.after(over, acts_of(store, over, over + DAY), touched_on(store, over))

        return carried(store, self.name, day, self.history, self._kept, lambda: Repositories(self.history), after)


@dataclass(slots=True)
class _Today:
    """What of a day, as far as it is loaded, may be bait."""

    day: datetime
    known: Known | None  # None: nothing new today
    pushed: dict[str, tuple[int, str, str]]  # new repository → pulls of what it looks like, its name, how
    pulled: dict[str, tuple[Ints, tuple[str, ...]]]  # new through a cache → when, and those of one's own
    events: dict[str, dict[str, Any] | None] = field(default_factory=dict)  # the first push to a new repository


def _today(before: Repositories, acts: Acts, day: datetime) -> _Today:
    """Looks at the new names only."""
    new = acts.where(~before.has(acts.codes["repository"]))
    words = NAMES["repository"].words
    codes, pushed = new.codes["repository"], new.pushed & ~new.internal
    if not len(codes):
        return _Today(day, None, {}, {})
    known = before.known(day)
    shelves = Shelves(
        other for other, many in known.pulls.items() if many >= FEWEST_PULLS and known.first[other] <= day - OLD
    )
    today = _Today(day, known, {}, {})
    for name in (words[code] for code in np.unique(codes[pushed])):
        originals = [(known.pulls[other], other, how) for other in shelves.near(name) if (how := alike(name, other))]
        if originals and name:
            today.pushed[name] = max(originals)
    for code in np.unique(codes[~pushed]).tolist():
        project, _, rest = words[code].partition("/")
        originals_here = known.made.get(rest.rpartition("/")[2], ())
        if project in known.caches and originals_here:
            today.pulled[words[code]] = (new.starts[(codes == code) & ~pushed], originals_here)
    return today


def _pushed(store: EventReader, today: _Today, start: datetime, end: datetime) -> Iterator[Suspicion]:
    found = []
    for name, original in today.pushed.items():
        if name not in today.events:
            today.events[name] = _first_push(store, name, today.day)
        event = today.events[name]
        if event is not None and start <= event["timestamp"] < end:
            found.append((event["timestamp"], event["event_id"], event, original))
    for _, _, event, (many, other, how) in sorted(found, key=lambda one: one[:2]):
        assert today.known is not None
        yield _suspicion(event, many, other, how, today.known)


def _first_push(store: EventReader, name: str, day: datetime) -> dict[str, Any] | None:
    query = EventQuery(
        since=day,
        until=day + DAY,
        action=(Action.PUSH,),
        outcome=(Outcome.SUCCESS,),
        repository=name,
        limit=MOST_EVENTS,
    )
    return next((event for event in store.events(query) if event["repository"] == name), None)


def _from_outside(store: EventReader, today: _Today, start: datetime, now: datetime) -> Iterator[Suspicion]:
    """Names of one's own that come through a cache, where they never did."""
    for name, (starts, originals) in sorted(today.pulled.items()):
        if not ((starts > minute(start) - CELL) & (starts * 60 < now.timestamp())).any():
            continue
        query = EventQuery(
            since=today.day,
            until=now,
            action=(Action.PULL,),
            outcome=(Outcome.SUCCESS,),
            repository=name,
            limit=MOST_EVENTS,
        )
        events = [event for event in store.events(query) if event["repository"] == name]
        if events:
            yield _taken_from_outside(name, originals, events)


def _taken_from_outside(name: str, originals: tuple[str, ...], events: list[dict[str, Any]]) -> Suspicion:
    subjects = {"actor": "actor", "client": "client_ip"}
    return Suspicion(
        kind="own_name_from_outside",
        cause=("own_name_from_outside", name),
        severity=Severity.HIGH,
        title=f"{plain(name)} came through the cache; {plain(originals[0])} is one of our own",
        start=events[0]["timestamp"],
        end=events[-1]["timestamp"],
        subjects={key: sorted({one[column] for one in events if one[column]}) for key, column in subjects.items()}
        | {"repository": [name]},
        score=10.0 * Severity.HIGH.rank + min(len(events), 9),
        expected=f"{plain(originals[0])} is pulled from where it is pushed to",
        observed=f"pulled {len(events)} times under {plain(name)}, of a project that nobody pushes to",
        evidence=[str(one["event_id"]) for one in events],
        explanation="Somebody may have put an image of that name where the cache fetches from, and a wrong path took it.",
        next_step="Compare the digest with that of one's own image; take the name off the cache and pull by full path.",
    )


def _suspicion(event: dict[str, Any], many: int, other: str, how: str, known: Known) -> Suspicion:
    name, actor, client, at = str(event["repository"]), event["actor"], event["client_ip"], event["timestamp"]
    project = other.partition("/")[0]
    own = actor is not None and (str(actor), project) in known.pushers
    severity = Severity.LOW if own or actor is None else Severity.MEDIUM
    return Suspicion(
        kind="look_alike_repository",
        cause=("look_alike", name),
        severity=severity,
        title=f"{plain(name)} is new and looks like {plain(other)}, pushed by {plain(str(actor or 'nobody named'))}",
        start=at,
        end=at,
        subjects={
            "actor": [str(actor)] if actor else [],
            "client": [str(client)] if client else [],
            "repository": [name],
        },
        score=10.0 * severity.rank + min(many, 1000) / 1000,
        expected="new repositories have names of their own, or are made by those who have the original",
        observed=f"{plain(name)} is {how} from {plain(other)}, which was pulled {many:,} times",
        evidence=[str(event["event_id"])],
        explanation=f"The account {'pushes to' if own else 'never pushed to'} {plain(project)}, where the original is."
        if actor
        else "Nothing says who pushed it.",
    )


DETECTOR = LookAlike
