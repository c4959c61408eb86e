"""What rules must know of the time before: which combinations there were, and what a key last had.

Learned once for the days of a rule's history, then a day at a time: a question for a later day costs one day's counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.columns import Columns, Mask
from analytics.replay import floor
from analytics.rules.condition import field_name, fields_of
from analytics.rules.match import NOTHING, Key, Known
from analytics.rules.model import Kind, Rule
from analytics.windows import DAY, HOUR
from store.contract import EventReader

FEWEST_DAYS = timedelta(days=7)  # before so much is known of a key, its silence is nothing unusual


@dataclass(slots=True)
class _Learned:
    """Combination → the last day on which it was seen; for `change` also the values of that day."""

    until: datetime
    terms: dict[Key, datetime] = field(default_factory=dict)
    also: dict[Key, datetime] = field(default_factory=dict)
    prefixes: dict[Key, datetime] = field(default_factory=dict)
    last: dict[Key, tuple[datetime, frozenset[Any]]] = field(default_factory=dict)
    busiest: dict[Key, int] = field(default_factory=dict)
    hours: dict[Key, set[datetime]] = field(default_factory=dict)  # in which a key did anything


@dataclass(slots=True)
class Histories:
    """The histories of all rules. What is kept can be worked out again from the store."""

    learned: dict[str, _Learned] = field(default_factory=dict)
    registries: dict[str, datetime] = field(default_factory=dict)  # the first day on which each told anything
    registries_until: datetime | None = None
    known: dict[str, tuple[tuple[datetime, datetime | None], Known]] = field(default_factory=dict)  # the newest answers

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
        if learned is None or learned.until > day or learned.until < oldest:
            learned = self.learned[rule.id] = _Learned(until=oldest)
        if learned.until < day:
            _learn(learned, store, rule, day)
        return Known(
            terms=frozenset(key for key, seen in learned.terms.items() if seen >= oldest),
            also=frozenset(key for key, seen in learned.also.items() if seen >= oldest),
            prefixes=frozenset(key for key, seen in learned.prefixes.items() if seen >= oldest),
            last={key: values for key, (seen, values) in learned.last.items() if seen >= oldest},
            since=begun,
            registries=self.registries,
            busiest=dict(learned.busiest),
            silent=_silent(learned, max(oldest, begun or day), day),
        )

    def _learn_registries(self, store: EventReader, day: datetime, begun: datetime | None) -> None:
        if self.registries_until is not None and self.registries_until > day:
            self.registries, self.registries_until = {}, None
        since = self.registries_until or (floor(begun, DAY) if begun else day)
        if since < day:
            for row in store.counts(since, day, ["registry"], DAY).to_dict("records"):
                self.registries.setdefault(str(row["registry"] or ""), row["window_start"])
        self.registries_until = day


def _learn(learned: _Learned, store: EventReader, rule: Rule, day: datetime) -> None:
    # What a time of day says of the past is not counted by: a term is known from whatever hour it was seen.
    wanted = {
        name: value for name, value in rule.match.items() if name in ("any", "none") or field_name(name) != "timestamp"
    }
    when = rule.when
    before = when.before if when.before is not None else wanted
    own = (*when.by, when.field) if when.field and not when.terms else (*when.terms, *when.by)
    terms = own if when.fresh else when.terms
    asked = sorted(fields_of(wanted) | fields_of(when.before or {}))
    names = list(dict.fromkeys((*own, *when.also_new, *when.known, *asked)))
    width = HOUR if rule.kind is Kind.FLATLINE else DAY
    counted = Columns(store.counts(learned.until, day, names, width))
    for values, seen, _ in _distinct(counted, counted.fits(before), when.known):
        learned.prefixes[values] = seen
    fitting = counted.fits(wanted)
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
        for kept, chosen in ((learned.terms, terms), (learned.also, when.also_new)):
            for values, seen, _ in _distinct(counted, fitting, chosen):
                kept[values] = seen
    learned.until = day


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
    day, values = learned.last.get(key, (seen, frozenset()))
    # Within a day nothing says which came last: whatever the key had on its last day is no change.
    learned.last[key] = (seen, frozenset({value}) if seen > day else values | {value})


def _distinct(counted: Columns, mask: Mask, names: tuple[str, ...]) -> Iterator[tuple[Key, datetime, int]]:
    """Of the counts that the mask chooses: each combination of values of these columns in each window, with the window's
    start and its events; by time.
    """
    places = np.flatnonzero(mask)
    groups = counted.groups((*names, "window_start"), places)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    events = np.bincount(inverse, weights=counted.rows["events"].to_numpy()[places], minlength=len(first))
    columns = [counted.coded(name) for name in names]
    starts = counted.coded("window_start")
    found = [
        (tuple(column.values[column.codes[place]] for column in columns), starts.values[starts.codes[place]], int(many))
        for place, many in zip(places[first].tolist(), events, strict=True)
    ]
    yield from sorted(found, key=lambda one: one[1])
