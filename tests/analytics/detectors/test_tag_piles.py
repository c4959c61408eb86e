"""How many names one image is given."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.tag_piles import TagPiles

NOW = START + timedelta(days=14, hours=10)


def tags(made: Made, at: datetime, many: int, number: int = 99) -> None:
    where = {"actor": "ann", "client_ip": "192.0.2.1", "repository": "shop/api", "digest": f"sha256:{number:064x}"}
    for one in range(many):
        made.add(at + timedelta(seconds=one), "push", tag=f"t{number}-{one}", **where)


def history(a_day: int) -> Made:
    made = Made()
    for day in range(14):
        tags(made, START + timedelta(days=day, hours=9), a_day, day)
    return made


def judged(made: Made, folder: Path) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(TagPiles().detect(store, NOW, NOW + timedelta(hours=2)))
    finally:
        store.close()


@pytest.mark.parametrize(
    ("a_day", "now", "told"),
    [
        (2, 7, []),
        (2, 8, ["medium"]),
        (2, 40, ["medium"] * 3),  # at 8, 16 and 32
        (2, 130, ["medium"] * 4 + ["high"]),
        (6, 15, []),  # a repository whose images have many names
        (6, 16, ["medium"]),
    ],
)
def test_tags_of_one_image_beside_the_most_there_were(a_day: int, now: int, told: list[str], tmp_path: Path) -> None:
    made = history(a_day)
    tags(made, NOW, now)
    found = judged(made, tmp_path)
    assert [str(one.severity) for one in found] == told
    assert len({one.cause for one in found}) == (1 if told else 0)


def test_signatures_and_many_images_of_few_tags_are_ordinary(tmp_path: Path) -> None:
    made = history(2)
    where = {"actor": "ann", "client_ip": "192.0.2.1", "repository": "shop/api", "digest": f"sha256:{1:064x}"}
    for number in range(20):
        made.add(NOW + timedelta(seconds=number), "push", tag=f"sha256-{number:064x}.sig", **where)
        tags(made, NOW + timedelta(minutes=number), 3, 200 + number)
    assert judged(made, tmp_path) == []
