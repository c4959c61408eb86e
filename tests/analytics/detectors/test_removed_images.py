"""What was deleted though it runs, and what is there again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.removed_images import BACK, IN_USE, RemovedImages

NOW = START + timedelta(days=12, hours=10)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DIGEST = f"sha256:{9:064x}"
NODES = {"actor": "nodes", "client_ip": "10.20.0.1", "traffic_class": "cluster"}
CI = {"actor": "robot$ci", "actor_kind": "robot", "client_ip": "10.30.0.1", "traffic_class": "ci"}
ANN = {"actor": "ann", "actor_kind": "human", "client_ip": "192.0.2.1", "traffic_class": "people"}
SWEEPER = {"actor": "sweeper", "client_ip": "10.40.0.1"}
APP = {"repository": "shop/app", "digest": DIGEST}


def usual() -> Made:
    """A robot builds, ann and ben pull a base image, the sweeper deletes old ones: each day."""
    made = Made()
    for day in range(12):
        at = START + timedelta(days=day, hours=9)
        made.add(at, "push", repository="shop/app", tag="latest", digest=f"sha256:{100 + day:064x}", **CI)
        made.add(at + MINUTE, "pull", repository="base/os", digest=f"sha256:{1:064x}", **ANN)
        made.add(at + MINUTE, "pull", repository="base/os", digest=f"sha256:{1:064x}", **ANN | {"actor": "ben"})
        made.add(at, "delete", repository="shop/old", digest=f"sha256:{200 + day:064x}", **SWEEPER)
    made.add(NOW - 2 * DAY, "push", tag="v1", **CI, **APP)
    return made


def judged(made: Made, folder: Path) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(RemovedImages().detect(store, NOW, NOW + 6 * HOUR))
    finally:
        store.close()


def said(found: list[Suspicion]) -> list[tuple[str, str, str]]:
    return [(one.kind, str(one.severity), one.subjects["actor"][0]) for one in found]


@pytest.mark.parametrize(
    ("who", "hours", "told"),
    [
        (ANN, 2, [(IN_USE, "medium", "ann")]),
        (CI, 2, [(IN_USE, "medium", "robot$ci")]),
        (SWEEPER, 2, [(IN_USE, "low", "sweeper")]),  # it only cleans up
        (ANN | {"actor": "new"}, 2, [(IN_USE, "low", "new")]),  # nobody knows it yet
        (NODES, 2, []),
        (ANN, 30, []),  # it ran, the day before yesterday
    ],
)
def test_deleted_while_it_runs(
    who: dict[str, str], hours: int, told: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    made = usual()
    made.add(NOW - hours * HOUR, "pull", **NODES, **APP)
    event = made.add(NOW + MINUTE, "delete", **who, **APP)
    found = judged(made, tmp_path)
    assert said(found) == told
    assert all(one.evidence == [event] and one.subjects["repository"] == ["shop/app"] for one in found)


@pytest.mark.parametrize(("hour", "severity"), [(10, "low"), (16, "medium")])
def test_a_build_account_that_clears_away_each_morning(hour: int, severity: str, tmp_path: Path) -> None:
    """Images of closed requests go, preview clusters run them or not; at another hour it is no clean-up."""
    made = usual()
    for day in range(4, 8):
        made.add(
            START + day * DAY + timedelta(hours=hour),
            "delete",
            **CI,
            repository="shop/old",
            digest=f"sha256:{day:064x}",
        )
    made.add(NOW - HOUR, "pull", **NODES, **APP)
    made.add(NOW + MINUTE, "delete", **CI, **APP)
    assert said(judged(made, tmp_path)) == [(IN_USE, severity, "robot$ci")]


def test_who_pulls_by_hand_runs_nothing(tmp_path: Path) -> None:
    """Neither with a tool that people use, nor once where no tool is known; twice stands for two nodes."""
    made = usual()
    for number, fields in enumerate(({"traffic_class": "people"}, {"traffic_class": None}, {"traffic_class": None})):
        digest = f"sha256:{20 + number:064x}"
        for pull in range(1 + (number == 2)):
            made.add(NOW - HOUR + pull * MINUTE, "pull", repository="shop/app", digest=digest, **NODES | fields)
        made.add(NOW + number * MINUTE, "delete", repository="shop/app", digest=digest, **ANN)
    found = judged(made, tmp_path)
    assert said(found) == [(IN_USE, "medium", "ann")] and found[0].start == NOW + 2 * MINUTE


def test_a_sweeper_is_told_of_when_somebody_misses_what_it_took(tmp_path: Path) -> None:
    made = usual()
    made.add(NOW - 2 * DAY, "pull", **NODES, **APP)
    taken = made.add(NOW - HOUR, "delete", **SWEEPER, **APP)
    made.add(NOW, "pull", "failure", reason="not_found", **ANN, **APP)  # who never ran it
    missed = made.add(NOW + HOUR, "pull", "failure", reason="not_found", **NODES, **APP)
    made.add(NOW + 2 * HOUR, "pull", "failure", reason="not_found", **NODES, **APP)  # again
    found = judged(made, tmp_path)
    assert said(found) == [(IN_USE, "medium", "sweeper")] and taken not in found[0].evidence
    assert found[0].evidence == [missed] and "asked for in vain" in found[0].observed


def test_what_was_missed_counts_for_its_own_day(tmp_path: Path) -> None:
    """Two days after an image was missed the same account deletes another that runs."""
    made, other = usual(), {"repository": "shop/other", "digest": f"sha256:{10:064x}"}
    made.add(NOW - 3 * DAY, "pull", **NODES, **APP)
    made.add(NOW - 2 * DAY, "delete", **ANN, **APP)
    made.add(NOW - 2 * DAY + HOUR, "pull", "failure", reason="not_found", **NODES, **APP)
    made.add(NOW, "pull", **NODES, **other)
    made.add(NOW + HOUR, "delete", **ANN, **other)
    (one,) = judged(made, tmp_path)
    assert "1 delete in shop/other" in one.observed and "in vain" not in one.observed


def test_what_was_withdrawn_and_is_back(tmp_path: Path) -> None:
    made = usual()
    gone = made.add(NOW - HOUR, "delete", **ANN, **APP)
    back = made.add(NOW + HOUR, "push", tag="latest", **ANN | {"actor": "ben"}, **APP)
    found = judged(made, tmp_path)
    assert said(found) == [(BACK, "medium", "ben")] and found[0].evidence == [back, gone]


def test_a_push_that_names_no_digest_is_known_by_the_answer(tmp_path: Path) -> None:
    made = usual()
    gone = made.add(NOW - HOUR, "delete", **ANN, **APP)
    push = made.add(NOW + HOUR, "push", repository="shop/app", tag="stable", **CI)
    asked = made.add(NOW + 2 * HOUR, "check", **NODES, **APP)
    found = judged(made, tmp_path)
    assert said(found) == [(BACK, "medium", "robot$ci")] and found[0].evidence == [push, asked, gone]
    assert found[0].end == NOW + 2 * HOUR


def test_a_push_of_another_image_brings_nothing_back(tmp_path: Path) -> None:
    """Whoever still gets what was deleted, from a cache perhaps: what was pushed since has a name of its own."""
    made = usual()
    made.add(NOW - HOUR, "delete", **ANN, **APP)
    made.add(NOW + HOUR, "push", repository="shop/app", tag="stable", digest=f"sha256:{77:064x}", **CI)
    made.add(NOW + 2 * HOUR, "check", **NODES, **APP)
    assert judged(made, tmp_path) == []


def test_repairs_and_clean_ups_are_nothing_to_wake_for(tmp_path: Path) -> None:
    made = usual()
    made.add(NOW - 2 * HOUR, "pull", **NODES, **APP)
    made.add(NOW, "delete", **ANN, **APP)  # told of, and repaired
    made.add(NOW + HOUR, "push", tag="v1", **CI, **APP)
    assert said(judged(made, tmp_path / "missed")) == [(IN_USE, "medium", "ann"), (BACK, "low", "robot$ci")]
    made = usual()
    for number in range(5):
        made.add(NOW + number * MINUTE, "delete", repository=f"shop/r{number}", digest=DIGEST, **ANN)
    made.add(NOW + HOUR, "push", tag="v1", repository="shop/r0", digest=DIGEST, **CI)
    assert said(judged(made, tmp_path / "many")) == [(BACK, "low", "robot$ci")]
    made = usual()
    made.add(NOW, "delete", **SWEEPER, **APP)
    made.add(NOW + HOUR, "push", tag="v1", **CI, **APP)
    assert judged(made, tmp_path / "swept") == []
    made = usual()
    made.add(NOW, "delete", **ANN, **APP)
    made.add(NOW + HOUR, "push", tag="v1", **ANN, **APP)  # its own to take and give
    assert judged(made, tmp_path / "own") == []
    made = usual()
    made.add(NOW, "delete", **ANN, **APP)
    made.add(NOW + HOUR, "push", tag="v1", **CI | {"traffic_class": "mirror"}, **APP)
    assert judged(made, tmp_path / "mirrored") == []


def test_lines_of_one_moment_in_any_order(tmp_path: Path) -> None:
    """An answer within the minute of the delete may be older than it."""
    made = usual()
    made.add(NOW, "delete", **ANN, **APP)
    made.add(NOW + MINUTE, "pull", **NODES, **APP)
    assert judged(made, tmp_path) == []
