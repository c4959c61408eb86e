"""Who fetches layers without manifests, and who does so as a rule."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.blobs_alone import BlobsAlone

NOW = START + timedelta(days=14, hours=10)


def ask(made: Made, at: datetime, action: str, repository: str, actor: str | None = "ann") -> None:
    where = {"actor": actor, "client_ip": "192.0.2.1", "repository": repository}
    made.add(at, action, digest=f"sha256:{1:064x}", **where)


def history() -> Made:
    made = Made()
    for day in range(14):
        at = START + timedelta(days=day, hours=9)
        for action in ("pull", "layer_download"):
            ask(made, at, action, "shop/api")
    return made


def judged(made: Made, folder: Path) -> list[Suspicion]:
    store = made.store(folder)
    try:
        return list(BlobsAlone().detect(store, NOW, NOW + timedelta(hours=2)))
    finally:
        store.close()


@pytest.mark.parametrize(("many", "told"), [(2, []), (3, ["medium"]), (12, ["high"])])
@pytest.mark.parametrize("actor", ["ann", None])
def test_layers_of_several_repositories(actor: str | None, many: int, told: list[str], tmp_path: Path) -> None:
    made = history()
    for number in range(many):
        ask(made, NOW + timedelta(minutes=number), "layer_download", f"shop/r{number}", actor)
    found = judged(made, tmp_path)
    assert [str(one.severity) for one in found] == told
    assert all(len(one.evidence) == many and one.subjects["client"] == ["192.0.2.1"] for one in found)
    assert all(one.subjects["actor"] == ([actor] if actor else []) for one in found)


def test_an_account_asks_and_its_address_fetches(tmp_path: Path) -> None:
    """An audit log names who pulled; of layers only the proxy's log tells, which knows nothing but the address."""
    made = history()
    for number in range(6):
        at = NOW + timedelta(minutes=number)
        ask(made, at, "pull", f"shop/r{number}", "bob")
        ask(made, at + timedelta(seconds=1), "layer_download", f"shop/r{number}", None)
    assert judged(made, tmp_path) == []


@pytest.mark.parametrize("asked", [("pull", -timedelta(days=2)), ("check", timedelta(0)), ("pull", timedelta(0))])
def test_whoever_asked_for_the_manifest_lately_pulls(asked: tuple[str, timedelta], tmp_path: Path) -> None:
    made = history()
    action, before = asked
    for number in range(6):
        at = NOW + timedelta(minutes=number)
        ask(made, at + before, action, f"shop/r{number}")
        ask(made, at + timedelta(seconds=1), "layer_download", f"shop/r{number}")
    assert judged(made, tmp_path) == []


def test_days_add_up(tmp_path: Path) -> None:
    made = history()
    for number in range(3):
        ask(made, NOW - timedelta(days=number), "layer_download", f"shop/r{number}")
    (one,) = judged(made, tmp_path)
    assert (one.start, len(one.evidence)) == (NOW - timedelta(days=2), 3)


def test_a_tool_that_always_does_so_is_known(tmp_path: Path) -> None:
    made = history()
    for day in range(14):
        for number in range(4):
            ask(made, START + timedelta(days=day, hours=3), "layer_download", f"shop/t{number}", "robot$tool")
    for number in range(4):
        ask(made, NOW + timedelta(minutes=number), "layer_download", f"shop/t{number}", "robot$tool")
    assert judged(made, tmp_path) == []


def test_where_several_do_so_the_log_lacks_lines(tmp_path: Path) -> None:
    made = history()
    for actor in ("ann", "bob", "cleo"):
        for number in range(4):
            ask(made, NOW + timedelta(minutes=number), "layer_download", f"shop/r{number}", actor)
    assert [str(one.severity) for one in judged(made, tmp_path)] == ["low"] * 3
