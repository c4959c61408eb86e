"""Who goes through old versions, and who only follows what is pushed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.old_versions import OldVersions

NOW = START + timedelta(days=12, hours=10)


def pull(made: Made, at: datetime, actor: str, repository: str, reference: str) -> None:
    made.add(at, "pull", actor=actor, client_ip="192.0.2.1", repository=repository, reference=reference)


def judged(made: Made, folder: Path, hours: float = 1) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(OldVersions().detect(store, NOW, NOW + timedelta(hours=hours)))
    finally:
        store.close()


def history() -> Made:
    made = Made()
    for day in range(12):
        for actor in ("ann", "robot$mirror", "robot$scan"):
            pull(made, START + timedelta(days=day, hours=9), actor, "shop/api", "latest")
    return made


def test_eight_beyond_one_of_a_repository(tmp_path: Path) -> None:
    made = history()
    for number in range(9):
        pull(made, NOW + timedelta(minutes=number), "ann", "shop/api", f"v{number}")
    (one,) = judged(made, tmp_path)
    assert (one.subjects["actor"], one.subjects["repository"], str(one.severity)) == (["ann"], ["shop/api"], "low")
    assert len(one.evidence) == 9


@pytest.mark.parametrize(
    ("media_type", "told"),
    [("application/vnd.oci.image.index.v1+json", 0), ("application/vnd.oci.image.manifest.v1+json", 1), (None, 1)],
)
def test_an_index_and_the_image_it_lists_are_one_version(media_type: str | None, told: int, tmp_path: Path) -> None:
    made = history()
    for number in range(6):
        for part, kind in ((2 * number, media_type), (2 * number + 1, "application/vnd.oci.image.manifest.v1+json")):
            at, digest = NOW + timedelta(minutes=number, milliseconds=part), f"sha256:{part:064x}"
            what = {"repository": "shop/api", "reference": digest, "digest": digest, "media_type": kind}
            made.add(at, "pull", actor="ann", client_ip="192.0.2.1", **what)
    assert len(judged(made, tmp_path)) == told


def test_versions_of_several_repositories(tmp_path: Path) -> None:
    made = history()
    for number in range(12):
        pull(made, NOW + timedelta(minutes=number), "ann", f"shop/{number % 3}", f"v{number}")
    (one,) = judged(made, tmp_path)
    assert (len(one.subjects["repository"]), str(one.severity)) == (3, "medium")


@pytest.mark.parametrize(("usual", "severity"), [(True, "low"), (False, "high")])
def test_the_first_run_of_a_mirror_that_an_administrator_made(usual: bool, severity: str, tmp_path: Path) -> None:
    made = history()
    change = {"action": "permission", "actor": "root", "actor_kind": "human", "change": "robot_created"}
    for day in (5, 3, 2) if usual else ():
        made.add(NOW - timedelta(days=day), target=f"robot$other{day}", **change)
    made.add(NOW - timedelta(minutes=10), target="robot$mirror", **change)
    for number in range(60):
        pull(made, NOW + timedelta(minutes=number // 10), "robot$mirror", f"shop/{number % 5}", f"v{number}")
    assert [str(one.severity) for one in judged(made, tmp_path) if one.subjects["actor"] == ["robot$mirror"]] == [
        severity
    ]


def test_days_add_up(tmp_path: Path) -> None:
    made = history()
    for number in range(10):
        pull(made, NOW + timedelta(days=number // 5 - 1, minutes=number), "ann", "shop/api", f"v{number}")
    assert [one.subjects["actor"] for one in judged(made, tmp_path)] == [["ann"]]


def test_new_images_and_one_of_each_repository_are_ordinary(tmp_path: Path) -> None:
    made = history()
    for number in range(40):
        at, what = (
            NOW + timedelta(minutes=number),
            {"repository": "shop/api", "reference": f"b{number}", "tag": f"b{number}"},
        )
        made.add(at - timedelta(hours=2), "push", actor="robot$ci", **what)
        pull(made, at, "robot$mirror", "shop/api", f"b{number}")
        pull(made, at, "robot$scan", f"shop/r{number}", "sha256:1")
    assert judged(made, tmp_path) == []


def test_whoever_takes_every_version_as_a_rule_may_take_old_ones(tmp_path: Path) -> None:
    """A scanner that has seen ten versions a day of ten repositories looks at those of another."""
    made = history()
    for day in range(12):
        for number in range(10):
            pull(made, START + timedelta(days=day, hours=3), "robot$scan", f"shop/r{number}", f"d{day}")
    for number in range(12):
        pull(made, NOW + timedelta(minutes=number), "robot$scan", "shop/api", f"v{number}")
        pull(made, NOW + timedelta(minutes=number), "ann", "shop/api", f"v{number}")
    assert [one.subjects["actor"] for one in judged(made, tmp_path)] == [["ann"]]
