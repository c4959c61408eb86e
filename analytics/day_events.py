"""What one account, or one address, did up to a moment of a day: asked each minute, read once."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from typing import Any

from analytics.replay import Replay, horizon
from analytics.windows import DAY, HOUR
from store.contract import EventQuery, EventReader
from store.event import Outcome

BEFORE = 3 * HOUR  # of the day before, which is read with a day
MOST_EVENTS = 200  # of an account or address that are looked at
MOST_KEPT = 5_000  # events of one account or address; who does more is asked for each time


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
    """The first `most` events in [since, until) of the account, the address, or of the one at the other, oldest first.

    `day` is the midnight before `until`. A replay reads the day once, if no more than `BEFORE` of the day before is asked for.
    """
    query = EventQuery(since=since, until=until, actor=actor, client=client, limit=most)
    if not isinstance(store, Replay) or since < day - BEFORE:
        return list(store.events(query))
    kept: dict[Any, tuple[list[datetime], list[dict[str, Any]]]] = store.memo("events of one", day, dict)
    if (actor, client) not in kept:
        whole = EventQuery(
            since=day - BEFORE,
            until=min(day + DAY, horizon(store, until)),
            actor=actor,
            client=client,
            limit=MOST_KEPT + 1,
        )
        events = list(store.events(whole))
        kept[actor, client] = ([event["timestamp"] for event in events], events)
    times, events = kept[actor, client]
    if len(events) > MOST_KEPT:
        return list(store.events(query))
    first = bisect_left(times, since)
    return events[first : min(bisect_left(times, until), first + most)]


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
