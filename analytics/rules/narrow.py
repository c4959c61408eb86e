"""Which of very many events a rule's evaluation depends on at all, worked out by columns.

`analytics.rules.engine.evaluate` goes through events one by one. Of a day's hundred thousand, a rule can be completed by a
few: those that fit its conditions, in groups of one key that reach its number at any moment. What is left out here changes
no match (asserted over random events for every rule of the pack); what is kept may still come to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analytics.columns import Columns, Mask, Places
from analytics.replay import EPOCH
from analytics.rules.match import Key, Known, within
from analytics.rules.model import Kind, Rule, asked_of_step
from analytics.rules.sequences import MOST_SILENT, flatline_step

_US = timedelta(microseconds=1)
_SLACK = 1e-9  # sums of floating point numbers depend on their order


def needed(rule: Rule, events: Columns, first: int, known: Known, until: datetime) -> Places:
    """The places, in order, of the events from `first` on that can have a part in a match of the rule before `until`."""
    return _KINDS[rule.kind](_Of(rule, events, first, known, until))


@dataclass(frozen=True, slots=True)
class _Of:
    """A rule, and the events that it is held against."""

    rule: Rule
    events: Columns
    first: int
    known: Known
    until: datetime

    def places(self, mask: Mask) -> Places:
        """Of those events that have a key."""
        mask = mask & self.events.said(self.rule.when.by)
        mask[: self.first] = False
        return np.flatnonzero(mask)

    def fitting(self) -> Places:
        return self.places(self.events.fits(self.rule.match))

    def in_groups_with(self, places: Places, hot: Mask) -> Places:
        """All places whose group has a hot one."""
        groups = self.events.groups(self.rule.when.by, places)
        return places[np.isin(groups, groups[hot])]


def _single(of: _Of) -> Places:
    return of.fitting()


def _listed(of: _Of) -> Places:
    when = of.rule.when
    assert when.field is not None
    word = "in" if of.rule.kind is Kind.BLACKLIST else "not"
    return of.places(of.events.fits(of.rule.match) & of.events.fits({when.field: {word: list(when.values)}}))


@dataclass(frozen=True, slots=True)
class _Sliding:
    """The events at `places`, sorted by group and time, and where the window of each begins: of the last span in `now`, of
    the two last in `before`.
    """

    order: Places
    now: Places
    before: Places

    @classmethod
    def over(cls, of: _Of, places: Places) -> _Sliding:
        groups, times = of.events.groups(of.rule.when.by, places), of.events.times()[places]
        order = np.lexsort((places, groups))
        span = within(of.rule) // _US
        # Groups lie so far apart that no window reaches from one into another.
        earliest, latest = (int(times.min()), int(times.max())) if len(times) else (0, 0)
        line = groups[order] * (latest - earliest + 2 * span + 1) + times[order] - earliest
        return cls(order, *(np.searchsorted(line, line - reach, side="right") for reach in (span, 2 * span)))

    def counts(self) -> tuple[Places, Places]:
        """How many events are in the last span up to each one, itself included, and in the span before."""
        here = np.arange(len(self.order))
        return here - self.now + 1, self.now - self.before

    def sums(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for the sums of a value; `values` are in the order of the places."""
        added = np.concatenate(([0], np.cumsum(values[self.order])))
        here = added[1:]
        return here - added[self.now], added[self.now] - added[self.before]

    def hot(self, sorted_mask: Mask) -> Mask:
        """A mask over the sorted events as one over the places."""
        found = np.empty(len(self.order), np.bool_)
        found[self.order] = sorted_mask
        return found


def _frequency(of: _Of) -> Places:
    places = of.fitting()
    window = _Sliding.over(of, places)
    return of.in_groups_with(places, window.hot(window.counts()[0] >= (of.rule.when.count or 0)))


def _cardinality(of: _Of) -> Places:
    when = of.rule.when
    assert when.field is not None and when.count is not None
    places = of.places(of.events.fits(of.rule.match) & of.events.said((when.field,)))
    if when.fresh:
        places = places[~_among(of, places, (*when.by, when.field), of.known.terms)]
    # Of each group as many different values as the rule asks for, whenever they were.
    pairs = of.events.groups((*when.by, when.field), places)
    groups = of.events.groups(when.by, places)
    once = np.unique(pairs, return_index=True)[1]
    different = np.bincount(groups[once], minlength=int(groups.max()) + 1 if len(groups) else 0)
    return places[different[groups] >= when.count] if len(groups) else places


def _among(of: _Of, places: Places, names: tuple[str, ...], terms: Set[Key]) -> Mask:
    """Which events have a combination of values that is in `terms`."""
    if not len(places):
        return np.zeros(0, np.bool_)
    groups = of.events.groups(names, places)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    columns = [of.events.coded(name) for name in names]
    known = [
        tuple(column.values[column.codes[place]] for column in columns) in terms for place in places[first].tolist()
    ]
    return np.array(known, np.bool_)[inverse]


def _spike(of: _Of) -> Places:
    places = of.fitting()
    window = _Sliding.over(of, places)
    now, before = window.counts()
    assert of.rule.when.times is not None
    return of.in_groups_with(places, window.hot((now >= of.rule.when.least) & (now >= of.rule.when.times * before)))


def _values(of: _Of, places: Places) -> np.ndarray:
    metric = of.rule.when.metric
    assert metric is not None
    column = of.events.coded(metric.field)
    return np.array([float(value or 0) for value in column.values])[column.codes[places]]


def _metric(of: _Of) -> Places:
    when, places = of.rule.when, of.fitting()
    window = _Sliding.over(of, places)
    assert when.above is not None and when.metric is not None
    hot = window.counts()[0] >= when.least
    if when.metric.how == "sum":
        hot &= window.sums(_values(of, places))[0] >= when.above * (1 - _SLACK)
    return of.in_groups_with(places, window.hot(hot))


def _metric_spike(of: _Of) -> Places:
    when, places = of.rule.when, of.fitting()
    window = _Sliding.over(of, places)
    now, before = window.counts()
    assert when.times is not None and when.metric is not None
    hot = (now >= when.least) & (before > 0)
    if when.metric.how == "sum":
        value, usual = window.sums(_values(of, places))
        hot &= (value >= when.times * usual * (1 - _SLACK)) & (usual > 0)
    return of.in_groups_with(places, window.hot(hot))


def _percentage(of: _Of) -> Places:
    when = of.rule.when
    places = of.places(of.events.fits(when.of or {}))
    window = _Sliding.over(of, places)
    good = window.sums(of.events.fits(of.rule.match)[places].astype(np.int64))[0]
    all_of = window.counts()[0]
    assert when.share is not None
    return of.in_groups_with(places, window.hot((all_of >= when.least) & (good >= when.share * all_of * (1 - _SLACK))))


def _new_term(of: _Of) -> Places:
    """Of each combination the first event: with the second it is not new any more."""
    when = of.rule.when
    places = of.places(of.events.fits(of.rule.match) & of.events.said((*when.terms, *when.also_new)))
    _, first = np.unique(of.events.groups((*when.terms, *when.also_new), places), return_index=True)
    return places[np.sort(first)]


def _change(of: _Of) -> Places:
    """The first event of each key, and where the value is another than before, with the one before."""
    when = of.rule.when
    assert when.field is not None
    places = of.places(of.events.fits(of.rule.match) & of.events.said((when.field,)))
    groups, values = of.events.groups(when.by, places), of.events.coded(when.field).codes[places]
    order = np.lexsort((places, groups))
    groups, values = groups[order], values[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = groups[1:] != groups[:-1]
    changed = np.zeros(len(order), np.bool_)
    changed[1:] = ~first[1:] & (values[1:] != values[:-1])
    kept = first | changed
    kept[:-1] |= changed[1:]
    return np.sort(places[order[kept]])


def _sequence(of: _Of) -> Places:
    """Of keys that took every step, in whatever order: the events that are a step or call it off."""
    when = of.rule.when
    steps = [of.events.fits(asked_of_step(step) or of.rule.match) for step in when.steps]
    either = np.logical_or.reduce(steps)
    if when.unless:
        either = either | of.events.fits(when.unless)
    places = of.places(either)
    groups = of.events.groups(when.by, places)
    took_all = np.ones(len(places), np.bool_)
    for mask in steps:
        took_all &= np.isin(groups, groups[mask[places]])
    return places[took_all]


def _absence(of: _Of) -> Places:
    """Of keys for which something is waited: what begins, ends or calls off the wait."""
    when = of.rule.when
    begins = of.events.fits(of.rule.match)
    either = begins | of.events.fits(when.then or {})
    if when.unless:
        either |= of.events.fits(when.unless)
    places = of.places(either)
    return of.in_groups_with(places, begins[places])


def _flatline(of: _Of) -> Places:
    """Keys between whose events, or behind the last, lies so long a time that a window can have had too few of them."""
    when, places = of.rule.when, of.fitting()
    if not len(places):
        return places
    if when.unusual:
        lively = frozenset(key for key, share in of.known.silent.items() if share <= MOST_SILENT)
        places = places[_among(of, places, tuple(when.by), lively)]
    few = max(int(when.count or 0), 1)
    groups, times = of.events.groups(when.by, places), of.events.times()[places]
    order = np.lexsort((places, groups))
    span, step = within(of.rule) // _US, flatline_step(of.rule) // _US
    end = (of.until - EPOCH) // _US
    hot = np.zeros(len(places), np.bool_)
    for own in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else ():
        # The first window may begin a step before the first event; behind the last event nothing comes.
        line = np.concatenate(([times[own[0]] - step], times[own], np.full(few, end)))
        hot[own] = (line[few:] - line[:-few]).max() >= span
    return places[hot]


_KINDS: dict[Kind, Callable[[_Of], Places]] = {
    Kind.ANY: _single,
    Kind.BLACKLIST: _listed,
    Kind.WHITELIST: _listed,
    Kind.CHANGE: _change,
    Kind.FREQUENCY: _frequency,
    Kind.SPIKE: _spike,
    Kind.FLATLINE: _flatline,
    Kind.NEW_TERM: _new_term,
    Kind.CARDINALITY: _cardinality,
    Kind.METRIC_AGGREGATION: _metric,
    Kind.SPIKE_AGGREGATION: _metric_spike,
    Kind.PERCENTAGE_MATCH: _percentage,
    Kind.SEQUENCE: _sequence,
    Kind.ABSENCE: _absence,
}
