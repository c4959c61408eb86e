"""What rules must know of the time before: which combinations there were, and what a key last had.

Learned once for the days of a rule's history, then a day at a time: a question for a later day costs one day's counts, or nothing
where all events of that day were looked at anyway (`Histories.over`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.columns import Coded, Columns, Mask
from analytics.replay import floor
from analytics.rules.condition import field_name, fields_of
from analytics.rules.match import NOTHING, Key, Known
from analytics.rules.model import Kind, Rule
from analytics.windows import DAY, HOUR
from store.contract import EventReader

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FEWEST_DAYS = timedelta(days=7)  # before so much is known of a key, its silence is nothing unusual


@dataclass(slots=True)
class _Learned:
    """Combination → the last day on which it was seen; for `change` also the values of that day."""

    until: datetime
    asked: datetime  # the last day for which it was wanted
    terms: dict[Key, datetime] = field(default_factory=dict)
    also: dict[Key, datetime] = field(default_factory=dict)
    prefixes: dict[Key, datetime] = field(default_factory=dict)
    changed: dict[Key, datetime] = field(default_factory=dict)
    last: dict[Key, frozenset[Any]] = field(default_factory=dict)
    busiest: dict[Key, int] = field(default_factory=dict)
    hours: dict[Key, set[datetime]] = field(default_factory=dict)  # in which a key did anything

    def forget(self, oldest: datetime) -> None:
        """What was not seen since then."""
        for seen in (self.terms, self.also, self.prefixes, self.changed):
            for key in [key for key, at in seen.items() if at < oldest]:
                del seen[key]
                if seen is self.changed:
                    del self.last[key]


@dataclass(slots=True)
class Histories:
    """The histories of all rules. What is kept can be worked out again from the store."""

    learned: dict[str, _Learned] = field(default_factory=dict)
    registries: dict[str, datetime] = field(default_factory=dict)  # the first day on which each told anything
    registries_until: datetime | None = None
    known: dict[str, tuple[tuple[datetime, datetime | None], Known]] = field(default_factory=dict)  # the newest answers
    yesterday: tuple[datetime, pa.Table] | None = None  # of a long past: the day gone through last, and its events

    def before(self, store: EventReader, rule: Rule, day: datetime, begun: datetime | None) -> Known:
        """What a rule knows of the time before `day`, the start of a day; nothing for kinds that need no history.
        `begun` is the time of the first event of all.
        """
        if not rule.learns:
            return NOTHING
        key = (day, begun)
        if rule.id not in self.known or self.known[rule.id][0] != key:
            self.known[rule.id] = (key, self._before(store, rule, day, begun))
        return self.known[rule.id][1]

    def _before(self, store: EventReader, rule: Rule, day: datetime, begun: datetime | None) -> Known:
        self._learn_registries(store, day, begun)
        oldest = floor(day - rule.when.history, DAY)
        learned = self.learned.get(rule.id)
        if learned is None or learned.until > day or learned.asked < oldest:
            learned = self.learned[rule.id] = _Learned(until=oldest, asked=day)
        if learned.until < day:
            width = HOUR if rule.kind is Kind.FLATLINE else DAY
            _learn(learned, rule, _Counted.of_counts(store.counts(learned.until, day, _names(rule), width)))
        learned.until = learned.asked = day
        learned.forget(oldest)
        # Nothing is learned before another day is asked for, or `over`: until then these stay as they are.
        return Known(
            terms=learned.terms.keys(),
            also=learned.also.keys(),
            prefixes=learned.prefixes.keys(),
            last=learned.last,
            since=begun,
            registries=self.registries,
            busiest=dict(learned.busiest),
            silent=_silent(learned, max(oldest, begun or day), day),
        )

    def over(self, rules: Iterable[Rule], day: datetime, events: Columns) -> None:
        """A day is over and will not be asked for again; `events` are all of it that these rules can look at."""
        for rule in rules:
            learned = self.learned.get(rule.id)
            if learned is not None and learned.until == day:
                _learn(learned, rule, _Counted.of_events(events, day, hourly=rule.kind is Kind.FLATLINE))
                learned.until = day + DAY
                self.known.pop(rule.id, None)

    def _learn_registries(self, store: EventReader, day: datetime, begun: datetime | None) -> None:
        if self.registries_until is not None and self.registries_until > day:
            self.registries, self.registries_until = {}, None
        since = self.registries_until or (floor(begun, DAY) if begun else day)
        if since < day:
            for row in store.counts(since, day, ["registry"], DAY).to_dict("records"):
                self.registries.setdefault(str(row["registry"] or ""), row["window_start"])
        self.registries_until = day


@dataclass(frozen=True, slots=True)
class _Counted:
    """Counts of events, or events, with the window of each, and how many it stands for."""

    rows: Columns
    starts: Coded
    events: Any  # None: one each

    @classmethod
    def of_counts(cls, frame: pd.DataFrame) -> _Counted:
        if "registry" in frame:
            # As events are read (`analytics.rules.search`): one without a name is one, too.
            frame = frame.assign(registry=frame["registry"].fillna(""))
        rows = Columns(frame)
        return cls(rows, rows.coded("window_start"), frame["events"].to_numpy())

    @classmethod
    def of_events(cls, events: Columns, day: datetime, *, hourly: bool) -> _Counted:
        """Those of one day."""
        starts = events.hours() if hourly else Coded(np.zeros(len(events), np.int64), [day, None])
        return cls(events, starts, None)


def _wanted(rule: Rule) -> dict[str, Any]:
    """What a time of day says of the past is not counted by: a term is known from whatever hour it was seen."""
    return {
        name: value for name, value in rule.match.items() if name in ("any", "none") or field_name(name) != "timestamp"
    }


def _own(rule: Rule) -> tuple[str, ...]:
    when = rule.when
    if when.unusual:
        return when.by
    return (*when.by, when.field) if when.field and not when.terms else (*when.terms, *when.by)


def _names(rule: Rule) -> list[str]:
    """The fields by which events are counted for it."""
    when = rule.when
    asked = sorted(fields_of(_wanted(rule)) | fields_of(when.before or {}) | fields_of(when.done_before or {}))
    return list(dict.fromkeys((*_own(rule), *when.also_new, *when.known, *asked)))


def _learn(learned: _Learned, rule: Rule, counted: _Counted) -> None:
    when, wanted = rule.when, _wanted(rule)
    before = when.before if when.before is not None else wanted
    terms = _own(rule) if when.fresh else when.terms
    for values, seen, _ in _distinct(counted, counted.rows.fits(before), when.known):
        learned.prefixes[values] = seen
    fitting = counted.rows.fits(wanted)
    if rule.kind is Kind.FLATLINE:
        for values, seen, _ in _distinct(counted, fitting, when.by):
            learned.hours.setdefault(values, set()).add(seen)
    elif when.unusual:
        for values, _, events in _distinct(counted, fitting, when.by):
            learned.busiest[values] = max(events, learned.busiest.get(values, 0))
    elif rule.kind is Kind.CHANGE:
        assert when.field is not None
        for values, seen, _ in _distinct(counted, fitting, (*when.by, when.field)):
            _keep_last(learned, values[:-1], values[-1], seen)
    else:
        if when.done_before is not None:
            fitting = counted.rows.fits(when.done_before)
        for kept, chosen in ((learned.terms, terms), (learned.also, when.also_new)):
            for values, seen, _ in _distinct(counted, fitting, chosen):
                kept[values] = seen


def _silent(learned: _Learned, since: datetime, day: datetime) -> dict[Key, float]:
    """Of the hours of a key since it began (of a week at least), the share in which it did nothing."""
    found = {}
    for key, hours in learned.hours.items():
        inside = [hour for hour in hours if hour >= since]
        span = (day - max(since, min(inside))) if inside else timedelta(0)
        if span >= FEWEST_DAYS:
            found[key] = max(1 - len(inside) / (span / HOUR), 0.0)
    return found


def _keep_last(learned: _Learned, key: Key, value: Any, seen: datetime) -> None:
    if value is None:
        return
    # Within a day nothing says which came last: whatever the key had on its last day is no change.
    same_day = learned.changed.get(key, seen) >= seen
    learned.last[key] = learned.last.get(key, frozenset()) | {value} if same_day else frozenset({value})
    learned.changed[key] = seen


def _distinct(counted: _Counted, mask: Mask, names: tuple[str, ...]) -> Iterator[tuple[Key, datetime, int]]:
    """Of the counts that the mask chooses: each combination of values of these columns in each window, with the window's
    start and its events; by time.
    """
    places, starts = np.flatnonzero(mask), counted.starts
    groups = counted.rows.groups(names, places) * len(starts.values) + starts.codes[places]
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    weights = None if counted.events is None else counted.events[places]
    events = np.bincount(inverse, weights=weights, minlength=len(first))
    columns = [counted.rows.coded(name) for name in names]
    found = [
        (tuple(column.values[column.codes[place]] for column in columns), starts.values[starts.codes[place]], int(many))
        for place, many in zip(places[first].tolist(), events, strict=True)
    ]
    yield from sorted(found, key=lambda one: one[1])
