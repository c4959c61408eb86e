"""What is no image, and fetched from nowhere that is known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detectors.dead_drop import DeadDrop

NOW = START + timedelta(days=9)
IMAGE, ODD = "application/vnd.oci.image.manifest.v1+json", "application/vnd.acme.bundle.v1+json"


def made_of(media_type: str, client: str, before: str | None = IMAGE) -> Made:
    """A project of images, something stored in it, fetched from `client`; people are at 192.0.2.0/24 and 10.0.0.0/24."""
    made = Made()
    for day in range(9):
        at = START + timedelta(days=day)
        made.add(at, "push", actor="ci", client_ip="10.0.0.5", repository="shop/api", media_type=before)
        made.pull(at, "ben", "192.0.2.7", "shop/api")
    made.add(NOW, "push", actor="ann", client_ip="192.0.2.1", repository="shop/data", media_type=media_type)
    made.add(NOW + timedelta(hours=1), "pull", actor="ann", client_ip=client, repository="shop/data")
    return made


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (made_of(ODD, "198.51.100.4"), True),
        (made_of(ODD, "10.0.0.9"), False),  # a known network
        (made_of(IMAGE, "198.51.100.4"), False),  # an image
        (made_of("application/vnd.cncf.helm.chart.v1", "198.51.100.4"), False),
        (made_of(ODD, "198.51.100.4", before=ODD), False),  # what the project always held
    ],
)
def test_drops(made: Made, told: bool, tmp_path: Path) -> None:
    store = made.store(tmp_path)
    try:
        found = DeadDrop().detect(store, NOW, NOW + timedelta(hours=2))
    finally:
        store.close()
    assert [one.kind for one in found] == ["artifact_fetched_elsewhere"] * told
    assert all({"ann"} == {*one.subjects["actor"]} and "198.51.100.4" in one.subjects["client"] for one in found)
