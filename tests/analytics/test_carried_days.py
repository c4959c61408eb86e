"""What is carried from day to day is what one learns who looks at all the days before at once."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.daily import days_before
from analytics.ledger import network
from analytics.places import AWAKE_DAYS, Past, day_of_places
from analytics.replay import Replay, floor
from analytics.steps import reader_of
from analytics.traffic_classes import AROUND_THE_CLOCK
from analytics.tries import HOME_FOR, Before, ledger_of
from analytics.windows import DAY, HOUR
from store.contract import EventQuery

DAYS = 10
HISTORY = timedelta(days=4)


def mixed(seed: int) -> Made:
    """Accounts at home in a few networks and now and then elsewhere, some refused."""
    made, chance = Made(), random.Random(seed)
    for _ in range(1_000):
        outcome = chance.choice(["success"] * 4 + ["denied", "failure"])
        made.add(
            START + timedelta(seconds=chance.randrange(DAYS * 86_400)),
            chance.choice(["pull", "pull", "push", "login", "delete", "layer_download"]),
            outcome,
            reason=chance.choice(["bad_credentials", "forbidden", None]) if outcome == "denied" else None,
            actor=chance.choice([None, *(f"a{number}" for number in range(9))]),
            actor_kind=chance.choice([None, None, None, "human", "robot", "anonymous"]),
            client_ip=chance.choice([None, "2001:db8::7", *(f"10.{n % 2}.{chance.randrange(9)}.1" for n in range(9))]),
            client_class=chance.choice([None, "docker", "containerd"]),
            repository=f"{chance.choice('pqr')}/x",
        )
    return made


def test_places(tmp_path: Path) -> None:
    """Networks, tools, work, projects and hours of each account, of the days before and of no others."""
    store = mixed(1).store(tmp_path)
    reader = reader_of(store, START - HISTORY, START + DAYS * DAY)
    kept: dict = {}  # type: ignore[type-arg]
    for number in range(1, DAYS):
        day = START + number * DAY
        past = Past(days_before(reader, "places", day, HISTORY, kept, lambda at: day_of_places(reader, at)), day, START)
        events = [
            one
            for one in store.events(EventQuery(since=day - HISTORY, until=day, outcome=("success",)))
            if one["actor"]
        ]
        asked = [
            one
            for one in events
            if one["client_ip"] and one["actor_kind"] != "anonymous" and one["action"] != "layer_download"
        ]
        assert set(past.accounts) == {one["actor"] for one in asked}
        for name, account in past.accounts.items():
            own = [one for one in asked if one["actor"] == name]
            assert account.networks == {network(one["client_ip"]) for one in own}
            assert account.days == sorted({floor(one["timestamp"], DAY) for one in own})
            assert account.tools == {one["client_class"] for one in own} - {None}
            assert account.work == sum(one["action"] in ("pull", "push") for one in own)
            assert account.projects == {one["project"] for one in events if one["actor"] == name}
            awake = {one["timestamp"].hour for one in events if one["actor"] == name}
            assert HISTORY < AWAKE_DAYS  # or the hours of older days would not count
            assert account.machine or len(awake) < AROUND_THE_CLOCK
        assert past.networks == {
            where: {one["actor"] for one in asked if network(one["client_ip"]) == where} for where in past.networks
        }
        assert past.projects == {name: len({o["actor"] for o in events if o["project"] == name}) for name in "pqr"}
    store.close()


def test_tries(tmp_path: Path) -> None:
    """Successes and refusals of each day as a reader has them that has carried nothing."""
    store = mixed(2).store(tmp_path)
    reader: Replay = reader_of(store, START - 10 * DAY, START + DAYS * DAY)
    kept: dict[object, Before] = {}
    for number in range(DAYS):
        day = START + number * DAY
        ours = ledger_of(reader, day, day + DAY, kept)  # type: ignore[arg-type]
        theirs = ledger_of(store, day, day + DAY, {})
        assert ours.successes == theirs.successes and ours.refusals == theirs.refusals
        assert ours.homes == theirs.homes and ours.visits == theirs.visits
        oldest = min((at for starts in ours.successes.values() for at in starts), default=day)
        assert oldest >= day - HOME_FOR - DAY - HOUR
    store.close()
