"""When the forest speaks, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import REPOSITORIES, START, Made, steady

from analytics.detectors.isolation_forest import ActorHours
from store.contract import Store
from store.finding import Severity


def with_deletes(days: int) -> Made:
    made = steady(days)
    at = START + timedelta(days=days, hours=-3)
    for n in range(200):
        for action in ("delete", "push"):
            known = {"actor": "person-3", "client_ip": "192.0.2.3", "repository": REPOSITORIES[n % 50]}
            made.add(at + timedelta(seconds=n), action, **known)
    return made


@pytest.fixture(params=[5, 12])
def days_and_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, Store]]:
    store = with_deletes(request.param).store(tmp_path)
    yield request.param, store
    store.close()


def test_it_waits_for_a_week_and_then_names_the_features(days_and_store: tuple[int, Store]) -> None:
    """With five days of history it is silent; with more it tells actor, hour and what was odd, never above medium."""
    days, store = days_and_store
    hour = START + timedelta(days=days, hours=-3)
    found = list(ActorHours().detect(store, hour, hour + timedelta(hours=1)))
    if days < 7:
        assert found == []
        return
    (one,) = found
    assert one.subjects["actor"] == ["person-3"]
    assert "200 deletes" in one.observed
    assert "deletes" in one.explanation
    assert one.severity.rank <= Severity.MEDIUM.rank
    assert (one.start, one.end) == (hour, hour + timedelta(hours=1))


def test_an_hour_is_judged_when_it_is_over(days_and_store: tuple[int, Store]) -> None:
    """Nothing is said of an hour that still goes on."""
    days, store = days_and_store
    hour = START + timedelta(days=days, hours=-3)
    assert list(ActorHours().detect(store, hour, hour + timedelta(minutes=59))) == []


def test_many_accounts_odd_alike_are_one_finding(tmp_path: Path) -> None:
    """What happens to all accounts in one hour is told once, low."""
    made = steady(15)
    hour = START + timedelta(days=15, hours=-3)
    for person in range(1, 9):
        for n in range(60):
            made.refuse(hour + timedelta(seconds=30 * n), f"person-{person}", f"192.0.2.{person}")
    store = made.store(tmp_path)
    found = list(ActorHours().detect(store, hour, hour + timedelta(hours=1)))
    store.close()
    (one,) = found
    assert (one.kind, one.severity, len(one.subjects["actor"])) == ("odd_hour_of_many", Severity.LOW, 8)
    assert one.evidence
