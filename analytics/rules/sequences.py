"""Kinds of rules about order and silence: one thing after another, what should have followed, what has stopped."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.replay import floor
from analytics.rules.condition import Predicate, condition
from analytics.rules.match import MOST_EVIDENCE, Event, Key, Known, Match, fitting, key_of, within
from analytics.rules.model import Rule, asked_of_step

MOST_SILENT = 0.01  # of a key's hours: one that is silent more often may be so again


@dataclass(slots=True)
class _Progress:
    step: int = 0
    events: list[Event] = field(default_factory=list)
    at_step: int = 0  # events of the current step


def sequence(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    counts = [int(step.get("count", 1)) for step in rule.when.steps]
    steps = [condition(asked_of_step(step) or rule.match) for step in rule.when.steps]
    calls_off = condition(rule.when.unless) if rule.when.unless else None
    span = within(rule)
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


def absence(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    fits, follows = condition(rule.match), condition(rule.when.then or {})
    calls_off = condition(rule.when.unless) if rule.when.unless else None
    span = within(rule)
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


def flatline_step(rule: Rule) -> timedelta:
    """How long from one judgement of a silence to the next."""
    return max(within(rule) / 4, timedelta(minutes=1))


def flatline(rule: Rule, events: Sequence[Event], known: Known, until: datetime) -> Iterator[Match]:
    """Judged at the ends of quarters of the window; told once, when a key that was lively falls below."""
    span = within(rule)
    step = flatline_step(rule)
    assert rule.when.count is not None
    own_events = list(fitting(rule, events))
    if not own_events:
        return
    by_key: dict[Key, list[Event]] = {}
    for key, event in own_events:
        by_key.setdefault(key, []).append(event)
    for key, own in by_key.items():
        if rule.when.unusual and known.silent.get(key, 1.0) > MOST_SILENT:
            continue
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
