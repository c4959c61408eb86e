"""What is left out before a rule looks at events one by one changes no match."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from analytics.columns import Columns
from analytics.replay import EPOCH
from analytics.rules.engine import evaluate
from analytics.rules.load import pack
from analytics.rules.match import Event, Known
from analytics.rules.model import Kind, Rule, expanded
from analytics.rules.narrow import needed
from analytics.rules.samples import START, _event
from store.event import schema

LONG_AGO = START - timedelta(days=60)
RULES = pack()


def samples_of(rule: Rule, silent_too: bool = True) -> list[dict[str, Any]]:
    assert rule.samples is not None
    return expanded([*rule.samples.history, *rule.samples.fires, *(rule.samples.silent if silent_too else ())])


def mixed(rule: Rule, chance: random.Random) -> list[dict[str, Any]]:
    """The rule's own samples, some left out, some twice, times and values shaken up, among those of other rules."""
    given = samples_of(rule, chance.random() < 0.5)
    given += [one for other in chance.sample(RULES, 3) for one in samples_of(other)][:60]
    columns = {name: [one[name] for one in given if name in one] for name in {name for one in given for name in one}}
    shaken, hard = [], chance.choice((0.0, 0.1, 1.0))
    for one in given * chance.choice((1, 1, 2)):
        if chance.random() < 0.15 * hard:
            continue
        other = dict(one)
        if chance.random() < 0.4 * hard:
            other["at"] = one["at"] + chance.choice((chance.uniform(-40, 40), chance.uniform(-600, 600)))
        for name in one:
            if name != "at" and chance.random() < 0.06 * hard:
                other[name] = chance.choice(columns[name])
        for name in [name for name in one if name not in ("at", "action", "outcome")]:
            if chance.random() < 0.03 * hard:
                del other[name]
        shaken.append(other)
    events = [_event(place, one) for place, one in enumerate(shaken)]
    return sorted(events, key=lambda event: (event["timestamp"], event["event_id"]))


def what_is_known(rule: Rule, events: list[Event], chance: random.Random) -> Known:
    when = rule.when
    own = (*when.by, when.field) if when.field and not when.terms else (*when.terms, *when.by)

    def some(names: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        share = chance.choice((0.0, 0.3, 1.0))
        return (tuple(event[name] for name in names) for event in events if chance.random() < share)

    return Known(
        terms=frozenset(some(own if when.fresh else when.terms)),
        also=frozenset(some(when.also_new)),
        prefixes=frozenset(some(when.known)),
        last={key[:-1]: frozenset({key[-1]}) for key in some((*when.by, when.field))} if when.field else {},
        since=LONG_AGO,
        registries={event["registry"] or "": LONG_AGO for event in events},
        busiest={key: chance.randint(0, 30) for key in some(when.by)},
        silent={key: chance.choice((0.0, 0.005, 0.5)) for key in some(when.by)},
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_is_left_out_changes_no_match(rule: Rule) -> None:
    fired = 0
    for seed in range(100):
        if seed >= 20 and fired:  # which samples are beside the rule's own changes with every rule that is added
            break
        chance = random.Random(f"{rule.id} {seed}")
        events = mixed(rule, chance)
        known = what_is_known(rule, events, chance)
        since, until = START - timedelta(days=1), START + timedelta(days=1)
        first = chance.choice((0, 0, len(events) // 4))
        columns = Columns(pa.Table.from_pylist(events, schema()))
        kept = columns.events(needed(rule, columns, first, known, until))
        expected = list(evaluate(rule, events[first:], since, until, known))
        found = list(evaluate(rule, kept, since, until, known))
        assert [_told(match) for match in found] == [_told(match) for match in expected]
        fired += len(expected)
    assert fired, "nothing was shown: the rule never fired"


def _told(match: Any) -> tuple[Any, ...]:
    return match.at, match.key, match.count, [event["event_id"] for event in match.events]


def test_of_many_events_few_are_looked_at() -> None:
    rule = next(rule for rule in RULES if rule.kind is Kind.FREQUENCY and rule.id == "mass_delete")
    events = [
        _event(place, {"at": place * 30, "action": "delete", "outcome": "success", "actor": f"robot-{place % 40}"})
        for place in range(400)
    ]
    columns = Columns(pa.Table.from_pylist(events, schema()))
    assert not len(needed(rule, columns, 0, Known(since=EPOCH), START + timedelta(days=30)))


def test_a_condition_is_the_same_by_columns_and_event_by_event() -> None:
    from analytics.rules.condition import condition
    from analytics.rules.search import conditions_of

    events = [_event(place, one) for place, one in enumerate(one for rule in RULES for one in samples_of(rule))]
    columns = Columns(pa.Table.from_pylist(events, schema()))
    for rule in RULES:
        for wanted in conditions_of(rule):
            fits = condition(wanted)
            assert columns.fits(wanted).tolist() == [fits(event) for event in events], (rule.id, wanted)
