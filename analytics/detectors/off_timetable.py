"""Machines that keep a timetable, used outside of it or kept from it: a job's credentials in other hands, a scan that stops.

Notices: an account that works on nearly every day and always at the same few hours (a scanner, a nightly job), and now asks for
image after image two hours or more away from them, a few at a time; louder if it pushes or deletes, which it never did; one that
read much on each day of a week, and two hours after its last usual one has read nothing, while others read on; or is through
with all but a project that it read on each day and others still work in. Needs: logs that name accounts, no addresses; a week in
which the account came on nearly every day. Method: exact bookkeeping of hours (UTC, so a change of the clock is an hour's shift
and no news), of its pace and of its projects. Wakes nobody for a whole run at another hour: a scanner goes through everything at
its own pace when its database was renewed. Never sees: use within the usual hours, accounts that work around the clock, and a scan
that leaves out single repositories, or a project that it does not read every day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from statistics import median

import numpy as np

from analytics.daily import days_before, each_day
from analytics.detector import Suspicion
from analytics.firsts import pair, parted
from analytics.left_out import Week, left_out, week_before
from analytics.places import NOBODY
from analytics.replay import horizon, remember
from analytics.windows import CELL, DAY, Ints, moment
from analytics.wording import names, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

FEWEST_DAYS = 7
NEARLY_EVERY_DAY = 0.8
USUAL = 3  # days on which an hour was used, to be one of the account's
MOST_HOURS = 4  # of the day; who uses more keeps no timetable
KEPT = 0.9  # of all that it did fell into them, or beside one
AWAY = 2  # hours
FEWEST_CELLS = 3  # of five minutes
PACE = 0.25  # of its own, per five minutes at work; more is a run of its own at another hour
EACH_DAY = 7  # days before, on all of which a reader came
MUCH = 20  # pulls on each of them: a scanner, a mirror, a backup
MOST_EVENTS = 200
_STRONG = (Action.PUSH, Action.DELETE, Action.UNTAG)
_WORK = (Action.PULL, *_STRONG)
_BY = ("actor", "actor_kind", "action", "outcome")
Cells = dict[datetime, int]  # five minutes → pulls, pushes and deletes of one account


@dataclass(frozen=True, slots=True)
class _Day:
    """What was done on one day, by account: its rows, one per five minutes, and its hours, each a bit."""

    rows: dict[str, slice]
    hours: dict[str, int]
    starts: Ints  # minutes since the epoch
    amounts: Ints
    strong: dict[str, frozenset[str]]  # of those that pushed or deleted

    def begun(self, actor: str) -> list[int]:
        """Minutes since the epoch of its five minutes; none where it did nothing."""
        return self.starts[self.rows[actor]].tolist() if actor in self.rows else []

    def cells(self, actor: str) -> tuple[list[int], list[int]]:
        """Hour of the day and amount of each five minutes."""
        rows = self.rows[actor]
        return (self.starts[rows] // 60 % 24).tolist(), self.amounts[rows].tolist()


@dataclass(frozen=True, slots=True)
class _Timetable:
    """The hours of the day at which an account works, on how many days, and how much in five minutes."""

    hours: frozenset[int]
    days: int
    pace: float
    strong: frozenset[str]  # pushes and deletes, where it ever did one
    reads: int  # the fewest pulls on any of the days before; 0 where it did not read much on each

    def away(self, hour: int) -> bool:
        return _away(self.hours, hour)


def _away(hours: frozenset[int], hour: int) -> bool:
    return all(min((hour - one) % 24, (one - hour) % 24) >= AWAY for one in hours)


@dataclass(slots=True)
class OffTimetable:
    """See the top of the file."""

    name: str = "off_timetable"
    subject: str = "actor"
    every: timedelta = CELL
    history: timedelta = timedelta(days=28)
    next_step: str = "Ask who runs this job whether it was started by hand; if not, give it new credentials."
    _kept: dict[datetime, tuple[tuple[datetime, _Day], ...]] = field(default_factory=dict)
    _week: dict[datetime, Week] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day in each_day(since, now):
            tables = self._tables(store, day)
            if not tables:
                continue
            start, end = max(since, day), min(day + DAY, now)
            for actor, cells in sorted(self._today(store, tables, day, end).items()):
                away = {at: many for at, many in cells.items() if at < end}
                if any(at + CELL > start for at in away):
                    found += _judge(store, actor, tables[actor], away, end)
            found += self._missed(store, tables, day, start, end)
        return found

    def _missed(
        self, store: EventReader, tables: dict[str, _Timetable], day: datetime, start: datetime, end: datetime
    ) -> Iterator[Suspicion]:
        """Readers whose last usual hour is over since [start, end) and who read nothing today, or left something out."""
        over = {actor: due for actor, table in tables.items() if (due := _over(table, day)) and start <= due < end}
        if not over:
            return
        today = self._day(store, day, min(day + DAY, horizon(store, end)))
        week = week_before(store, day, self._week)
        for actor, due in sorted(over.items()):
            yield from left_out(store, week, actor, day, day + timedelta(hours=min(tables[actor].hours)), due)
            usual = range(min(tables[actor].hours), due.hour if due.date() == day.date() else 24)
            readers = [one for one in today.rows if one != actor and one not in today.strong]  # or pulls are not told
            others = any(today.hours[one] >> hour & 1 for one in readers for hour in usual)
            if others and not any(moment(start) < due for start in today.begun(actor)):
                yield _missing(actor, tables[actor], day, due)

    def _day(self, store: EventReader, day: datetime, until: datetime) -> _Day:
        return remember(store, f"{self.name} day", day, lambda: _worked(store, day, until))

    def _tables(self, store: EventReader, day: datetime) -> dict[str, _Timetable]:
        def learn() -> dict[str, _Timetable]:
            return _learn(days_before(store, self.name, day, self.history, self._kept, partial(_worked, store)), day)

        return remember(store, f"{self.name} tables", day, learn)

    def _today(
        self, store: EventReader, tables: dict[str, _Timetable], day: datetime, end: datetime
    ) -> dict[str, Cells]:
        """Away from their hours, of those that have any; in a replay worked out once for the day."""
        until = min(day + DAY, horizon(store, end))

        def away() -> dict[str, Cells]:
            today = self._day(store, day, until)
            found: dict[str, Cells] = {}
            for actor in tables.keys() & today.rows.keys():
                rows = today.rows[actor]
                cells = zip(today.starts[rows].tolist(), today.amounts[rows].tolist(), strict=True)
                far = {at: many for start, many in cells if tables[actor].away((at := moment(start)).hour)}
                if far:
                    found[actor] = far
            return found

        return remember(store, f"{self.name} today", day, away)


def _worked(store: EventReader, day: datetime, until: datetime | None = None) -> _Day:
    frame = store.counts(day, until or day + DAY, _BY, CELL)
    chosen = (frame["outcome"] == Outcome.SUCCESS) & frame["action"].isin(list(_WORK)) & frame["actor"].notna()
    frame = frame[chosen & ~frame["actor_kind"].isin(NOBODY)]
    # The names once and in order: grouping by numbers takes a fifth of grouping by words.
    codes, names = frame["actor"].astype(object).factorize(sort=True)
    starts = frame["window_start"].to_numpy("datetime64[m]").astype(np.int64)
    keys, place = np.unique(pair(codes, starts), return_inverse=True)
    amounts = np.bincount(place.ravel(), frame["events"].to_numpy(), minlength=len(keys)).astype(np.int64)
    actors, starts = parted(keys)
    begins = np.searchsorted(actors, np.arange(len(names) + 1))
    rows = {str(name): slice(begins[at], begins[at + 1]) for at, name in enumerate(names)}
    bits = np.left_shift(1, starts // 60 % 24)
    masks = np.bitwise_or.reduceat(bits, begins[:-1]).tolist() if len(names) else []
    strong: dict[str, frozenset[str]] = defaultdict(frozenset)
    did = frame[frame["action"].isin(list(_STRONG))][["actor", "action"]].drop_duplicates()
    for actor, action in zip(did["actor"], did["action"], strict=True):
        strong[actor] |= {action}
    return _Day(rows, dict(zip(rows, masks, strict=True)), starts, amounts, dict(strong))


def _learn(days: Sequence[tuple[datetime, _Day]], day: datetime) -> dict[str, _Timetable]:
    known: dict[str, list[tuple[datetime, _Day]]] = defaultdict(list)
    for at, one in days:
        for actor in one.rows:
            known[actor].append((at, one))
    found = {actor: _timetable(actor, of_actor, day) for actor, of_actor in known.items()}
    return {actor: table for actor, table in found.items() if table is not None}


def _timetable(actor: str, days: list[tuple[datetime, _Day]], day: datetime) -> _Timetable | None:
    if len(days) < FEWEST_DAYS or len(days) < NEARLY_EVERY_DAY * ((day - days[0][0]) // DAY):
        return None
    masks = np.asarray([one.hours[actor] for _, one in days], dtype=np.int64)
    often = (masks[:, None] >> np.arange(24) & 1).sum(axis=0)
    hours = frozenset(np.flatnonzero(often >= USUAL).tolist())
    if len(hours) > MOST_HOURS:
        return None
    cells = [cell for _, one in days for cell in zip(*one.cells(actor), strict=True)]
    # A job that begins some minutes to the hour keeps its time: what falls beside a usual hour is not away from it.
    own = [many for hour, many in cells if not _away(hours, hour)]
    if not hours or sum(own) < KEPT * sum(many for _, many in cells):
        return None
    acts = frozenset[str]().union(*(one.strong.get(actor, ()) for _, one in days))
    lately = [sum(one.cells(actor)[1]) for at, one in days if at >= day - EACH_DAY * DAY]
    reads = min(lately) if len(lately) == EACH_DAY and not acts else 0
    return _Timetable(hours, len(days), median(own), acts, reads if reads >= MUCH else 0)


def _over(table: _Timetable, day: datetime) -> datetime | None:
    """When it should have come today; None for who need not come, or works about midnight."""
    if not table.reads or max(table.hours) - min(table.hours) >= 24 - 2 * AWAY or max(table.hours) + 1 + AWAY > 24:
        return None
    return day + timedelta(hours=max(table.hours) + 1 + AWAY) - timedelta.resolution


def _missing(actor: str, table: _Timetable, day: datetime, due: datetime) -> Suspicion:
    hours = ", ".join(f"{hour}:00" for hour in sorted(table.hours))
    return Suspicion(
        kind="timetable_missed",
        cause=("timetable_missed", actor, f"{day:%Y-%m-%d}"),
        severity=Severity.MEDIUM,
        title=f"{plain(actor)} read nothing today, though it does so each day at {hours} UTC",
        start=day + timedelta(hours=min(table.hours)),
        end=due,
        subjects={"actor": [actor], "client": [], "repository": []},
        score=10.0 * Severity.MEDIUM.rank,
        expected=f"{table.reads} pulls at least, as on each of the last {EACH_DAY} days",
        observed=f"none until {due:%H:%M}, while others went on",
        evidence=[],
        explanation="What is pushed from now on is looked at by nobody, or kept nowhere: a job that failed, or was stopped.",
        next_step="Look at the job's own log, and whether its account or token still works.",
    )


def _judge(store: EventReader, actor: str, table: _Timetable, away: Cells, now: datetime) -> Iterator[Suspicion]:
    if len(away) < FEWEST_CELLS or sum(away.values()) / len(away) > PACE * table.pace:
        return
    query = EventQuery(
        since=min(away), until=now, actor=actor, action=_WORK, outcome=(Outcome.SUCCESS,), limit=MOST_EVENTS
    )
    events = [one for one in store.events(query) if one["actor"] == actor and table.away(one["timestamp"].hour)]
    if not events:
        return
    strange = sorted(
        {one["action"] for one in events if one["action"] in _STRONG and one["action"] not in table.strong}
    )
    severity = Severity.HIGH if strange else Severity.MEDIUM
    repositories = sorted({one["repository"] for one in events if one["repository"]})
    hours = ", ".join(f"{hour}:00" for hour in sorted(table.hours))
    yield Suspicion(
        kind="off_timetable",
        cause=("off_timetable", actor, f"{min(away):%Y-%m-%d}"),
        severity=severity,
        title=f"{plain(actor)} works at {events[0]['timestamp']:%H:%M} UTC, away from the hours that it keeps",
        start=events[0]["timestamp"],
        end=events[-1]["timestamp"],
        subjects={
            "actor": [actor],
            "client": sorted({one["client_ip"] for one in events if one["client_ip"]}),
            "repository": repositories,
        },
        score=10.0 * severity.rank + min(len(events), 9),
        expected=f"at {hours} UTC, as on {several(table.days, 'day')}, {table.pace:.0f} acts in five minutes",
        observed=f"{several(len(events), 'act')} in {names(repositories, 4)}, a few at a time"
        + (f"; it never did this before: {', '.join(strange)}" if strange else ""),
        evidence=[one["event_id"] for one in events],
        explanation="A job does not work by hand: somebody may have its credentials.",
    )


DETECTOR = OffTimetable
