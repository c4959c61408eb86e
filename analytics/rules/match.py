"""What a rule's evaluation is made of: a match, what is known of the time before, which events belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analytics.rules.condition import condition
from analytics.rules.model import Rule

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

    terms: Set[Key] = frozenset()
    also: Set[Key] = frozenset()
    prefixes: Set[Key] = frozenset()
    last: Mapping[Key, frozenset[Any]] = field(default_factory=dict)
    since: datetime | None = None  # of the first event of all
    registries: Mapping[str, datetime] = field(default_factory=dict)  # the first day of each
    busiest: Mapping[Key, int] = field(default_factory=dict)  # the most events of a key on one day
    silent: Mapping[Key, float] = field(default_factory=dict)  # the share of a key's hours without any event

    def learned(self, rule: Rule, event: Event, begun: datetime | None) -> bool:
        """Whether enough is known for something to be new: a registry that is read since yesterday is new in everything."""
        at: datetime = event["timestamp"]
        since = max(begun or at, self.registries.get(event.get("registry") or "", at))
        return at - since >= rule.when.learned


NOTHING = Known()


def key_of(event: Event, by: Sequence[str]) -> Key | None:
    """The values of the fields `by`; None where one of them is null: such an event belongs to nobody."""
    key = tuple(event.get(name) for name in by)
    return None if any(value is None for value in key) else key


def fitting(rule: Rule, events: Sequence[Event]) -> Iterator[tuple[Key, Event]]:
    fits = condition(rule.match)
    for event in events:
        if fits(event) and (key := key_of(event, rule.when.by)) is not None:
            yield key, event


def within(rule: Rule) -> timedelta:
    assert rule.when.within is not None
    return rule.when.within


Run = Callable[[Rule, Sequence[Event], Known, datetime], Iterator[Match]]
"""A kind of rule: (rule, events in order of time, what is known, end of the span) → matches."""
