"""Machines that keep a timetable, used outside of it: somebody has a scanner's or a job's credentials.

Notices: an account that works on nearly every day and always at the same few hours (a scanner, a nightly job), and now asks for
image after image two hours or more away from them, a few at a time; louder if it pushes or deletes, which it never did. Needs: logs
that name accounts, no addresses; a week in which the account came on nearly every day. Method: exact bookkeeping of hours (UTC, so
a change of the clock is an hour's shift and no news) and of its pace. Wakes nobody for a whole run at another hour: a scanner goes
through everything at its own pace when its database was renewed. Never sees: use within the usual hours, and accounts that work
around the clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from analytics.daily import each_day, learned
from analytics.detector import Suspicion
from analytics.places import CELL
from analytics.replay import horizon, remember
from analytics.windows import DAY
from analytics.wording import names, plain, several
from store.contract import EventQuery, EventReader
from store.event import Action, Outcome
from store.finding import Severity

FEWEST_DAYS = 7
NEARLY_EVERY_DAY = 0.8
USUAL = 3  # days on which an hour was used, to be one of the account's
MOST_HOURS = 4  # of the day; who uses more keeps no timetable
KEPT = 0.9  # of all that it did fell into them
AWAY = 2  # hours
FEWEST_CELLS = 3  # of five minutes
PACE = 0.25  # of its own, per five minutes at work; more is a run of its own at another hour
MOST_EVENTS = 200
_STRONG = (Action.PUSH, Action.DELETE, Action.UNTAG)
_WORK = (Action.PULL, *_STRONG)
# The same cut of the counts as `analytics.places`, so that a replay makes it once.
_BY = ("actor", "actor_kind", "client_ip", "action", "outcome")
_NOBODY = ("anonymous", "internal")
Cells = dict[str, dict[datetime, int]]  # account → five minutes → pulls, pushes and deletes


@dataclass(frozen=True, slots=True)
class _Timetable:
    """The hours of the day at which an account works, on how many days, and how much in five minutes."""

    hours: frozenset[int]
    days: int
    pace: float
    acts: frozenset[str]

    def away(self, hour: int) -> bool:
        return all(min((hour - one) % 24, (one - hour) % 24) >= AWAY for one in self.hours)


@dataclass(slots=True)
class OffTimetable:
    """See the top of the file."""

    name: str = "off_timetable"
    subject: str = "actor"
    every: timedelta = CELL
    history: timedelta = timedelta(days=28)
    next_step: str = "Ask who runs this job whether it was started by hand; if not, give it new credentials."
    _learned: dict[datetime, dict[str, _Timetable]] = field(default_factory=dict)

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
        return found

    def _tables(self, store: EventReader, day: datetime) -> dict[str, _Timetable]:
        return learned(store, self.name, day, self._learned, lambda: _learn(store, day - self.history, day))

    def _today(self, store: EventReader, tables: dict[str, _Timetable], day: datetime, end: datetime) -> Cells:
        """Away from their hours, of those that have any; in a replay worked out once for the day."""
        until = min(day + DAY, horizon(store, end))

        def away() -> Cells:
            cells, _ = _worked(store, day, until)
            return {
                actor: far
                for actor, table in tables.items()
                if (far := {at: many for at, many in cells.get(actor, {}).items() if table.away(at.hour)})
            }

        return remember(store, f"{self.name} today", day, away)


def _worked(store: EventReader, since: datetime, until: datetime) -> tuple[Cells, dict[str, set[str]]]:
    frame = store.counts(since, until, _BY, CELL)
    chosen = (frame["outcome"] == Outcome.SUCCESS) & frame["action"].isin(list(_WORK)) & frame["actor"].notna()
    frame = frame[chosen & ~frame["actor_kind"].isin(_NOBODY)]
    cells: Cells = defaultdict(lambda: defaultdict(int))
    acts: dict[str, set[str]] = defaultdict(set)
    for actor, action, at, many in zip(
        *(frame[name] for name in ("actor", "action", "window_start", "events")), strict=True
    ):
        cells[actor][at.to_pydatetime()] += int(many)
        acts[actor].add(action)
    return dict(cells), acts


def _learn(store: EventReader, since: datetime, day: datetime) -> dict[str, _Timetable]:
    cells, acts = _worked(store, since, day)
    found = {actor: _timetable(of_actor, frozenset(acts[actor]), day) for actor, of_actor in cells.items()}
    return {actor: table for actor, table in found.items() if table is not None}


def _timetable(cells: dict[datetime, int], acts: frozenset[str], day: datetime) -> _Timetable | None:
    days = {at.date() for at in cells}
    known = (day.date() - min(days)).days
    if len(days) < FEWEST_DAYS or len(days) < NEARLY_EVERY_DAY * known:
        return None
    used: dict[int, set[object]] = defaultdict(set)
    for at in cells:
        used[at.hour].add(at.date())
    hours = frozenset(hour for hour, on in used.items() if len(on) >= USUAL)
    own = [many for at, many in cells.items() if at.hour in hours]
    if not own or len(hours) > MOST_HOURS or sum(own) < KEPT * sum(cells.values()):
        return None
    return _Timetable(hours, len(days), median(own), acts)


def _judge(
    store: EventReader, actor: str, table: _Timetable, away: dict[datetime, int], now: datetime
) -> Iterator[Suspicion]:
    if len(away) < FEWEST_CELLS or sum(away.values()) / len(away) > PACE * table.pace:
        return
    query = EventQuery(
        since=min(away), until=now, actor=actor, action=_WORK, outcome=(Outcome.SUCCESS,), limit=MOST_EVENTS
    )
    events = [one for one in store.events(query) if one["actor"] == actor and table.away(one["timestamp"].hour)]
    if not events:
        return
    strange = sorted({one["action"] for one in events if one["action"] in _STRONG and one["action"] not in table.acts})
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
