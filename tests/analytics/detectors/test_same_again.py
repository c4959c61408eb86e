"""Who fetches one image over and over, and whose downloads are only full disks, builds and load tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from made_traffic import START, Made

from analytics.detectors.same_again import SameAgain

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NOW = START + 14 * DAY + timedelta(hours=10)
NODES = [f"10.40.0.{number}" for number in range(6)]


def fetch(made: Made, at: datetime, repository: str = "shop/api", layers: int = 3, **who: Any) -> None:
    """An image: its manifest and, if it has any, its layers."""
    who = {
        "actor": "ann",
        "actor_kind": "human",
        "client_ip": "192.0.2.1",
        "status": 200,
        "repository": repository,
    } | who
    made.add(at, "pull", digest=f"sha256:{7:064x}", **who)
    for layer in range(layers):
        made.add(at + timedelta(seconds=layer), "layer_download", digest=f"sha256:{layer:064x}", **who)


def history(ann: int = 2, builds: int = 20, layers: int = 3, first: int = 0) -> Made:
    """Two weeks of a person, a robot that keeps nothing, and six nodes of one account."""
    made = Made()
    for day in range(14):
        at = START + day * DAY + timedelta(hours=8)
        for number in range(ann if day >= first else 0):
            fetch(made, at + number * 20 * MINUTE, layers=layers)
        for number in range(builds):
            fetch(made, at + number * 9 * MINUTE, "base/go", layers, actor="robot$ci", client_ip="10.30.0.1")
        for client in NODES:
            fetch(made, at, layers=layers, actor="k8s", client_ip=client)
    return made


def told(made: Made, folder: Path) -> list[tuple[str, str]]:
    store = made.store(folder)
    try:
        found = list(SameAgain().detect(store, NOW, NOW + timedelta(hours=10)))
    finally:
        store.close()
    assert all(one.evidence and one.start >= NOW for one in found)
    return [(str(one.severity), *one.subjects["actor"]) for one in found]


@pytest.mark.parametrize(
    ("usual", "times", "severity"),
    [(2, 11, None), (2, 12, "medium"), (2, 100, "high"), (5, 15, None), (5, 16, "medium")],
)
def test_one_image_beside_the_accounts_own_days(usual: int, times: int, severity: str | None, tmp_path: Path) -> None:
    made = history(ann=usual)
    for number in range(times):
        fetch(made, NOW + 4 * number * MINUTE)
    assert told(made, tmp_path) == ([(severity, "ann")] if severity else [])


def test_in_steps_it_is_told_when_it_goes_too_far_and_at_twice_as_much(tmp_path: Path) -> None:
    made = history()
    for number in range(30):
        fetch(made, NOW + 10 * number * MINUTE)
    store, detector, at, steps = made.store(tmp_path), SameAgain(), NOW, []
    while at < NOW + timedelta(hours=6):
        steps += [(f"{at + 5 * MINUTE:%H:%M}", one.cause) for one in detector.detect(store, at, at + 5 * MINUTE)]
        at += 5 * MINUTE
    store.close()
    assert [at for at, _ in steps] == ["11:55", "13:55"]
    assert len({cause for _, cause in steps}) == 1


def test_builds_that_keep_nothing_do_so_every_day(tmp_path: Path) -> None:
    made = history()
    for number in range(40):
        fetch(made, NOW + 6 * number * MINUTE, "base/go", actor="robot$ci", client_ip="10.30.0.1")
    assert told(made, tmp_path) == []


@pytest.mark.parametrize(
    "who",
    [
        {"actor": "k8s", "client_ip": NODES[2]},  # a node that cannot unpack it
        {"traffic_class": "cluster"},
        {"traffic_class": "scanner"},
        {"actor": "new", "client_ip": "192.0.2.9"},  # a job that has just begun
    ],
)
def test_nodes_that_try_again_and_new_jobs_wake_nobody(who: dict[str, str], tmp_path: Path) -> None:
    made = history()
    for number in range(60):
        fetch(made, NOW + 3 * number * MINUTE, **who)
    assert {severity for severity, _ in told(made, tmp_path)} == {"low"}


def test_who_fetches_several_images_as_often_keeps_nothing(tmp_path: Path) -> None:
    made = history()
    for number in range(30):
        for repository in ("shop/api", "shop/web", "shop/db"):
            fetch(made, NOW + 5 * number * MINUTE, repository)
    assert {severity for severity, _ in told(made, tmp_path)} == {"low"}


def test_several_on_one_day_are_a_load_test(tmp_path: Path) -> None:
    made, people = history(), ("ann", "bob", "eve")
    for day in range(14):
        for person in people:
            fetch(made, START + day * DAY + timedelta(hours=7), actor=person)
    for number in range(60):
        for person in people:
            fetch(made, NOW + 3 * number * MINUTE, actor=person)
    found = told(made, tmp_path)
    assert [one for one in found if one[1] == "eve"] == [("low", "eve")]
    assert ("low", "ann") in found


def test_versions_that_share_layers_and_parts_of_layers_are_not_the_same_again(tmp_path: Path) -> None:
    made = history()
    for number in range(40):
        at, who = NOW + 3 * number * MINUTE, {"actor": "ann", "client_ip": "192.0.2.1", "repository": "shop/api"}
        made.add(at, "layer_download", digest=f"sha256:{1:064x}", status=200, **who)
        made.add(at, "layer_download", digest=f"sha256:{100 + number:064x}", status=200, **who)
        made.add(at, "layer_download", digest=f"sha256:{50:064x}", status=206, **who)
        made.add(at, "pull", digest=f"sha256:{7:064x}", status=200, **who)
    assert told(made, tmp_path) == []


@pytest.mark.parametrize(
    ("who", "severity"),
    [({}, "medium"), ({"actor": "robot$ci", "actor_kind": "robot", "client_ip": None}, "low")],
)
def test_where_no_layers_are_told_manifests_of_people_count(who: dict[str, str], severity: str, tmp_path: Path) -> None:
    made = history(layers=0, builds=3)
    for number in range(20):
        fetch(made, NOW + 5 * number * MINUTE, layers=0, **who)
    assert {one for one, _ in told(made, tmp_path)} == {severity}


def test_an_account_of_less_than_a_week_and_a_short_history(tmp_path: Path) -> None:
    young, short = history(first=9), Made()
    short.events = [one for one in history().events if one["timestamp"] >= NOW - 5 * DAY]
    for made in (young, short):
        for number in range(20):
            fetch(made, NOW + 5 * number * MINUTE)
    assert [severity for severity, _ in told(young, tmp_path / "young")] == ["low"]
    assert told(short, tmp_path / "short") == []
