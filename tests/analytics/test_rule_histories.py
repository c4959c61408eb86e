"""What rules learn of a day whose events they looked at is what they would learn from its counts."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.rules.history import Histories
from analytics.rules.load import pack
from analytics.rules.search import matches
from analytics.steps import reader_of
from analytics.windows import DAY
from store.event import Action, Outcome

DAYS = 12


def mixed(seed: int) -> Made:
    """Anybody does anything: releases that move, new hands, deletes, settings, mounts, several in one hour of one day."""
    made, chance = Made(), random.Random(seed)
    actions = [Action.PUSH] * 6 + [Action.PULL] * 6 + [Action.DELETE, Action.UNTAG, Action.TAG, Action.MOUNT]
    actions += [Action.CONFIG, Action.PERMISSION, Action.REPLICATE, Action.CATALOG, Action.LOGIN, Action.LIST_TAGS]
    for _ in range(1_500):
        made.add(
            START + timedelta(seconds=chance.randrange(DAYS * 86_400)),
            chance.choice(actions),
            chance.choice([Outcome.SUCCESS] * 5 + [Outcome.DENIED, Outcome.UNKNOWN]),
            actor=chance.choice([None, "admin", "ann", "bob", "robot$ci"]),
            actor_kind=chance.choice([None, "human", "robot", "anonymous", "internal"]),
            client_ip=f"10.0.0.{chance.randrange(4)}",
            client_class=chance.choice([None, "docker", "curl", "python"]),
            repository=f"{chance.choice('ab')}/{chance.choice('xyz')}",
            from_repository=chance.choice([None, "a/base", "b/base"]),
            tag=chance.choice([None, "v1.0.0", "v1.0.1", "latest"]),
            digest=chance.choice([None, "sha256:1", "sha256:2", "sha256:3"]),
            media_type=chance.choice([None, "image", "chart"]),
            registry_kind="distribution",
            target=chance.choice([None, "mirror"]),
            change=chance.choice([None, "registry_created", "replication_changed"]),
        )
    return made


def test_days_that_were_gone_through_say_what_their_counts_say(tmp_path: Path) -> None:
    """Day after day, for every rule that learns: the same matches, and the same known before each day."""
    rules = [rule for rule in pack() if rule.learns]
    store = mixed(7).store(tmp_path)
    reader = reader_of(store, START - 100 * DAY, START + DAYS * DAY)
    going, begun = Histories(), reader.span()
    assert begun is not None
    learned = 0
    for number in range(1, DAYS):
        day = START + number * DAY
        found = matches(reader, rules, going, day, day + DAY, passing=True)
        fresh = Histories()
        assert found == matches(reader, rules, fresh, day, day + DAY)
        learned += len(found)
        for rule in rules:
            ours, theirs = (one.before(reader, rule, day + DAY, begun[0]) for one in (going, Histories()))
            assert set(ours.terms) == set(theirs.terms), rule.id
            assert set(ours.also) == set(theirs.also) and set(ours.prefixes) == set(theirs.prefixes), rule.id
            assert ours.last == theirs.last and ours.silent == theirs.silent, rule.id
            assert ours.busiest == theirs.busiest and ours.registries == theirs.registries, rule.id
    assert learned > 20
    store.close()


def test_a_registry_that_nobody_gave_a_name_falls_silent_too(tmp_path: Path) -> None:
    """`regsight collect FILE` gives none: what is judged by registry is judged all the same."""
    made, end = Made(), START + 10 * DAY
    for minutes in range(0, 10 * 24 * 60, 5):
        made.add(
            START + timedelta(minutes=minutes),
            "pull",
            actor="nodes",
            client_ip="10.0.0.1",
            repository="a/b",
            registry=None,
        )
    for minutes in range(0, 300, 30):
        made.add(
            end + timedelta(minutes=minutes), "push", actor="ci", client_ip="10.0.0.2", repository="a/b", registry=None
        )
    store = made.store(tmp_path)
    rules = [rule for rule in pack() if rule.id == "pulls_went_silent"]
    (found,) = matches(reader_of(store, START, end + DAY), rules, Histories(), end, end + DAY / 4)
    store.close()
    assert found.key == ("",) and timedelta(minutes=50) < found.at - end < timedelta(hours=3)
