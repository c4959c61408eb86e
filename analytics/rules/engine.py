"""Rules over events in order of time. Each kind is one generator that remembers no more than its window."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analytics.replay import floor
from analytics.rules.condition import Predicate, condition
from analytics.rules.model import Kind, Rule

Event = Mapping[str, Any]
Key = tuple[Any, ...]
MOST_EVIDENCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A rule has fired at `at`, for the events that share `key`. `count` is what was compared with the rule's number."""

    rule: Rule
    at: datetime
    key: Key
    events: Sequence[Event]
    count: float


@dataclass(frozen=True, slots=True)
class Known:
    """What the history before a span says, for rules that need it: combinations of values, and the last of each key."""

    terms: frozenset[Key] = frozenset()
    also: frozenset[Key] = frozenset()
    prefixes: frozenset[Key] = frozenset()
    last: Mapping[Key, frozenset[Any]] = field(default_factory=dict)
    since: datetime | None = None  # of the first event of all
    registries: Mapping[str, datetime] = field(default_factory=dict)  # the first day of each
    busiest: Mapping[Key, int] = field(default_factory=dict)  # the most events of a key on one day


NOTHING = Known()


def evaluate(
    rule: Rule, events: Sequence[Event], since: datetime, until: datetime, known: Known = NOTHING
) -> Iterator[Match]:
    """The matches that complete in [since, until), in order.

    `events` are in order of time and reach from `since - rule.reach` up to `until`; whether a match completes at a moment
    depends on nothing after it. `known` is what `analytics.rules.history` gave for `since`.
    """
    run = _KINDS[rule.kind]
    for match in run(rule, events, known, until):
        if since <= match.at < until:
            yield match


def key_of(event: Event, by: Sequence[str]) -> Key | None:
    """The values of the fields `by`; None where one of them is null: such an event belongs to nobody."""
    key = tuple(event.get(name) for name in by)
    return None if any(value is None for value in key) else key


def _fitting(rule: Rule, events: Sequence[Event]) -> Iterator[tuple[Key, Event]]:
    fits = condition(rule.match)
    for event in events:
        if fits(event) and (key := key_of(event, rule.when.by)) is not None:
            yield key, event


def _within(rule: Rule) -> timedelta:
    assert rule.when.within is not None
    return rule.when.within


# The kinds: (rule, events, what is known, end of the span) → matches.


def _any(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    for key, event in _fitting(rule, events):
        yield Match(rule=rule, at=event["timestamp"], key=key, events=[event], count=1)


def _listed(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    assert rule.when.field is not None
    word = "in" if rule.kind is Kind.BLACKLIST else "not"
    listed = condition({rule.when.field: {word: list(rule.when.values)}})
    for key, event in _fitting(rule, events):
        if listed(event):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=[event], count=1)


@dataclass(slots=True)
class _Level:
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


def _frequency(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, deque[Event]] = {}
    level = _Level()
    assert rule.when.count is not None
    for key, event in _fitting(rule, events):
        window = _slide(windows, key, event, _within(rule))
        usual = known.busiest.get(key, 0) if rule.when.unusual else 0
        if level.reached(key, len(window), max(rule.when.count, 1.5 * usual)):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=list(window), count=len(window))


def _slide(windows: dict[Key, deque[Event]], key: Key, event: Event, span: timedelta) -> deque[Event]:
    window = windows.setdefault(key, deque())
    window.append(event)
    while window[0]["timestamp"] <= event["timestamp"] - span:
        window.popleft()
    return window


def _cardinality(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, deque[Event]] = {}
    level = _Level()
    name = rule.when.field
    assert name is not None and rule.when.count is not None
    for key, event in _fitting(rule, events):
        if event.get(name) is None:
            continue
        window = _slide(windows, key, event, _within(rule))
        if len(window) < rule.when.count:
            level.reached(key, 0, 1)
            continue
        first = {one[name]: one for one in reversed(window)}
        if level.reached(key, len(first), rule.when.count):
            chosen = sorted(first.values(), key=lambda one: one["timestamp"])
            yield Match(rule=rule, at=event["timestamp"], key=key, events=chosen, count=len(first))


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


def _spike(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, _TwoSpans] = {}
    level = _Level()
    assert rule.when.times is not None
    for key, event in _fitting(rule, events):
        window = windows.setdefault(key, _TwoSpans())
        window.add(event, 0.0, _within(rule), lambda _: 0.0)
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


def _metric(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    windows: dict[Key, deque[Event]] = {}
    level = _Level()
    assert rule.when.above is not None
    for key, event in _fitting(rule, events):
        window = _slide(windows, key, event, _within(rule))
        value = _number(rule, list(window)) if len(window) >= rule.when.least else 0.0
        if level.reached(key, value, rule.when.above):
            yield Match(rule=rule, at=event["timestamp"], key=key, events=list(window), count=value)


def _metric_spike(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    """Sums are kept up; means and maxima are worked out where there are enough events to say anything."""
    windows: dict[Key, _TwoSpans] = {}
    level = _Level()
    span = _within(rule)
    metric = rule.when.metric
    assert rule.when.times is not None and metric is not None

    def value_of(event: Event) -> float:
        return float(event.get(metric.field) or 0)

    for key, event in _fitting(rule, events):
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


def _percentage(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    fits, of = condition(rule.match), condition(rule.when.of or {})
    windows: dict[Key, deque[tuple[Event, bool]]] = {}
    good: dict[Key, int] = {}
    level = _Level()
    assert rule.when.share is not None
    for event in events:
        if not of(event) or (key := key_of(event, rule.when.by)) is None:
            continue
        window = windows.setdefault(key, deque())
        window.append((event, fits(event)))
        good[key] = good.get(key, 0) + window[-1][1]
        while window[0][0]["timestamp"] <= event["timestamp"] - _within(rule):
            good[key] -= window.popleft()[1]
        share = good[key] / len(window) if len(window) >= rule.when.least else 0.0
        if level.reached(key, share, rule.when.share):
            shown = [one for one, is_good in window if is_good]
            yield Match(rule=rule, at=event["timestamp"], key=key, events=shown, count=share)


def _new_term(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    when = rule.when
    seen, also = set(known.terms), set(known.also)
    begun = known.since
    for key, event in _fitting(rule, events):
        begun = begun or event["timestamp"]
        term, second = (tuple(event.get(name) for name in names) for names in (when.terms, when.also_new))
        if None in term or None in second:
            continue
        new = term not in seen and (not when.also_new or second not in also)
        seen.add(term)
        also.add(second)
        owner = tuple(event.get(name) for name in when.known)
        has_history = not when.known or owner in known.prefixes
        # A registry that is read since yesterday is new in everything.
        since = max(begun, known.registries.get(event.get("registry") or "", event["timestamp"]))
        if new and has_history and event["timestamp"] - since >= when.learned:
            yield Match(rule=rule, at=event["timestamp"], key=(*key, *term), events=[event], count=1)


def _change(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    name = rule.when.field
    assert name is not None
    current: dict[Key, frozenset[Any]] = dict(known.last)
    before: dict[Key, Event] = {}
    for key, event in _fitting(rule, events):
        value = event.get(name)
        if value is None:
            continue
        held = current.get(key)
        if held is not None and value not in held:
            shown = [before[key], event] if key in before else [event]
            yield Match(rule=rule, at=event["timestamp"], key=key, events=shown, count=1)
        current[key], before[key] = frozenset({value}), event


def _flatline(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    """Judged at the ends of quarters of the window; told once, when a key that was lively falls below."""
    span = _within(rule)
    step = max(span / 4, timedelta(minutes=1))
    assert rule.when.count is not None
    fitting = list(_fitting(rule, events))
    if not fitting:
        return
    by_key: dict[Key, list[Event]] = {}
    for key, event in fitting:
        by_key.setdefault(key, []).append(event)
    for key, own in by_key.items():
        times = [event["timestamp"] for event in own]
        moment, quiet = floor(times[0], step) + span, False
        while moment < until:
            now = bisect_left(times, moment) - bisect_left(times, moment - span)
            before = bisect_left(times, moment - span) - bisect_left(times, moment - 2 * span)
            lively = before >= max(rule.when.least, rule.when.count)
            if now < max(rule.when.count, 1) and lively and not quiet:
                shown = own[max(0, bisect_left(times, moment) - 5) : bisect_left(times, moment)]
                yield Match(rule=rule, at=moment, key=key, events=shown, count=now)
            quiet = now < max(rule.when.count, 1)
            moment += step


@dataclass(slots=True)
class _Progress:
    step: int = 0
    events: list[Event] = field(default_factory=list)
    at_step: int = 0  # events of the current step


def _sequence(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    counts = [int(step.get("count", 1)) for step in rule.when.steps]
    steps = [condition({k: v for k, v in step.items() if k != "count"} or rule.match) for step in rule.when.steps]
    calls_off = condition(rule.when.unless) if rule.when.unless else None
    span = _within(rule)
    running: dict[Key, _Progress] = {}
    for event in events:
        key = key_of(event, rule.when.by)
        if key is None:
            continue
        progress = running.get(key)
        if progress is not None:
            if event["timestamp"] - progress.events[0]["timestamp"] > span and progress.step > 0:
                del running[key]
                progress = None
            elif calls_off is not None and calls_off(event):
                del running[key]
                continue
        progress = _advanced(progress, steps, counts, event, span)
        if progress is None:
            continue
        running[key] = progress
        if progress.step == len(steps):
            first, last = progress.events[0], progress.events[-1]
            if all(first.get(name) != last.get(name) for name in rule.when.different):
                yield Match(
                    rule=rule, at=event["timestamp"], key=key, events=progress.events[-MOST_EVIDENCE:], count=len(steps)
                )
            del running[key]


def _advanced(
    progress: _Progress | None, steps: Sequence[Predicate], counts: Sequence[int], event: Event, span: timedelta
) -> _Progress | None:
    """What becomes of a key's progress with one more event; a first step slides with its window."""
    if progress is None:
        if not steps[0](event):
            return None
        progress = _Progress()
    elif not steps[progress.step](event):
        # More of the step before keeps it alive: the last of many refusals is the one that the success follows.
        if progress.step > 0 and steps[progress.step - 1](event):
            progress.events.append(event)
        return progress
    progress.events.append(event)
    progress.at_step += 1
    if progress.step == 0:
        while progress.events[0]["timestamp"] < event["timestamp"] - span:
            progress.events.pop(0)
            progress.at_step -= 1
    if progress.at_step >= counts[progress.step]:
        progress.step, progress.at_step = progress.step + 1, 0
    return progress


def _absence(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    fits, follows = condition(rule.match), condition(rule.when.then or {})
    calls_off = condition(rule.when.unless) if rule.when.unless else None
    span = _within(rule)
    waiting: dict[Key, Event] = {}
    for event in [*events, None]:
        moment = until if event is None else event["timestamp"]
        for key, first in list(waiting.items()):
            if first["timestamp"] + span < moment:
                yield Match(rule=rule, at=first["timestamp"] + span, key=key, events=[first], count=0)
                del waiting[key]
        if event is None:
            return
        key_now = key_of(event, rule.when.by)
        if key_now is None:
            continue
        if follows(event) or (calls_off is not None and calls_off(event)):
            waiting.pop(key_now, None)
        if fits(event):
            waiting.setdefault(key_now, event)


_Kind = Callable[[Rule, Sequence[Event], Known, datetime], Iterator[Match]]
_KINDS: dict[Kind, _Kind] = {
    Kind.ANY: _any,
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
