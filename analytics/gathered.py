"""Machines' accounts of several projects that come together at one address, while each goes on where it always was.

Runners that are moved leave their old place. Who has gathered tokens uses them from where he is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics.day_events import MOST_EVENTS, done_by, done_exactly_by
from analytics.places import Past, Seen
from store.contract import EventReader

FEWEST = 2
CROWD = 12  # accounts at one new address: a proxy that everybody goes through


@dataclass(frozen=True, slots=True)
class Gathering:
    """An address, the accounts that came together there, what they did there, oldest first."""

    client: str
    accounts: list[str]
    events: list[dict[str, Any]]


def gatherings(
    store: EventReader, past: Past, strangers: Sequence[Seen], day: datetime, start: datetime, now: datetime
) -> Iterator[Gathering]:
    """What was complete in [start, now): the last of them went on at its old place then, or came."""
    there: dict[str, dict[str, datetime]] = defaultdict(dict)
    people: set[str] = set()  # addresses at which there are others as well: a proxy, a gateway
    for one in strangers:
        account = past.accounts.get(one.actor)
        if account is None or not account.machine:
            people.add(one.client)
        elif one.served and account.settled(day):
            there[one.client].setdefault(one.actor, one.at)
    for client, came in sorted(there.items()):
        if client in people or not FEWEST <= len(came) < CROWD:
            continue
        at_home = {actor: _goes_on(store, past, actor, at, day, now) for actor, at in came.items()}
        both = sorted(actor for actor, at in at_home.items() if at is not None)
        if len(both) < FEWEST or not _apart(past, both):
            continue
        complete = max(max(at for at in at_home.values() if at is not None), *(came[actor] for actor in both))
        if complete >= start:
            yield Gathering(client, both, _events(store, client, both, day, now))


def _goes_on(
    store: EventReader, past: Past, actor: str, came: datetime, day: datetime, now: datetime
) -> datetime | None:
    """When the account was first at its usual place after it came to the new one."""
    account = past.accounts[actor]
    seen = done_by(store, day, came, now, MOST_EVENTS, actor=actor)
    home = (one["timestamp"] for one in seen if one["actor"] == actor and account.covers(one["client_ip"] or ""))
    return next(home, None)


def _apart(past: Past, actors: Sequence[str]) -> bool:
    """Whether they work for different projects: no two robots of one pipeline."""
    first, *others = (past.accounts[actor].projects for actor in actors)
    return any(not first <= other and not other <= first for other in others)


def _events(
    store: EventReader, client: str, actors: Sequence[str], day: datetime, now: datetime
) -> list[dict[str, Any]]:
    found = [one for actor in actors for one in done_exactly_by(store, day, day, now, actor=actor, client=client)]
    return sorted(found, key=lambda one: one["timestamp"])
