"""The events of a day, read once for all ledgers that walk through it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from analytics.replay import Replay
from store.contract import EventQuery
from store.plain import plain_rows


@dataclass(slots=True)
class _Walked:
    """What the walks of a replay have asked for so far, and the day that was read last, with what was known of that then."""

    actions: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    span: tuple[datetime | None, datetime | None] = (None, None)
    read: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    events: list[dict[str, Any]] = field(default_factory=list)


def of_day(store: Replay, query: EventQuery) -> Iterable[dict[str, Any]]:
    """The events that a walk asks for, in order of time; they may have more columns and are not to be changed.

    Several walks go through the same days, one after the other: from the second day on each day is read with what all of them
    look at. One day is held at a time.
    """
    if not query.action or not query.columns:
        return store.store.events(query)
    walked = store.memo(f"walked, {sorted(query.outcome)}", "", _Walked)
    actions = frozenset(map(str, query.action))
    walked.actions |= actions
    walked.columns |= {*query.columns, "action", "timestamp"}
    span = query.since, query.until
    if walked.span != span or not (actions <= walked.read[0] and walked.read[1].issuperset(query.columns)):
        walked.events = []  # the day before need not be held while this one is read
        asked = replace(query, action=sorted(walked.actions), columns=sorted(walked.columns))
        walked.events = plain_rows(store.store.table(asked))
        walked.span, walked.read = span, (walked.actions, walked.columns)
    if walked.read[0] == actions:
        return walked.events
    return (event for event in walked.events if event["action"] in actions)
