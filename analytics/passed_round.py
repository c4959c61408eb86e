"""A person's account that goes round: within a day it works at several places of others, or with other people's tools.

Who travels is at one place after another, with one's own tool; nobody works at the homes of three colleagues on one day.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics.day_events import done_exactly_by
from analytics.ledger import network
from analytics.places import Account, Past
from store.contract import EventReader

FEWEST = 3  # places of others within a day
MANY = 6
HOME = 2  # accounts at a network, up to which it is somebody's home; more of them are an office or a proxy


@dataclass(frozen=True, slots=True)
class Round:
    """Places of others at which the account was, whose they are, and what it did there, oldest first."""

    places: list[str]
    owners: list[str]
    tools: list[str]
    events: list[dict[str, Any]]


def passed_round(
    store: EventReader, actor: str, account: Account, past: Past, clients: Collection[str], day: datetime, now: datetime
) -> Round | None:
    """`clients`: addresses at which the account is for the first time today. None where a journey explains them."""
    if len({network(client) for client in clients}) < FEWEST:
        return None
    of_others: dict[str, list[dict[str, Any]]] = {}
    owners: set[str] = set()
    tools: set[str] = set()
    for client in sorted(clients):
        events = done_exactly_by(store, day, day, now, actor=actor, client=client)
        here = past.networks.get(network(client), set()) - {actor}
        strange = {one["client_class"] for one in events if one["client_class"]} - account.tools
        if events and (1 <= len(here) <= HOME or (strange and not here)):
            of_others[network(client)] = [*of_others.get(network(client), []), *events]
            owners |= here
            tools |= strange
    if len(of_others) < FEWEST:
        return None
    events = sorted((one for some in of_others.values() for one in some), key=lambda one: one["timestamp"])
    places = list(dict.fromkeys(one["client_ip"] for one in events))
    return Round(places, sorted(owners), sorted(tools), events)
