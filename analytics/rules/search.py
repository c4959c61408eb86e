"""The matches of rules among the events of a store: only what a rule could look at is read, and looked at one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from string import Formatter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics.columns import Columns
from analytics.replay import EPOCH, floor
from analytics.rules.condition import fields_of
from analytics.rules.engine import evaluate
from analytics.rules.history import Histories
from analytics.rules.match import Match
from analytics.rules.model import AT_MOMENTS, Kind, Rule, actions_of, asked_of_step
from analytics.rules.narrow import needed
from analytics.windows import DAY
from store.contract import EventQuery, EventReader
from store.event import Outcome, schema

SUBJECTS = {"actor": "actor", "client": "client_ip", "repository": "repository"}  # word of a title → column
_US = timedelta(microseconds=1)
_USUAL_REACH = timedelta(hours=2)  # further back than this only few rules look


def matches(
    store: EventReader,
    rules: Sequence[Rule],
    histories: Histories,
    since: datetime,
    until: datetime,
    *,
    passing: bool = False,
) -> list[Match]:
    """What completes in [since, until), by time. Reads back only as far as a rule needs that has something to look at.
    `passing`: this is a whole day, and no day before its end will be asked for again.
    """
    recent = Columns(_read(store, rules, columns_of(rules), since, until))
    found = _matches(store, rules, histories, since, until, recent, histories.yesterday if passing else None)
    histories.yesterday = None
    if passing:
        histories.over(rules, since, recent)
        histories.yesterday = since, recent.rows
    return found


def _matches(
    store: EventReader,
    rules: Sequence[Rule],
    histories: Histories,
    since: datetime,
    until: datetime,
    recent: Columns,
    yesterday: tuple[datetime, pa.Table] | None,
) -> list[Match]:
    columns = columns_of(rules)
    at_work = [
        rule for rule in rules if rule.kind in AT_MOMENTS or (len(recent) and recent.fits(_last_step(rule)).any())
    ]
    if not at_work:
        return []
    day = floor(since, DAY)
    # A history is that of the days before: what of today lies before `since` is read as events.
    starts = {
        rule.id: min(since - rule.reach, day) if rule.kind in (Kind.NEW_TERM, Kind.CHANGE) else since - rule.reach
        for rule in at_work
    }
    events = Columns(pa.concat_tables([*_before(store, at_work, columns, starts, since, yesterday), recent.rows]))
    times, span = events.times(), store.span()
    found: list[Match] = []
    for rule in at_work:
        known = histories.before(store, rule, day, span[0] if span else None)
        first = int(times.searchsorted((starts[rule.id] - EPOCH) // _US))
        own = events.events(needed(rule, events, first, known, until))
        found += evaluate(rule, own, since, until, known)
    return sorted(found, key=lambda match: match.at)


def _before(
    store: EventReader,
    rules: Sequence[Rule],
    columns: Sequence[str],
    starts: Mapping[str, datetime],
    since: datetime,
    yesterday: tuple[datetime, pa.Table] | None,
) -> Iterator[pa.Table]:
    """The events that lie before `since`, in pieces: of the time that only few rules look back to, only theirs. What lies in
    the day that was gone through last (`yesterday`, with its beginning) is not read again.
    """
    edges = sorted({start for start in starts.values() if start < since - _USUAL_REACH} | {since - _USUAL_REACH, since})
    for edge, end in pairwise(edges):
        theirs = [rule for rule in rules if starts[rule.id] < end]
        begin = max(edge, min(starts.values()))
        if yesterday is not None and yesterday[0] <= begin and end <= yesterday[0] + DAY:
            yield _out_of(yesterday[1], theirs, begin, end)
        else:
            yield _read(store, theirs, columns, begin, end)


def _out_of(day: pa.Table, rules: Iterable[Rule], since: datetime, until: datetime) -> pa.Table:
    """As `_read`, out of events that are at hand."""
    times = Columns(day).times()
    first, last = (int(times.searchsorted((moment - EPOCH) // _US)) for moment in (since, until))
    rows = day.slice(first, max(last - first, 0))
    asked = _asked(rules)
    if asked is None:
        return rows
    fits = pc.is_in(rows["action"], pa.array(sorted(asked["action"]), pa.string()))
    if asked["outcome"]:
        fits = pc.or_(fits, pc.is_in(rows["outcome"], pa.array(sorted(asked["outcome"]), pa.string())))
    return rows.filter(fits)


def _read(
    store: EventReader, rules: Iterable[Rule], columns: Sequence[str], since: datetime, until: datetime
) -> pa.Table:
    """The events that any of the rules could look at, by time. A registry that nobody gave a name is one, too."""
    rows = _rows(store, rules, columns, since, until)
    if "registry" not in rows.column_names:
        return rows
    place = rows.schema.get_field_index("registry")
    return rows.set_column(place, rows.schema.field(place), pc.fill_null(rows["registry"], ""))


def _rows(
    store: EventReader, rules: Iterable[Rule], columns: Sequence[str], since: datetime, until: datetime
) -> pa.Table:
    query = EventQuery(since=since, until=until, columns=columns)
    rules = list(rules)
    if not rules or since >= until:
        return schema().empty_table().select(columns)
    asked = _asked(rules)
    if asked is None:
        return store.table(query)
    actions, outcomes = asked["action"], asked["outcome"]
    by_action = store.table(replace(query, action=sorted(actions))) if actions else None
    by_outcome = store.table(replace(query, outcome=sorted(outcomes))) if outcomes else None
    if by_action is None or by_outcome is None:
        return by_outcome if by_action is None else by_action
    others = by_outcome.filter(pc.invert(pc.is_in(by_outcome["action"], pa.array(sorted(actions)))))
    return pa.concat_tables([by_action, others]).sort_by([("timestamp", "ascending"), ("event_id", "ascending")])


def _asked(rules: Iterable[Rule]) -> dict[str, set[str]] | None:
    """The actions, and the outcomes, outside of which nothing is anything to these rules; None if there are no such."""
    asked: dict[str, set[str]] = {"action": set(), "outcome": set()}
    for rule in rules:
        for wanted in conditions_of(rule):
            named = actions_of(wanted)
            outcome = wanted.get("outcome")
            if named:
                asked["action"].update(named)
            elif outcome:
                asked["outcome"].update([outcome] if isinstance(outcome, str) else outcome)
            else:
                return None
    return None if asked["outcome"].issuperset(Outcome) else asked


def columns_of(rules: Iterable[Rule]) -> list[str]:
    """The fields of events that these rules look at or put into words, in the order of `store.event.FIELDS`."""
    wanted = {"event_id", "timestamp", "action", "registry", *SUBJECTS.values()}
    for rule in rules:
        when = rule.when
        for condition_of in (*conditions_of(rule), *(higher for _, higher in rule.raise_to)):
            wanted |= fields_of(condition_of)
        wanted |= {*when.by, *when.terms, *when.also_new, *when.known, *when.different, *when.together}
        wanted |= {when.field} if when.field else set()
        wanted |= {when.metric.field} if when.metric else set()
        wanted |= {name for _, name, _, _ in Formatter().parse(rule.title) if name}
    return [name for name in schema().names if name in wanted]


def _last_step(rule: Rule) -> dict[str, Any]:
    """What the event that completes a match must be."""
    if rule.kind is Kind.SEQUENCE:
        return asked_of_step(rule.when.steps[-1]) or rule.match
    return dict(rule.when.of or {}) if rule.kind is Kind.PERCENTAGE_MATCH else rule.match


def conditions_of(rule: Rule) -> list[dict[str, Any]]:
    """Everything that the rule asks of single events; what fits none of them is nothing to it."""
    steps = [asked_of_step(step) for step in rule.when.steps]
    when = rule.when
    others = [
        wanted for wanted in (when.of, when.then, when.unless, when.before, when.done_before) if wanted is not None
    ]
    own = [] if rule.kind is Kind.SEQUENCE and all(steps) else [rule.match]
    return [*own, *steps, *others]
