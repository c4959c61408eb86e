"""Who sets version numbers where others do."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.release_hands import ReleaseHands

NOW = START + timedelta(days=14, hours=10)


def push(made: Made, at: datetime, tag: str, actor: str, repository: str = "shop/api") -> None:
    where = {"actor": actor, "client_ip": "192.0.2.1", "repository": repository}
    made.add(at, "push", tag=tag, digest=f"sha256:{repository + tag:0>64}", **where)


def released(number: int = 6, actor: str = "robot$ci", repository: str = "shop/api", made: Made | None = None) -> Made:
    made = made or Made()
    for one in range(number):
        push(made, START + timedelta(days=2 * one, hours=9), f"v1.{one}.0", actor, repository)
    return made


def judged(made: Made, folder: Path) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(ReleaseHands().detect(store, NOW, NOW + timedelta(hours=2)))
    finally:
        store.close()


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ("v2.0.0", ["medium"]),
        ("2.0.0-rc.1", ["low"]),
        ("2.0.0-alpine", ["medium"]),
        ("v1.9.4-hotfix", ["low"]),
        ("latest", []),
        ("v1.3.0", []),
    ],  # the last is overwritten
)
def test_a_version_number_by_a_stranger(tag: str, told: list[str], tmp_path: Path) -> None:
    made = released()
    push(made, NOW, tag, "ann")
    found = judged(made, tmp_path)
    assert [str(one.severity) for one in found] == told
    assert all(one.subjects["actor"] == ["ann"] and len(one.evidence) == 1 for one in found)


def test_few_releases_and_the_usual_hands_are_ordinary(tmp_path: Path) -> None:
    made = released(3)
    released(8, repository="shop/web", made=made)
    push(made, NOW, "v2.0.0", "ann")
    push(made, NOW, "v2.0.0", "robot$ci", "shop/web")
    assert judged(made, tmp_path) == []


def test_a_renewed_robot_and_a_colleague_who_releases_near_by_are_told_quietly(tmp_path: Path) -> None:
    made = released()
    released(4, "bob", "shop/web", made)
    push(made, NOW, "v2.0.0", "robot$ci-2")
    push(made, NOW + timedelta(minutes=1), "v2.0.1", "bob")
    assert [str(one.severity) for one in judged(made, tmp_path)] == ["low", "low"]


def test_a_robot_of_the_same_name_beside_the_old_one_is_a_stranger(tmp_path: Path) -> None:
    made = released()
    push(made, NOW, "v2.0.0", "robot$ci-2")
    push(made, NOW + timedelta(minutes=1), "v2.0.1", "robot$ci")
    push(made, NOW + timedelta(minutes=2), "v2.0.2", "robot$ci-2")
    assert [str(one.severity) for one in judged(made, tmp_path)] == ["low", "medium"]


def test_where_several_began_lately_hands_change(tmp_path: Path) -> None:
    made = released()
    for number, name in enumerate(("ann", "bob", "cleo", "dora")):
        released(5, repository=f"team{number}/api", made=made)
        push(made, NOW + timedelta(minutes=number), "v3.0.0", name, f"team{number}/api")
    assert [str(one.severity) for one in judged(made, tmp_path)] == ["medium", "medium", "medium", "low"]
