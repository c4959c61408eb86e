"""Rules over events in order of time. Each kind of rule is one generator; they stand in the files beside this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from analytics.rules import sequences, terms, windows
from analytics.rules.match import NOTHING, Event, Known, Match, Run
from analytics.rules.model import Kind, Rule


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


_KINDS: dict[Kind, Run] = {
    Kind.ANY: windows.any_event,
    Kind.BLACKLIST: windows.listed_values,
    Kind.WHITELIST: windows.listed_values,
    Kind.CHANGE: terms.change,
    Kind.FREQUENCY: windows.frequency,
    Kind.SPIKE: windows.spike,
    Kind.FLATLINE: sequences.flatline,
    Kind.NEW_TERM: terms.new_term,
    Kind.CARDINALITY: windows.cardinality,
    Kind.METRIC_AGGREGATION: windows.metric,
    Kind.SPIKE_AGGREGATION: windows.metric_spike,
    Kind.PERCENTAGE_MATCH: windows.percentage,
    Kind.SEQUENCE: sequences.sequence,
    Kind.ABSENCE: sequences.absence,
}
