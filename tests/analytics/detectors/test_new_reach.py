"""Who reaches further than ever alone, and which account is many machines."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detectors.new_reach import NewReach

NOW = START + timedelta(days=12, hours=10)
NODES = [f"10.40.0.{number}" for number in range(6)]


def pull(made: Made, at: datetime, actor: str, client: str, repository: str) -> None:
    made.add(at, "pull", actor=actor, actor_kind="human", client_ip=client, repository=repository)


def history(clients: list[str]) -> Made:
    """Forty repositories that somebody uses, and an account that uses one of them, from its addresses in turn."""
    made = Made()
    for day in range(12):
        at = START + timedelta(days=day, hours=9)
        for number in range(40):
            pull(made, at, "everybody", "192.0.2.1", f"p{number % 8}/r{number}")
        for number, client in enumerate(clients):
            pull(made, at + timedelta(minutes=number), "k8s-prod", client, "own/api")
    return made


@pytest.mark.parametrize(
    ("usual", "now", "severity"),
    [
        (["192.0.2.7"], ["192.0.2.7"], "high"),
        (NODES, NODES, "low"),  # a cluster whose account has a name like a person's
        (NODES, NODES[:1], "high"),  # one of its nodes alone
        (["192.0.2.7"], NODES, "high"),  # addresses that the account never had
    ],
)
def test_new_work_of_many_machines_wakes_nobody(
    usual: list[str], now: list[str], severity: str, tmp_path: Path
) -> None:
    made = history(usual)
    for number in range(9):
        pull(made, NOW + timedelta(minutes=4 * number), "k8s-prod", now[number % len(now)], f"p{number % 8}/r{number}")
    store = made.store(tmp_path)
    try:
        told = list(NewReach().detect(store, NOW, NOW + timedelta(hours=1)))
    finally:
        store.close()
    assert [(str(one.severity), one.subjects["actor"]) for one in told] == [(severity, ["k8s-prod"])]


@pytest.mark.parametrize(("days", "told"), [(8, ["high"]), (3, [])])
def test_what_is_young_is_met_by_those_who_will_use_it(days: int, told: list[str], tmp_path: Path) -> None:
    """Nine repositories from which others pull since so many days."""
    made = history(["192.0.2.7"])
    for number in range(9):
        for day in range(12 - days, 12):
            pull(made, START + timedelta(days=day, hours=9), "everybody", "192.0.2.1", f"new{number}/app")
        pull(made, NOW + timedelta(minutes=4 * number), "k8s-prod", "192.0.2.7", f"new{number}/app")
    store = made.store(tmp_path)
    found = NewReach().detect(store, NOW, NOW + timedelta(hours=1))
    store.close()
    assert [str(one.severity) for one in found] == told


@pytest.mark.parametrize(
    ("others", "place", "severity"),
    [
        (3, "usual", "low"),
        (2, "usual", "high"),
        (3, "new", "high"),  # stolen accounts, one after the other: none is where it was
    ],
)
def test_a_course_wakes_nobody(others: int, place: str, severity: str, tmp_path: Path) -> None:
    """Several who meet the same repositories on the same day, each from where they always were."""
    made = history([])
    people = ["ada", *(f"person{number}" for number in range(others))]
    for day in range(12):
        for number, person in enumerate(people):
            pull(
                made, START + timedelta(days=day, hours=8, minutes=number), person, f"192.0.2.{50 + number}", "own/api"
            )
    for number, person in enumerate(people):
        client = f"192.0.2.{50 + number}" if person == "ada" or place == "usual" else f"198.51.100.{number}"
        for step in range(9):
            pull(made, NOW + timedelta(minutes=4 * step), person, client, f"p{step % 8}/r{step}")
    store = made.store(tmp_path)
    try:
        told = [
            one for one in NewReach().detect(store, NOW, NOW + timedelta(hours=1)) if "ada" in one.subjects["actor"]
        ]
    finally:
        store.close()
    assert [str(one.severity) for one in told] == [severity]
    assert ("course" in told[0].explanation) == (severity == "low")


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (NODES[:1] * 4, [("node_beyond_cluster", "medium", NODES[:1])]),
        (NODES[:4], []),  # new work, one copy of each
        (NODES[:1] * 2, []),
    ],
)
def test_one_node_alone_is_not_its_cluster(
    where: list[str], told: list[tuple[str, str, list[str]]], tmp_path: Path
) -> None:
    """Four repositories within two hours, all new to the cluster: by one node, or by any of them."""
    made = history(NODES)
    for number, client in enumerate(where):
        pull(made, NOW + timedelta(minutes=30 * number), "k8s-prod", client, f"p{number % 8}/r{number}")
    assert lone(made, tmp_path) == told


def test_what_the_other_nodes_take_up_as_well_is_new_work(tmp_path: Path) -> None:
    made = history(NODES)
    for number in range(4):
        at = NOW + timedelta(minutes=30 * number)
        for late, client in enumerate(NODES[:2]):
            pull(made, at + timedelta(minutes=10 * late), "k8s-prod", client, f"p{number % 8}/r{number}")
    assert lone(made, tmp_path) == []


def test_a_node_that_was_added_gets_what_is_deployed_since(tmp_path: Path) -> None:
    made = history(NODES)
    pull(made, NOW - timedelta(days=1), "k8s-prod", "10.40.0.99", "p1/r1")
    for number in range(4):
        pull(made, NOW + timedelta(minutes=30 * number), "k8s-prod", "10.40.0.99", f"p{number % 8}/r{number}")
    assert lone(made, tmp_path) == []


@pytest.mark.parametrize(("known", "told"), [(3, 1), (8, 0)])
def test_a_node_that_fills_its_cache_asks_for_everything(known: int, told: int, tmp_path: Path) -> None:
    """What the others have had since before the log begins is new to it with all that is known."""
    made = history(NODES)
    for number in range(max(known, 4)):
        at = NOW + timedelta(minutes=number)
        if number < 4:
            pull(made, at, "k8s-prod", NODES[0], f"p{number}/r{number}")
        if number < known:
            pull(made, at, "k8s-prod", NODES[0], f"p{number}/r0")
    assert sum(kind == "node_beyond_cluster" for kind, _, _ in lone(made, tmp_path)) == told


@pytest.mark.parametrize(("others", "told"), [(2, 1), (3, 0)])
def test_an_address_that_several_accounts_share_is_no_node(others: int, told: int, tmp_path: Path) -> None:
    made = history(NODES)
    for number in range(4):
        at = NOW + timedelta(minutes=30 * number)
        pull(made, at, "k8s-prod", NODES[0], f"p{number % 8}/r{number}")
        for other in range(others):
            pull(made, at, f"ci-{other}", NODES[0], "p1/r1")
    assert sum(kind == "node_beyond_cluster" for kind, _, _ in lone(made, tmp_path)) == told


def lone(made: Made, folder: Path) -> list[tuple[str, str, list[str]]]:
    store = made.store(folder)
    try:
        told = NewReach().detect(store, NOW, NOW + timedelta(hours=3))
    finally:
        store.close()
    loud = [one for one in told if str(one.severity) != "low"]
    return [(one.kind, str(one.severity), one.subjects["client"]) for one in loud]


def test_images_that_are_new_are_told_once_for_their_week(tmp_path: Path) -> None:
    """What is still too much on the days after, beyond a Monday too, is the same finding, from the day on which it became so."""
    made, friday = Made(), START + timedelta(days=18 + (4 - START.weekday()) % 7)
    monday = friday + timedelta(days=3)

    def take(at: datetime, image: int) -> None:
        fields = {"actor": "ann", "actor_kind": "human", "client_ip": "192.0.2.1", "repository": "team/one"}
        made.add(at, "pull", digest=f"sha256:{image:064x}", **fields)

    for day in range(18):
        take(START + timedelta(days=day, hours=9), day // 4)
    for number in range(70):
        take(friday + timedelta(hours=10, minutes=number), 100 + number)
    take(monday + timedelta(hours=10), 99)
    store = made.store(tmp_path)
    told = {}
    for day in (friday, monday):
        found = NewReach().detect(store, day + timedelta(hours=9), day + timedelta(hours=12))
        (told[day],) = [one for one in found if one.kind == "new_images"]
    store.close()
    assert told[friday].cause == told[monday].cause
    assert told[friday].start == friday + timedelta(hours=10) and told[monday].start == friday
