"""Kinds of rules that look at single events, or count and add up those of a sliding window. They remember no more than it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analytics.rules.condition import condition
from analytics.rules.match import Event, Key, Known, Match, fitting, key_of, within
from analytics.rules.model import Kind, Rule


def any_event(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    for key, event in fitting(rule, events):
        yield Match(rule=rule, at=event["timestamp"], key=key, events=[event], count=1)


def listed_values(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    assert rule.when.field is not None
    word = "in" if rule.kind is Kind.BLACKLIST else "not"
    listed = condition({rule.when.field: {word: list(rule.when.values)}})
    for key, event in fitting(rule, events):
        if listed(event):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=[event], count=1)


@dataclass(slots=True)
class Level:
    """When a key that stays above its bound is told of: on reaching it, and each time that the number has doubled."""

    told: dict[Key, float] = field(default_factory=dict)

    def reached(self, key: Key, value: float, bound: float) -> bool:
        if value < bound:
            self.told.pop(key, None)
            return False
        if value >= 2 * self.told.get(key, 0):
            self.told[key] = value
            return True
        return False


def frequency(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, deque[Event]] = {}
    level = Level()
    assert rule.when.count is not None
    for key, event in fitting(rule, events):
        window = slide(windows, key, event, within(rule))
        if _young(rule, event, known):
            continue
        if level.reached(key, len(window), max(rule.when.count, 1.5 * _usual(rule, key, known))):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=list(window), count=len(window))


def _usual(rule: Rule, key: Key, known: Known) -> int:
    """How many events of the key there were on the busiest day before, if the rule asks."""
    return known.busiest.get(key, 0) if rule.when.unusual else 0


def _young(rule: Rule, event: Event, known: Known) -> bool:
    """Whether too little is known to call it unusual, where the rule says how much must be."""
    when = rule.when
    return when.unusual and "learned" in when.model_fields_set and not known.learned(rule, event, known.since)


def slide(windows: dict[Key, deque[Event]], key: Key, event: Event, span: timedelta) -> deque[Event]:
    window = windows.setdefault(key, deque())
    window.append(event)
    while window[0]["timestamp"] <= event["timestamp"] - span:
        window.popleft()
    return window


def cardinality(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, _Distinct] = {}
    level = Level()
    name = rule.when.field
    assert name is not None and rule.when.count is not None
    for key, event in fitting(rule, events):
        if event.get(name) is None:
            continue
        if rule.when.fresh and ((*key, event[name]) in known.terms or not known.learned(rule, event, known.since)):
            continue
        window = windows.setdefault(key, _Distinct())
        different = window.add(event, event[name], within(rule))
        if _young(rule, event, known):
            continue
        if level.reached(key, different, max(rule.when.count, 1.5 * _usual(rule, key, known))):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=window.first_of_each(name), count=different)


@dataclass(slots=True)
class _Distinct:
    """The events of the last span, and how often each value is among them."""

    events: deque[Event] = field(default_factory=deque)
    values: deque[Any] = field(default_factory=deque)
    often: dict[Any, int] = field(default_factory=dict)

    def add(self, event: Event, value: Any, span: timedelta) -> int:
        """How many different values there are now."""
        self.events.append(event)
        self.values.append(value)
        self.often[value] = self.often.get(value, 0) + 1
        while self.events[0]["timestamp"] <= event["timestamp"] - span:
            self.events.popleft()
            aged = self.values.popleft()
            self.often[aged] -= 1
            if not self.often[aged]:
                del self.often[aged]
        return len(self.often)

    def first_of_each(self, name: str) -> list[Event]:
        """By time, the first event of each value."""
        first = {one[name]: one for one in reversed(self.events)}
        return sorted(first.values(), key=lambda one: one["timestamp"])


@dataclass(slots=True)
class _TwoSpans:
    """The events of the last span and of the one before, and the sums of both, kept up as events come and go."""

    now: deque[Event] = field(default_factory=deque)
    before: deque[Event] = field(default_factory=deque)
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def add(self, event: Event, value: float, span: timedelta, value_of: Callable[[Event], float]) -> None:
        self.now.append(event)
        self.sums[0] += value
        while self.now[0]["timestamp"] <= event["timestamp"] - span:
            aged = self.now.popleft()
            self.before.append(aged)
            self.sums[0] -= value_of(aged)
            self.sums[1] += value_of(aged)
        while self.before and self.before[0]["timestamp"] <= event["timestamp"] - 2 * span:
            self.sums[1] -= value_of(self.before.popleft())


def spike(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, _TwoSpans] = {}
    level = Level()
    assert rule.when.times is not None
    for key, event in fitting(rule, events):
        window = windows.setdefault(key, _TwoSpans())
        window.add(event, 0.0, within(rule), lambda _: 0.0)
        bound = max(rule.when.least, rule.when.times * len(window.before))
        if level.reached(key, len(window.now), bound):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=list(window.now), count=len(window.now))


def _number(rule: Rule, events: Iterable[Event]) -> float:
    metric = rule.when.metric
    assert metric is not None
    values = [float(event[metric.field]) for event in events if event.get(metric.field) is not None]
    if not values:
        return 0.0
    return max(values) if metric.how == "max" else sum(values) / (len(values) if metric.how == "mean" else 1)


def metric(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, deque[Event]] = {}
    level = Level()
    assert rule.when.above is not None
    for key, event in fitting(rule, events):
        window = slide(windows, key, event, within(rule))
        value = _number(rule, list(window)) if len(window) >= rule.when.least else 0.0
        if level.reached(key, value, rule.when.above):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=list(window), count=value)


def metric_spike(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    """Sums are kept up; means and maxima are worked out where there are enough events to say anything."""
    windows: dict[Key, _TwoSpans] = {}
    level = Level()
    span = within(rule)
    metric = rule.when.metric
    assert rule.when.times is not None and metric is not None

    def value_of(event: Event) -> float:
        return float(event.get(metric.field) or 0)

    for key, event in fitting(rule, events):
        window = windows.setdefault(key, _TwoSpans())
        window.add(event, value_of(event), span, value_of)
        if len(window.now) < rule.when.least or not window.before:
            level.reached(key, 0.0, 1.0)
            continue
        if metric.how == "sum":
            value, usual = window.sums
        else:
            value, usual = _number(rule, window.now), _number(rule, window.before)
        if level.reached(key, value if usual > 0 else 0.0, max(rule.when.times * usual, 1e-9)):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=list(window.now), count=value)


def percentage(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    fits, of = condition(rule.match), condition(rule.when.of or {})
    windows: dict[Key, deque[tuple[Event, bool]]] = {}
    good: dict[Key, int] = {}
    level = Level()
    assert rule.when.share is not None
    for event in events:
        if not of(event) or (key := key_of(event, rule.when.by)) is None:
            continue
        window = windows.setdefault(key, deque())
        window.append((event, fits(event)))
        good[key] = good.get(key, 0) + window[-1][1]
        while window[0][0]["timestamp"] <= event["timestamp"] - within(rule):
            good[key] -= window.popleft()[1]
        share = good[key] / len(window) if len(window) >= rule.when.least else 0.0
        if level.reached(key, share, rule.when.share):
            shown = [one for one, is_good in window if is_good]
            yield Match(rule=rule, at=event["timestamp"], key=key, events=shown, count=share)
