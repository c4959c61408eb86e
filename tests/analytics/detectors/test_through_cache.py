"""Who brings what nobody used through a cache, and whose new images are only new work."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.through_cache import ThroughCache

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NOW = START + 14 * DAY + timedelta(hours=10)
NODES = [f"10.40.0.{number}" for number in range(20)]
TOOLS = [f"hub/tools/t{number}" for number in range(12)]


def pull(
    made: Made, at: datetime, repository: str, actor: str | None = "ann", client: str | None = "192.0.2.1"
) -> None:
    made.add(at, "pull", actor=actor, actor_kind="human", client_ip=client, repository=repository)


def history(days: int = 14, since: int = 0, nodes: bool = True) -> Made:
    """A cluster that has used the same four images of others each day, and a person with a repository of their own."""
    made = Made()
    pull(made, START, "shop/api")
    for day in range(since, days):
        at = START + day * DAY + timedelta(hours=9)
        pull(made, at, "shop/api")
        for number, client in enumerate(NODES):
            name = ("library/nginx", "library/redis", "library/alpine", "grafana/loki")[number % 4]
            pull(made, at + number * MINUTE, f"hub/{name}", "k8s", client if nodes else None)
            pull(made, at + number * MINUTE, "shop/api", "k8s", client if nodes else None)
    return made


def found(made: Made, folder: Path, days: int = 1) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(ThroughCache().detect(store, NOW, NOW + days * DAY))
    finally:
        store.close()


def told(made: Made, folder: Path) -> list[tuple[str, list[str], int]]:
    return [(str(one.severity), one.subjects["actor"], len(one.subjects["repository"])) for one in found(made, folder)]


@pytest.mark.parametrize(("many", "severity"), [(2, None), (3, "medium"), (6, "high")])
def test_what_nobody_ever_used(many: int, severity: str | None, tmp_path: Path) -> None:
    made = history()
    for number in range(many):
        pull(made, NOW + number * 10 * MINUTE, TOOLS[number])
    assert told(made, tmp_path) == ([(severity, ["ann"], many)] if severity else [])


def test_where_no_account_is_named_the_address_stands_for_it(tmp_path: Path) -> None:
    made = history()
    for number in range(3):
        pull(made, NOW + number * 10 * MINUTE, TOOLS[number], None, "198.51.100.7")
    (one,) = found(made, tmp_path)
    assert (one.subjects["actor"], one.subjects["client"]) == ([], ["198.51.100.7"])
    assert len(one.evidence) == 3


def test_one_a_day_adds_up_and_before_midnight_counts(tmp_path: Path) -> None:
    made = history(16)
    midnight = START + 15 * DAY
    for number, at in enumerate((NOW, midnight - 5 * MINUTE, midnight + timedelta(hours=14))):
        pull(made, at, TOOLS[number])
    store, detector, at, steps = made.store(tmp_path), ThroughCache(), midnight, []
    while at < midnight + timedelta(hours=16):
        steps += [(f"{at + 5 * MINUTE:%H:%M}", one.kind) for one in detector.detect(store, at, at + 5 * MINUTE)]
        at += 5 * MINUTE
    store.close()
    assert steps == [("14:35", "new_through_cache")]


def test_what_others_take_up_as_well_is_a_course_or_a_new_team(tmp_path: Path) -> None:
    made = history()
    for number in range(6):
        for minute, person in enumerate(("ann", "bob")):
            pull(made, NOW + (5 * number + minute) * MINUTE, TOOLS[number], person, f"192.0.2.{minute}")
    assert told(made, tmp_path) == []


@pytest.mark.parametrize(("nodes", "expected"), [(20, []), (1, [("medium", ["k8s"], 4)])])
def test_new_work_of_a_cluster_comes_to_any_node_not_to_one_alone(
    nodes: int, expected: list[tuple[str, list[str], int]], tmp_path: Path
) -> None:
    made = history()
    for number in range(4):
        pull(made, NOW + 20 * number * MINUTE, TOOLS[number], "k8s", NODES[number % nodes])
    assert told(made, tmp_path)[-1:] == expected


def test_a_busy_account_without_addresses_may_be_a_cluster(tmp_path: Path) -> None:
    made = history(nodes=False)
    for number in range(4):
        pull(made, NOW + 20 * number * MINUTE, TOOLS[number], "k8s", None)
    assert {severity for severity, _, _ in told(made, tmp_path)} == {"low"}


def test_where_people_bring_new_images_now_and_then_more_is_needed(tmp_path: Path) -> None:
    made = history()
    for number in range(4):
        pull(made, START + 8 * DAY + timedelta(hours=12, minutes=number), f"hub/wished/w{number}", "bob")
    for number in range(8):
        pull(made, NOW + 10 * number * MINUTE, TOOLS[number])
    assert told(made, tmp_path) == []


def test_who_goes_through_everything_brings_nothing(tmp_path: Path) -> None:
    made = history()
    for number in range(100):
        pull(made, START + DAY, f"shop/r{number}", "bob", "192.0.2.9")
        pull(made, NOW + number * MINUTE, f"shop/r{number}")
    for number in range(3):
        pull(made, NOW + (100 + number) * MINUTE, TOOLS[number])
    assert told(made, tmp_path) == []


def test_a_cache_that_is_new_and_a_project_of_ones_own_are_no_cache(tmp_path: Path) -> None:
    """Nor a history that has only begun."""
    young, own = history(since=10), history()
    own.add(START + 2 * DAY, "push", actor="ci", client_ip="10.30.0.1", repository="hub/made/here")
    flat = history()
    short = Made()
    short.events = [one for one in history().events if one["timestamp"] >= NOW - 4 * DAY]
    for name, made in {"young": young, "own": own, "short": short, "flat": flat}.items():
        for number in range(5):
            pull(made, NOW + 10 * number * MINUTE, f"shop/new{number}" if name == "flat" else TOOLS[number])
        assert told(made, tmp_path / name) == [], name
