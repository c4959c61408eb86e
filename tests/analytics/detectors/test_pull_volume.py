"""Mass pulls that must be told, and the surges that look like them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import REPOSITORIES, START, Made, steady

from analytics.detector import Suspicion
from analytics.detectors.pull_volume import PullVolume
from analytics.replay import Replay
from store.finding import Severity

NOW = START + timedelta(days=21, hours=22)
Judge = Callable[[Made], list[Suspicion]]


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    """Runs the detector in its own steps for two hours from NOW on, over three weeks of steady traffic and what is added."""
    opened = []

    def run(made: Made) -> list[Suspicion]:
        store = made.store(tmp_path)
        opened.append(store)
        reader, detector = Replay(store, START - timedelta(days=8), NOW + timedelta(hours=2)), PullVolume()
        found: list[Suspicion] = []
        for step in range(24):
            found += detector.detect(reader, NOW + step * detector.every, NOW + (step + 1) * detector.every)
        return found

    yield run
    for store in opened:
        store.close()


def alarms(found: list[Suspicion]) -> set[str]:
    return {one.kind for one in found if one.severity.rank >= Severity.MEDIUM.rank}


def test_a_burst_on_a_quiet_repository(judge: Judge) -> None:
    """Eighty pulls in an hour by an address that was never there: who, what, how many, and how many are usual."""
    made = steady(22)
    for n in range(80):
        made.pull(NOW + timedelta(seconds=40 * n), "person-1", "203.0.113.5", REPOSITORIES[0])
    found = judge(made)
    assert alarms(found) == {"pull_surge"}
    last = max(found, key=lambda one: one.score)
    assert last.subjects == {"actor": ["person-1"], "client": ["203.0.113.5"], "repository": [REPOSITORIES[0]]}
    assert last.title in (
        "person-1: 80 pulls in 1 h; usual: 0",
        "shop: 83 pulls in 1 h, 80 of them by person-1; usual: 0",
    )
    assert len({one.cause for one in found}) == 1
    by_person = {event["event_id"] for event in made.events if event.get("client_ip") == "203.0.113.5"}
    assert len(last.evidence) == 50
    assert set(last.evidence) <= by_person  # others pulled from the same project


def test_repositories_new_to_a_robot(judge: Judge) -> None:
    """Eight repositories that a robot never touched within an hour tell more than their number of pulls."""
    made = steady(22)
    for n, repository in enumerate(REPOSITORIES[:8]):
        made.pull(NOW + timedelta(minutes=5 * n), "robot$build-3", "10.30.0.3", repository)
    found = judge(made)
    assert "new_repositories" in alarms(found)
    assert len({one.cause for one in found}) == 1
    last = [one for one in found if one.kind == "new_repositories"][-1]
    assert last.subjects["repository"] == REPOSITORIES[:8]
    assert "8 repositories never pulled by it" in last.observed


def test_a_scale_out_is_one_low_finding(judge: Judge) -> None:
    """Forty new nodes that pull the robot's own repositories at once are one cause and wake nobody."""
    made = steady(22)
    own = REPOSITORIES[32:36]
    for node in range(40):
        for n, repository in enumerate(own):
            made.pull(NOW + timedelta(seconds=5 * node + n), "robot$build-1", f"10.30.1.{node}", repository)
    found = judge(made)
    assert found
    assert alarms(found) == set()
    assert {one.kind for one in found} == {"pull_surge_from_many"}
    assert len({one.cause for one in found}) == 1


def test_retries_of_many_accounts_are_low(judge: Judge) -> None:
    """After an outage everybody tries again: many accounts, their own repositories, their own addresses."""
    made = steady(22)
    for person in range(1, 9):
        for n in range(25):
            own = REPOSITORIES[(person - 1) * 4]
            made.pull(NOW + timedelta(seconds=20 * n), f"person-{person}", f"192.0.2.{person}", own)
    assert alarms(judge(made)) == set()


def test_an_account_born_today_is_low(judge: Judge) -> None:
    """A mirror's first sync is told, without waking anybody."""
    made = steady(22)
    for n, repository in enumerate(REPOSITORIES):
        made.pull(NOW + timedelta(seconds=30 * n), "mirror", "10.60.0.9", repository)
    found = judge(made)
    assert found
    assert alarms(found) == set()


def test_an_account_that_pulls_as_ever_from_a_new_address_is_low(judge: Judge) -> None:
    """The address never had so many, the account always: somebody moved, or got another gateway."""
    made = steady(22)
    for minute in range(22 * 24 * 60):
        at = START + timedelta(minutes=minute)
        made.pull(at, "robot$busy", "10.30.0.77" if at < NOW else "10.99.0.77", REPOSITORIES[40 + minute % 4])
    found = judge(made)
    assert any("10.99.0.77" in one.subjects["client"] for one in found)
    assert alarms(found) == set()


def test_silent_while_it_knows_nothing(judge: Judge) -> None:
    """On the first day of a registry every number is new, so none is odd."""
    made = Made()
    for n in range(300):
        made.pull(NOW + timedelta(seconds=10 * n), "person-1", "192.0.2.1", REPOSITORIES[n % 40])
    assert judge(made) == []
