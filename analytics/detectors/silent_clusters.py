"""Clusters that ask for nothing any more, or for nothing of one project, while everybody else goes on.

Notices: an account (or an address without one) that is at work around the clock and is silent for as long as sixteen of its
requests should have taken, four hours at least, and three times as long as ever in two weeks; also of one project alone. Its
machines were cut off, or they were told to take their images from somebody else. Needs: a week of history. Method: silences are
measured in requests that should have come, by hour of the day and day of the week, and by how often such hours brought nothing;
so bursts and quiet nights are its own measure. Quiet where others that are always there fall silent too (of that `thinned_log`
and the rules tell), and where somebody new does as much meanwhile: a new name. Never sees: a cluster that asks less, a silence
of minutes, and one image of many.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from analytics.daily import days_before, hours_over, learned, settled_days
from analytics.detector import Suspicion
from analytics.places import NOBODY
from analytics.replay import horizon, remember
from analytics.windows import DAY, HOUR
from analytics.wording import duration, names, number, plain
from store.contract import EventQuery, EventReader
from store.finding import Severity

if TYPE_CHECKING:
    import pandas as pd

SILENT, UNASKED = "cluster_silent", "project_unasked"  # the kinds of its findings
PAST = 14  # days
FEWEST_DAYS = 7
FEWEST_HOURS = 20  # of a day, in which who works around the clock is seen
FEWEST_MISSED = 16.0  # requests: by chance a longer gap comes once in nine million, if they come one by one
LEAST_CHANCE = (
    -6.0
)  # its logarithm, of so many empty hours in a row: there are thousands of hours in a week of all projects
TIMES_LONGER = 3.0  # than its longest silence before
FEWEST_A_DAY = 12  # requests for a project
OTHERS, EACH = 0.75, 0.7  # of what is usual of all others together, and of each that is always there
SHORTEST, LONGEST = 4, 24  # hours of a silence: an updater that is started anew, and one that was told a day ago
MOST_EVENTS = 3  # that it asked for last
_Key = tuple[str, str, str]  # registry, account or address, project; empty for all of them
_Hours = dict[_Key, np.ndarray]  # requests by hour of a day


@dataclass(frozen=True, slots=True)
class _Day:
    """Requests by hour of those who were there around the clock, and who was there at all."""

    hours: _Hours
    everybody: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Usual:
    """Of one key: what each hour of this day should bring, the logarithm of the chance that it brings nothing, and its longest
    silence, in requests that should have come.
    """

    hours: np.ndarray
    empty: np.ndarray
    longest: float


@dataclass(frozen=True, slots=True)
class _Silence:
    """What did not come, and since which hour; `names` are projects, none for all."""

    first: int
    missed: float
    longest: float
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class _Near:
    """A day, and the day before it if somebody asks. Hours count from the day's beginning: below 0 they are of the day before."""

    day: datetime
    today: _Hours
    read_before: Callable[[], _Hours]
    _before: _Hours | None = None

    def before(self) -> _Hours:
        if self._before is None:
            self._before = self.read_before()
        return self._before

    def came(self, key: _Key, first: int, end: int) -> float:
        """Requests from the hour `first` up to `end`."""
        row, total = self.today.get(key), 0.0
        if row is not None:
            total += float(row[max(first, 0) : max(end, 0)].sum())
        if first < 0 and (row := self.before().get(key)) is not None:
            total += float(row[first % 24 : end % 24 if end < 0 else 24].sum())
        return total

    def keys(self, first: int) -> set[_Key]:
        """Who came on the day, or since that hour of the day before."""
        return set(self.today) | (set(self.before()) if first < 0 else set())


@dataclass(slots=True)
class SilentClusters:
    """See the top of the file."""

    name: str = "silent_clusters"
    subject: str = "actor"
    every: timedelta = HOUR
    history: timedelta = timedelta(days=PAST)
    next_step: str = "Ask a node where it pulls from (containerd's mirrors), and look whether it reaches the registry."
    _kept: dict[datetime, tuple[tuple[datetime, _Day], ...]] = field(default_factory=dict)
    _usual: dict[datetime, dict[_Key, _Usual]] = field(default_factory=dict)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        found: list[Suspicion] = []
        for day, begin in settled_days(store, since, now, FEWEST_DAYS * DAY):
            ends = hours_over(day, since, now)
            if not ends:
                continue
            days = days_before(store, self.name, day, self.history, self._kept, partial(_whole_day, store))
            days = tuple((at, one) for at, one in days if at >= begin)
            usual = learned(store, f"{self.name}, usual", day, self._usual, partial(_usual_of, days, day))
            steady = frozenset(key[:2] for key in usual)
            today = _hours(store, day, min(day + DAY, horizon(store, now)), steady)
            # Whoever fell silent in the morning is not among those of `days` who were there around the clock.
            near = _Near(day, today, partial(_hours, store, day - DAY, day, steady))
            for end in ends:
                found += _judge(store, days, usual, near, end)
        return found


def _counted(store: EventReader, day: datetime, until: datetime) -> pd.DataFrame:
    """Requests by registry, subject, project and hour."""
    return remember(store, _kind("counts", day), (day, until), partial(_count, store, day, until))


def _count(store: EventReader, day: datetime, until: datetime) -> pd.DataFrame:
    frame: pd.DataFrame = store.counts(day, until, ("registry", "actor", "actor_kind", "client_ip", "project"), HOUR)
    named = frame["actor"].notna() & ~frame["actor_kind"].isin(NOBODY)
    frame["subject"] = frame["actor"].where(named, frame["client_ip"])
    frame["hour"] = frame["window_start"].dt.hour
    frame["registry"] = frame["registry"].fillna("")
    return frame.loc[frame["subject"].notna(), ["registry", "subject", "project", "hour", "events"]]


def _hours(store: EventReader, day: datetime, until: datetime, steady: frozenset[tuple[str, str]]) -> _Hours:
    """Of everybody, and by project of those who are `steady`."""

    def read() -> _Hours:
        counted = _counted(store, day, until)
        return _in_all(counted) | _by_project(counted, steady)

    return remember(store, _kind("hours", day), (day, until, steady), read)


def _kind(what: str, day: datetime) -> str:
    """Kept of two days, for the one before is asked for at night."""
    return f"silent_clusters, {what} of {'odd' if day.toordinal() % 2 else 'even'} days"


def _in_all(counted: pd.DataFrame) -> _Hours:
    """Of everybody, and under an empty name of the whole registry."""
    by = ("registry", "subject")
    return _rows(counted, by) | _rows(counted.assign(subject=""), by)


def _by_project(counted: pd.DataFrame, steady: Collection[tuple[str, str]]) -> _Hours:
    theirs = counted["project"].notna() & counted["subject"].isin({subject for _, subject in steady})
    return _rows(counted[theirs], ("registry", "subject", "project"))


def _rows(frame: pd.DataFrame, by: Sequence[str]) -> dict[_Key, np.ndarray]:
    groups = frame.groupby(list(by), sort=False)
    table = np.zeros((groups.ngroups, 24))
    at = groups.ngroup().to_numpy(dtype=np.int64), frame["hour"].to_numpy(dtype=np.int64)
    np.add.at(table, at, frame["events"].to_numpy(dtype=np.float64))
    keys = frame[list(by)].drop_duplicates().itertuples(index=False, name=None)
    return {(key[0], key[1], key[2] if len(key) > 2 else ""): row for key, row in zip(keys, table, strict=True)}


def _whole_day(store: EventReader, day: datetime) -> _Day:
    counted = _counted(store, day, day + DAY)
    everybody = _in_all(counted)
    hours = {key: row for key, row in everybody.items() if np.count_nonzero(row) >= FEWEST_HOURS}
    steady = {key[:2] for key in hours}
    projects = _by_project(counted, steady)
    hours |= {key: row for key, row in projects.items() if key[:2] in steady and row.sum() >= FEWEST_A_DAY}
    kept = {key: row.astype(np.float32) for key, row in hours.items()}
    return _Day(kept, frozenset(key[:2] for key in everybody))


def _usual_of(days: Sequence[tuple[datetime, _Day]], day: datetime) -> dict[_Key, _Usual]:
    """Of those that were always there: on all days but one."""
    every = {key for _, one in days for key in one.hours}
    found: dict[_Key, _Usual] = {}
    for key in every:
        rows = [one.hours.get(key) for _, one in days]
        if sum(row is None for row in rows) > 1:
            continue
        table = np.array([np.zeros(24) if row is None else row for row in rows])
        alike = [number for number, (at, _) in enumerate(days) if at.weekday() == day.weekday()]
        mean, of_weekday = _smooth(table.mean(axis=0)), _smooth(table[alike].mean(axis=0)) if alike else None
        hours = mean if of_weekday is None else np.minimum(mean, of_weekday)
        found[key] = _Usual(hours, np.log10(_empty(table)), _longest(table.ravel(), np.tile(mean, len(days))))
    return found


def _empty(table: np.ndarray) -> np.ndarray:
    """How likely each hour of the day brings nothing, by the days (rows) on which it and its neighbours did; what all hours do
    counts like two more of them. The last silence may be the one that is judged.
    """
    empty, whole = table == 0, 3 * len(table)
    empty.ravel()[np.flatnonzero(table)[-1] + 1 :] = False
    of_all = (empty.sum() + 1) / (empty.size + 2)
    found: np.ndarray = (3 * _smooth(empty.sum(axis=0)) + 2 * of_all) / (whole + 2)
    return found


def _smooth(hours: np.ndarray) -> np.ndarray:
    """Each hour with its neighbours, around the clock."""
    found: np.ndarray = (hours + np.roll(hours, 1) + np.roll(hours, -1)) / 3
    return found


def _longest(came: np.ndarray, usual: np.ndarray) -> float:
    """The longest silence that ended, in what should have come while it lasted: the last one may be the one that is judged."""
    total = np.cumsum(usual)
    heard = np.flatnonzero(came > 0)
    begins = np.append(0.0, total[heard[:-1]])
    return float((total[heard] - usual[heard] - begins).max())


def _judge(
    store: EventReader,
    days: Sequence[tuple[datetime, _Day]],
    usual: Mapping[_Key, _Usual],
    near: _Near,
    end: int,
) -> Iterator[Suspicion]:
    silences = {}
    for key in sorted(key for key in usual if key[1]):
        silence = _silence(usual[key], near, key, end)
        if silence is not None:
            silences[key] = silence
    for who in sorted({key[:2] for key in silences}):
        parts = {key[2]: one for key, one in silences.items() if key[:2] == who}
        if "" in parts:
            whole = parts[""]
        else:
            most = max(parts.values(), key=lambda one: one.missed)
            whole = _Silence(most.first, most.missed, most.longest, tuple(sorted(parts)))
        # Also when it began: a log that loses lines for some hours leaves silences behind.
        others = all(_others_go_on(usual, near, who, whole, until) for until in (whole.first + SHORTEST, end))
        if others and not _another_name(days, near, who[0], whole, end):
            yield _suspicion(store, *who, whole, near.day, end)


def _silence(usual: _Usual, near: _Near, key: _Key, end: int) -> _Silence | None:
    """The silence that lasts until this hour, if it is none of its usual ones."""
    first, missed, chance = end, 0.0, 0.0
    while near.came(key, first - 1, first) == 0:
        first -= 1
        missed += float(usual.hours[first % 24])
        chance += float(usual.empty[first % 24])
        if end - first > LONGEST:
            return None  # told a day ago
    long = end - first >= SHORTEST and missed >= max(FEWEST_MISSED, TIMES_LONGER * usual.longest)
    return _Silence(first, missed, usual.longest) if long and chance <= LEAST_CHANCE else None


def _others_go_on(usual: Mapping[_Key, _Usual], near: _Near, who: tuple[str, str], silence: _Silence, end: int) -> bool:
    """Whether the others, and the cluster in its other projects, do what they always do: else the registry is silent, or its
    log, or it is a holiday."""
    hours = np.arange(silence.first, end) % 24

    def went(key: _Key) -> tuple[float, float]:
        """(what was to come, what came)"""
        return float(usual[key].hours[hours].sum()), near.came(key, silence.first, end)

    own, everything = (*who, ""), (who[0], "", "")
    if silence.names and own in usual:
        wanted, came = went(own)
        if came < EACH * (wanted - silence.missed):
            return False  # it does less of everything
    for key in (key for key in usual if key[0] == who[0] and key[1] not in ("", who[1]) and not key[2]):
        wanted, came = went(key)
        if wanted >= FEWEST_MISSED and came < EACH * wanted:
            return False
    wanted, came = went(everything) if everything in usual else (0.0, 0.0)
    return came >= OTHERS * (wanted - silence.missed)


def _another_name(
    days: Sequence[tuple[datetime, _Day]], near: _Near, registry: str, silence: _Silence, end: int
) -> bool:
    """Whether somebody who was never there before does half as much meanwhile."""
    since = near.day + silence.first * HOUR
    known = frozenset[tuple[str, str]]().union(*(one.everybody for at, one in days if at + DAY <= since))
    new = [key for key in near.keys(silence.first) if key[0] == registry and not key[2] and key[:2] not in known]
    return sum(near.came(key, silence.first, end) for key in new) >= silence.missed / 2


def _suspicion(
    store: EventReader, registry: str, subject: str, silence: _Silence, day: datetime, hour: int
) -> Suspicion:
    since, end = day + silence.first * HOUR, day + hour * HOUR
    last = list(store.events(EventQuery(actor=subject, until=since, newest_first=True, limit=MOST_EVENTS)))
    address = not last
    if address:
        query = EventQuery(client=subject, until=since, newest_first=True, limit=MOST_EVENTS)
        last = list(store.events(query))
    long = duration(end - since)
    asked = f"nothing of {names(silence.names)}" if silence.names else "for nothing"
    return Suspicion(
        kind=UNASKED if silence.names else SILENT,
        cause=(UNASKED if silence.names else SILENT, registry, subject, f"{since:%Y-%m-%d %H}"),
        severity=Severity.MEDIUM,
        title=f"{plain(subject)} asks {asked} for {long}",
        start=min((event["timestamp"] for event in last), default=since),
        end=end,
        subjects={
            "actor": [] if address else [subject],
            "client": [subject] if address else [],
            "repository": [],
        },
        score=round(silence.missed / max(silence.longest, 1.0), 3),
        expected=f"some {number(silence.missed)} requests in that time; {number(silence.longest)} in its longest silence before",
        observed="none, while others that are always there go on",
        evidence=[event["event_id"] for event in last],
        explanation="It is cut off, or switched off, or its machines take these images from somewhere else: whoever changed the "
        "mirrors of a container runtime decides what runs, and no registry's log tells of it.",
    )


DETECTOR = SilentClusters
