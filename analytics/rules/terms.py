"""Kinds of rules that hold an event against the history: what was never there before, and what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from analytics.rules.match import Event, Key, Known, Match, fitting
from analytics.rules.model import Rule


def new_term(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    when = rule.when
    seen: set[Key] = set()
    also: set[Key] = set()
    begun = known.since
    for key, event in fitting(rule, events):
        begun = begun or event["timestamp"]
        term, second = (tuple(event.get(name) for name in names) for names in (when.terms, when.also_new))
        if None in term or None in second:
            continue
        another = second not in also and second not in known.also
        new = term not in seen and term not in known.terms and (not when.also_new or another)
        seen.add(term)
        also.add(second)
        owner = tuple(event.get(name) for name in when.known)
        has_history = not when.known or owner in known.prefixes
        if new and has_history and known.learned(rule, event, begun):
            yield Match(rule=rule, at=event["timestamp"], key=(*key, *term), events=[event], count=1)


def change(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    name = rule.when.field
    assert name is not None
    current: dict[Key, frozenset[Any]] = {}
    before: dict[Key, Event] = {}
    for key, event in fitting(rule, events):
        value = event.get(name)
        if value is None:
            continue
        held = current.get(key, known.last.get(key))
        if held is not None and value not in held:
            shown = [before[key], event] if key in before else [event]
            yield Match(rule=rule, at=event["timestamp"], key=key, events=shown, count=1)
        current[key], before[key] = frozenset({value}), event
