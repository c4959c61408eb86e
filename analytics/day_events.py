"""What one account, or one address, did up to a moment of a day: asked each minute, read once."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.columns import Columns
from analytics.replay import EPOCH, Replay, horizon
from analytics.windows import DAY, HOUR
from store.contract import EventQuery, EventReader
from store.event import Outcome

BEFORE = 3 * HOUR  # of the day before, which is read with a day
MOST_EVENTS = 200  # of an account or address that are looked at
MOST_KEPT = 5_000  # events of one account or address; who does more is asked for each time
ONE_BY_ONE = (
    3  # accounts and addresses of a day that the store is asked for; from then on all of the day is read at once
)
COLUMNS = (
    "event_id", "timestamp", "action", "outcome", "project", "repository", "actor", "client_ip", "client_class",
)  # fmt: skip
_US = timedelta(microseconds=1)


@dataclass(slots=True)
class _Day:
    """What was asked of a day and the hours before it: of some the events with their times, and everybody's once it was read."""

    query: EventQuery  # for everybody
    one_by_one: int  # before everybody is asked for
    kept: dict[tuple[str | None, str | None], tuple[list[datetime], list[dict[str, Any]]]] = field(default_factory=dict)
    events: Columns | None = None

    def of_one(self, store: EventReader, query: EventQuery) -> list[dict[str, Any]]:
        """What `query` asks of one account or address, if it is within the day."""
        key = (query.actor, query.client)
        if key not in self.kept and len(self.kept) >= self.one_by_one and not any(map(_pattern, key)):
            return self._among_all(store, query)
        if key not in self.kept:
            whole = replace(self.query, actor=query.actor, client=query.client, limit=MOST_KEPT + 1)
            events = list(store.events(whole))
            self.kept[key] = ([event["timestamp"] for event in events], events)
        times, events = self.kept[key]
        if len(events) > MOST_KEPT:
            return list(store.events(query))
        assert query.since is not None
        assert query.until is not None
        assert query.limit is not None
        first = bisect_left(times, query.since)
        return events[first : min(bisect_left(times, query.until), first + query.limit)]

    def _among_all(self, store: EventReader, query: EventQuery) -> list[dict[str, Any]]:
        if self.events is None:
            self.events = Columns(store.table(self.query))
        assert query.since is not None
        assert query.until is not None
        ends = [(moment - EPOCH) // _US for moment in (query.since, query.until)]
        first, last = np.searchsorted(self.events.times(), ends)
        chosen = np.ones(last - first, np.bool_)
        for name, wanted in (("actor", query.actor), ("client_ip", query.client)):
            if wanted is not None:
                chosen &= self.events.coded(name).equal(wanted)[first:last]
        return self.events.events(first + np.flatnonzero(chosen)[: query.limit])


def done_by(
    store: EventReader,
    day: datetime,
    since: datetime,
    until: datetime,
    most: int,
    *,
    actor: str | None = None,
    client: str | None = None,
) -> list[dict[str, Any]]:
    """The first `most` events in [since, until) of the account, the address, or of the one at the other, oldest first, with
    `COLUMNS`.

    `day` is the midnight before `until`. A replay reads the day once, if no more than `BEFORE` of the day before is asked for.
    """
    query = EventQuery(since=since, until=until, actor=actor, client=client, limit=most, columns=COLUMNS)
    if not isinstance(store, Replay) or since < day - BEFORE:
        return list(store.events(query))
    end = min(day + DAY, horizon(store, until))
    whole = EventQuery(since=day - BEFORE, until=end, columns=COLUMNS)
    over = day + DAY < store.until  # such a replay asks for many
    return store.memo("events of one", day, lambda: _Day(whole, 0 if over else ONE_BY_ONE)).of_one(store, query)


def done_exactly_by(
    store: EventReader,
    day: datetime,
    since: datetime,
    until: datetime,
    *,
    actor: str | None = None,
    client: str | None = None,
) -> list[dict[str, Any]]:
    """As `done_by`, the first `MOST_EVENTS`, without those whose names only fit: names may hold what is a pattern in a question.
    Of an account that is named, what succeeded.
    """
    return [
        one
        for one in done_by(store, day, since, until, MOST_EVENTS, actor=actor, client=client)
        if (actor is None or (one["actor"] == actor and one["outcome"] == Outcome.SUCCESS))
        and (client is None or one["client_ip"] == client)
    ]


def _pattern(name: str | None) -> bool:
    return name is not None and ("*" in name or "?" in name)
