"""Which uploads come to nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from made_traffic import START, Made

from analytics.detectors.unfinished_uploads import UnfinishedUploads

HOUR = timedelta(hours=1)
NOW = START + timedelta(days=9)


def upload(made: Made, number: int, image: bool = False, method: str | None = "POST") -> None:
    at, where = NOW + number * 4 * HOUR, {"actor": "ann", "client_ip": "192.0.2.1", "repository": f"shop/r{number % 3}"}
    made.add(at, "layer_upload", method=method, **where)
    if image:
        made.add(at + timedelta(minutes=20), "push", tag="1", **where)


def judged(made: Made, folder: Path) -> list[tuple[str, str]]:
    made.add(NOW - timedelta(days=8), "ping")
    store = made.store(folder)
    try:
        found = UnfinishedUploads().detect(store, NOW, NOW + timedelta(days=3))
    finally:
        store.close()
    return sorted({(one.subjects["actor"][0], str(one.severity)) for one in found})


def test_five_times_and_no_image(tmp_path: Path) -> None:
    made = Made()
    for number in range(6):
        upload(made, 2 * number)
    assert judged(made, tmp_path) == [("ann", "medium")]


def test_images_follow_or_it_is_once(tmp_path: Path) -> None:
    made = Made()
    for number in range(8):
        upload(made, 2 * number, image=number > 0)
    assert judged(made, tmp_path) == []


def test_most_end_well(tmp_path: Path) -> None:
    made = Made()
    for number in range(5):
        upload(made, 3 * number)
    for number in range(40):
        made.add(NOW + number * HOUR, "push", actor="ann", repository="shop/other", tag=f"{number}")
    assert judged(made, tmp_path) == []


def test_hundreds_of_steps_that_are_not_told_apart(tmp_path: Path) -> None:
    """CloudTrail: told within two hours; one large image that takes as long is none."""
    made, slow = Made(), Made()
    for number in range(150):
        at, who = NOW + number * timedelta(seconds=40), {"actor": "ann", "client_ip": "192.0.2.1"}
        made.add(at, "layer_upload", repository=f"shop/r{number % 4}", **who)
        slow.add(at, "layer_upload", repository="shop/large", **who)
    assert judged(made, tmp_path / "many") == [("ann", "medium")]
    assert judged(slow, tmp_path / "one") == []
