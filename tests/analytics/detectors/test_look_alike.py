"""Which names look alike, and who may make them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detectors.look_alike import LookAlike
from analytics.likeness import alike, distance

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "other", "near"),
    [
        ("team/paymemts", "team/payments", True),
        ("tema/payments", "team/payments", True),
        ("team/payrnents", "team/payments", True),
        ("team/paymentss", "team/payments", False),  # a plural is a name of its own
        ("team/pay-ments", "team/payments", True),
        ("paypal/g00gle", "paypal/google", True),
        ("team/api-2", "team/api-1", False),
        ("team/service12", "team/service11", False),
        ("team/app", "team/api", False),
        ("team/orders", "team/payments", False),
        ("team/a/b", "team/a", False),
        ("authentification/x", "authentication/x", True),
    ],
)
def test_alike(name: str, other: str, near: bool) -> None:
    assert bool(alike(name, other)) is near


def test_distance() -> None:
    assert [distance(*pair) for pair in (("abcd", "abcd"), ("abcd", "abdc"), ("abcd", "xbcd"), ("abcd", "abc"))] == [
        0,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("actor", "pulls", "severity"),
    [("mallory", 30, ["medium"]), ("ann", 30, ["low"]), (None, 30, ["low"]), ("mallory", 5, [])],
)
def test_who_lays_it_and_for_whom(actor: str | None, pulls: int, severity: list[str], tmp_path: Path) -> None:
    """Medium by somebody who has nothing to do with the original; nothing where hardly anybody pulls it."""
    made = Made()
    made.add(START, "push", actor="ann", repository="team/payments", tag="1")
    for number in range(pulls):
        made.pull(START + number * timedelta(hours=2), "bob", "192.0.2.7", "team/payments")
    at = START + 8 * DAY
    made.add(at, "push", actor=actor, client_ip="203.0.113.9", repository="team/paymemts", tag="1")
    made.add(
        at + timedelta(minutes=1), "push", actor=actor, client_ip="203.0.113.9", repository="team/paymemts", tag="2"
    )
    store = made.store(tmp_path)
    found = LookAlike().detect(store, at - timedelta(hours=1), at + timedelta(hours=1))
    store.close()
    assert [one.severity for one in found] == severity
    assert all("paymemts" in one.title and "2 of" not in one.observed for one in found)


def test_own_names_that_come_through_a_cache(tmp_path: Path) -> None:
    """A project that nobody pushes to, asked for what we build ourselves; other names through it are ordinary."""
    made, at = Made(), START + 8 * DAY
    made.add(START, "push", actor="ci", repository="team/payments", tag="1")
    for name in ("nginx", "redis", "postgres"):
        made.pull(START + DAY, "k8s", "10.40.0.1", f"hub/library/{name}")
    made.pull(at, "k8s", "10.40.0.1", "hub/library/golang")
    made.pull(at, "k8s", "10.40.0.1", "hub/library/payments")
    store = made.store(tmp_path)
    (one,) = LookAlike().detect(store, at - timedelta(hours=1), at + timedelta(hours=1))
    store.close()
    assert (one.kind, str(one.severity)) == ("own_name_from_outside", "high")
    assert one.subjects == {"actor": ["k8s"], "client": ["10.40.0.1"], "repository": ["hub/library/payments"]}
