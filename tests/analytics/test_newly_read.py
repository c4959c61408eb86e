"""A registry that is connected later, or another log of one, is new to the store and not to those who use it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made, steady

from analytics.budget import Budget
from analytics.detectors.first_times import FirstTimes
from analytics.holding import Holding
from analytics.jobs import detect_span
from analytics.newly_read import newly_read
from store.contract import Store
from store.finding import Finding, Severity

DAY = timedelta(days=1)
CONNECTED = START + 14 * DAY


def finding(evidence: list[str], at: datetime, **fields: object) -> Finding:
    usual: dict[str, object] = {
        "detector": "unusual_hands",
        "kind": "stranger_push_used",
        "severity": Severity.HIGH,
        "title": "a stranger's push is used",
        "detected_at": at,
        "start": at,
        "end": at,
        "subjects": {"actor": ["bob"], "client": [], "repository": []},
        "score": 5.0,
        "expected": "",
        "observed": "",
        "evidence": evidence,
    }
    return Finding(id="f-1", **(usual | fields))  # type: ignore[arg-type]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[Store]]:
    stores: list[Store] = []
    yield stores
    for store in stores:
        store.close()


def said(made: Made, folder: Path, opened: list[Store], evidence: list[str], at: datetime) -> str:
    opened.append(made.store(folder))
    return newly_read(opened[-1], finding(evidence, at), at)


@pytest.mark.parametrize(("days", "new"), [(0, True), (3, True), (6, True), (7, False), (9, False)])
def test_a_registry_is_learned_for_a_week(days: int, new: bool, tmp_path: Path, opened: list[Store]) -> None:
    made = steady(25)
    made.add(CONNECTED + timedelta(hours=1), "pull", registry="second", actor="ann", repository="shop/a")
    at = CONNECTED + days * DAY + timedelta(hours=9)
    one = made.add(at, "push", registry="second", actor="bob", repository="shop/a")
    why = said(made, tmp_path, opened, [one], at)
    assert bool(why) is new
    assert not new or "of second for" in why


def test_one_without_a_name_is_told_apart_by_its_kind(tmp_path: Path, opened: list[Store]) -> None:
    made = Made()
    for day in range(16):
        made.add(START + day * DAY, "pull", registry=None, registry_kind="harbor", actor="ann", repository="a/b")
    at = CONNECTED + timedelta(hours=9)
    old = made.add(at, "push", registry=None, registry_kind="harbor", actor="bob", repository="a/b")
    new = made.add(at, "push", registry=None, registry_kind="ecr", actor="bob", repository="a/b")
    assert "of ecr" in said(made, tmp_path / "one", opened, [new], at)
    assert said(made, tmp_path / "two", opened, [old], at) == ""
    assert said(made, tmp_path / "three", opened, [old, new], at) == "", "part of it was known before"


@pytest.mark.parametrize(("of_the_first", "new"), [(5, True), (6, False)])
def test_a_name_that_both_registries_have(of_the_first: int, new: bool, tmp_path: Path, opened: list[Store]) -> None:
    """What is too much for the repository of that name was done at the second, but for a little."""
    made, at = steady(16), CONNECTED + timedelta(hours=9)
    names = ["made"] * of_the_first + ["second"] * (20 - of_the_first)
    ids = [made.add(at, "push", registry=name, actor="ann", repository="shop/a") for name in names]
    assert bool(said(made, tmp_path, opened, ids, at)) is new


def test_what_is_there_from_the_first_day_on_is_the_detectors_business(tmp_path: Path, opened: list[Store]) -> None:
    made = steady(3)
    at = START + 2 * DAY
    one = made.add(at, "push", actor="bob", repository="shop/a")
    assert said(made, tmp_path, opened, [one], at) == ""


@pytest.mark.parametrize(
    ("action", "fields", "new"),
    [
        ("mount", {"actor": "bob", "actor_kind": "human"}, True),  # only the new log tells of mounts
        ("pull", {"actor": "bob", "actor_kind": "human"}, False),  # of pulls the old one told as well
        ("pull", {"client_ip": "192.0.2.9"}, False),
    ],
)
def test_another_log_of_the_same_registry(
    action: str, fields: dict[str, object], new: bool, tmp_path: Path, opened: list[Store]
) -> None:
    made = steady(16)
    made.add(START, "pull", client_ip="192.0.2.9", repository="shop/a")
    at = CONNECTED + timedelta(hours=9)
    one = made.add(at, action, dataset="made.access", repository="shop/a", **fields)
    assert bool(said(made, tmp_path, opened, [one], at)) is new


def test_a_log_that_names_accounts_for_the_first_time(tmp_path: Path, opened: list[Store]) -> None:
    """Before it each request had an address only: nobody knows whether the account did this before."""
    made = Made()
    for day in range(16):
        made.add(START + day * DAY, "pull", client_ip="192.0.2.9", repository="shop/a")
    at = CONNECTED + timedelta(hours=9)
    named = made.add(at, "pull", dataset="made.named", actor="bob", actor_kind="human", repository="shop/a")
    assert "such events of made" in said(made, tmp_path, opened, [named], at)


def test_what_is_wrong_by_itself_is_told(tmp_path: Path, opened: list[Store]) -> None:
    made = steady(16)
    at = CONNECTED + timedelta(hours=9)
    one = made.add(at, "push", registry="second", actor="bob", repository="shop/a")
    opened.append(made.store(tmp_path))
    budget = Holding(Budget(), 1.0, opened[-1])
    held = budget.held(finding([one], at), [], at)
    assert held.severity is Severity.LOW and held.reasons[0].startswith(
        "low: would be high, but the logs have told of second"
    )
    assert budget.held(finding([one], at), [], at, without_past=True).severity is Severity.HIGH


@pytest.mark.parametrize(("registry", "severity"), [("made", "medium"), ("second", "low")])
def test_an_account_does_something_for_the_first_time(
    registry: str, severity: str, tmp_path: Path, opened: list[Store]
) -> None:
    """The whole way: the same deed at a registry that is known, and at one that was connected this morning."""
    made = steady(16)
    for day in range(14):
        for hour in (1, 9, 17):
            at = START + day * DAY + timedelta(hours=hour)
            made.add(at, "pull", actor="robot$run", actor_kind="robot", client_ip="10.30.0.9", repository="shop/a")
    at = CONNECTED + timedelta(hours=9)
    fields = {"registry": registry, "actor": "robot$run", "actor_kind": "robot", "client_ip": "10.30.0.9"}
    for number in range(3):
        made.add(at + timedelta(minutes=number), "delete", repository="shop/a", digest=f"sha256:{number}", **fields)
    opened.append(made.store(tmp_path))
    found = detect_span(opened[-1], [FirstTimes()], CONNECTED, CONNECTED + DAY)
    assert [str(one.severity) for one in found] == [severity]
