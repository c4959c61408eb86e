"""What a reader that comes each day leaves out: one project of those that it always read, while it reads the others.

A project that is gone is left out by everybody, so others must still be at work in it, and since the day before somebody must have
pushed there: many readers take what is new alone. A run that breaks off leaves out much.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analytics.acts import NAMES, Acts, acts_of
from analytics.daily import days_before
from analytics.detector import Suspicion
from analytics.firsts import pair, parted
from analytics.windows import DAY, Ints, minute
from analytics.wording import names, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

KIND = "timetable_narrowed"  # the kinds of its findings
EACH_DAY = 7  # days before, on all of which it read the project
FEWEST = 3  # pulls there on each of them; fewer may be those of one repository that is gone
OVER = 30  # minutes without any pull, after which it is through
WHOLE = 0.5  # of the fewest pulls of any of these days; less is a run that broke off
MOST_LEFT_OUT = 4  # of so many projects one
MOST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Visits:
    """Who was in which project on a day, and how many pulls and pushes there were."""

    pairs: Ints  # of account and project, sorted
    amounts: Ints
    pushed: frozenset[int]  # projects

    @classmethod
    def of(cls, acts: Acts) -> Visits:
        named = acts.where((acts.codes["actor"] >= 0) & (acts.codes["project"] >= 0))
        pairs, amounts = np.unique(pair(named.codes["actor"], named.codes["project"]), return_counts=True)
        fresh = frozenset(named.codes["project"][named.pushed].tolist())
        return cls(pairs, np.asarray(amounts, dtype=np.int64), fresh)

    def by(self, actor: int) -> dict[int, int]:
        """Project → pulls and pushes of one account."""
        mine = slice(*np.searchsorted(self.pairs, [actor << 32, (actor + 1) << 32]))
        return dict(zip(parted(self.pairs[mine])[1].tolist(), self.amounts[mine].tolist(), strict=True))

    def without(self, actor: int) -> set[int]:
        """Projects in which others were."""
        who, projects = parted(self.pairs)
        return set(projects[who != actor].tolist())


Week = tuple[tuple[datetime, Visits], ...]


def week_before(store: EventReader, day: datetime, kept: dict[datetime, Week]) -> Week:
    """Of the days before a day, read once."""

    def read(over: datetime) -> Visits:
        return Visits.of(acts_of(store, over, over + DAY))

    return days_before(store, "left out", day, EACH_DAY * DAY, kept, read)


def left_out(
    store: EventReader, week: Week, name: str, day: datetime, begins: datetime, due: datetime
) -> list[Suspicion]:
    """Whether the account of that name, which should be through by `due`, left something out."""
    actor = NAMES["actor"].number(name)
    before = [visits.by(actor) for _, visits in week]
    if len(before) < EACH_DAY or not all(before):
        return []
    always = {project for project in before[0] if all(one.get(project, 0) >= FEWEST for one in before)}
    until = -(-int(due.timestamp()) // 60)
    acts = acts_of(store, day, due).between(minute(day), until)
    if (acts.codes["actor"][acts.starts >= until - OVER] == actor).any():
        return []
    today = Visits.of(acts)
    last = week[-1][1]
    mine, used = today.by(actor), (last.without(actor) | today.without(actor)) & (last.pushed | today.pushed)
    missing = sorted(NAMES["project"].words[one] for one in (always - mine.keys()) & used)
    whole = sum(mine.values()) >= WHOLE * min(sum(one.values()) for one in before)
    if not missing or not whole or len(always - mine.keys()) > max(1, len(always) // MOST_LEFT_OUT) or len(always) == 1:
        return []
    return [_suspicion(store, name, missing, len(mine), day, begins, due)]


def _suspicion(
    store: EventReader, name: str, missing: list[str], read: int, day: datetime, begins: datetime, due: datetime
) -> Suspicion:
    events = [event for project in missing for event in _last_reads(store, name, project, day)]
    return Suspicion(
        kind=KIND,
        cause=(KIND, name, f"{day:%Y-%m-%d}"),
        severity=Severity.MEDIUM,
        title=f"{plain(name)} left out {names(missing)} today, and read the rest",
        start=begins,
        end=due,
        subjects={
            "actor": [name],
            "client": sorted({event["client_ip"] for event in events if event["client_ip"]}),
            "repository": sorted({event["repository"] for event in events}),
        },
        score=10.0 * Severity.MEDIUM.rank,
        expected=f"{FEWEST} pulls there at least, as on each of the last {EACH_DAY} days",
        observed=f"none until {due:%H:%M}, while it read {several(read, 'other project')} and others pushed there",
        evidence=[event["event_id"] for event in events],
        explanation="What is pushed there from now on is looked at by nobody, or kept nowhere: somebody took it off the list.",
        next_step="Look at the job's settings and its rights in the project, and at who changed them; scan it by hand.",
    )


def _last_reads(store: EventReader, name: str, project: str, day: datetime) -> list[dict[str, str]]:
    """What it read there on the day before."""
    query = EventQuery(
        since=day - timedelta(days=1),
        until=day,
        action=(Action.PULL,),
        outcome=(Outcome.SUCCESS,),
        actor=name,
        repository=f"{project}/*",
        limit=MOST_EVENTS,
        columns=("event_id", "timestamp", "actor", "client_ip", "repository"),
    )
    return [one for one in store.events(query) if one["actor"] == name]
