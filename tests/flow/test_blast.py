"""The blast radius against what was truly done at a real registry, and what hostile names may not do to its picture."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from analytics.blast import Radius, blast
from analytics.blast_picture import picture
from store.contract import Position, Store
from store.event import schema
from store.locate import open_store

CAPTURE = Path(__file__).parents[1] / "samples" / "distribution-live" / "v3-json"
START = datetime(2026, 11, 1, tzinfo=UTC)
D1, D2 = (f"sha256:{letter * 64}" for letter in "12")


def regsight(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "regsight", *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a store with the capture's log and notifications."""
    url = f"delta:{tmp_path_factory.mktemp('blast') / 'store'}"
    got = regsight("collect", str(CAPTURE / "registry.log"), str(CAPTURE / "notifications.jsonl"), "--store", url)
    assert got.returncode == 0, got.stderr
    return url


def truth() -> list[dict[str, Any]]:
    actions: list[dict[str, Any]] = json.loads((CAPTURE / "truth.json").read_text())["actions"]
    return actions


def test_who_had_the_most_pulled_image(captured: str) -> None:
    """Every pusher and puller of the digest with the right number of times, the tags it had, when one moved on."""
    digest = next(action["digest"] for action in truth() if action["action"] == "pull" and action["expected"] == "ok")
    done = [action for action in truth() if action.get("digest") == digest and action["expected"] == "ok"]
    pulls = Counter((a["user"], a["src_ip"]) for a in done if a["action"] == "pull")
    burst = next(action for action in truth() if action["action"] == "pull-burst")
    pulls[(burst["user"], burst["src_ip"])] += 6
    pushes = Counter((a["user"], a["src_ip"]) for a in done if a["action"] == "push")

    # Given by its first digits, as a person would.
    got = regsight("blast", "--digest", digest[:19], "--json", "--store", captured)
    assert got.returncode == 0, got.stderr
    radius = json.loads(got.stdout)
    assert radius["about"] == {"digest": digest}
    assert Counter({(one["actor"], one["client"]): one["times"] for one in radius["pulled"]}) == pulls
    assert Counter({(one["actor"], one["client"]): one["times"] for one in radius["pushed"]}) == pushes
    tags = {f"{span['repository']}:{span['tag']}": span["last"] is None for span in radius["tags"]}
    # `latest` was pushed again with another image.
    assert tags == {
        "webshop/frontend:1.0.0": True,
        "webshop/frontend:latest": False,
        "webshop/frontend-fork:copy": True,
    }
    assert {one["repository"] for one in radius["elsewhere"]}.isdisjoint({"webshop/frontend", "webshop/frontend-fork"})


def test_an_address_that_was_refused(captured: str) -> None:
    """What an attacker's address tried is listed as refused, with all accounts it used."""
    got = regsight("blast", "--client", "127.1.9.9", "--json", "--store", captured)
    radius = json.loads(got.stdout)
    assert radius["pulled"] == radius["pushed"] == []
    assert {one["actor"] for one in radius["refused"]} >= {"gitlab-runner", None}


def test_questions_that_cannot_be_answered(captured: str) -> None:
    for arguments, says in (
        ((), "--digest"),
        (("--digest", "sha256:abcdef012345"), "no event names"),
        (("--digest", "latest"), "no digest"),
    ):
        got = regsight("blast", *arguments, "--store", captured)
        assert got.returncode == 2 and says in got.stderr


def made(store: Store, *rows: dict[str, Any]) -> None:
    whole = [
        {
            "event_id": f"e{place}",
            "timestamp": START + timedelta(minutes=place),
            "outcome": "success",
            "channel": "application",
            "stream": "s",
            "offset": place,
            "parts": [f"s:{place}"],
            "repository": "shop/api",
        }
        | row
        for place, row in enumerate(rows)
    ]
    store.commit(pa.Table.from_pylist(whole, schema=schema()), [Position(stream="s", offset=len(whole))])


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(f"delta:{tmp_path / 'store'}")
    yield opened
    opened.close()


def test_a_pull_by_tag_without_a_digest(store: Store) -> None:
    """It counts as likely while the tag pointed there, and not after it moved."""
    made(
        store,
        {"action": "push", "actor": "ci", "tag": "v1", "reference": "v1", "digest": D1},
        {"action": "pull", "actor": "ann", "tag": "v1", "reference": "v1"},
        {"action": "push", "actor": "ci", "tag": "v1", "reference": "v1", "digest": D2},
        {"action": "pull", "actor": "bob", "tag": "v1", "reference": "v1"},
        {"action": "push", "actor": "ann", "repository": "shop/web", "tag": "v7", "reference": "v7"},
    )
    radius = blast(store, digest=D1)
    assert [(one.actor, one.certainty) for one in radius.pulled] == [("ann", "likely")]
    assert [(span.tag, span.first, span.last) for span in radius.tags] == [("v1", START, START + timedelta(minutes=2))]
    assert [(one.actor, one.images) for one in radius.built_on] == [("ann", ["shop/web:v7"])]
    assert [one.actor for one in blast(store, digest=D2).pulled] == ["bob"]


def test_a_deleted_tag_points_nowhere(store: Store) -> None:
    made(
        store,
        {"action": "push", "actor": "ci", "tag": "v1", "reference": "v1", "digest": D1},
        {"action": "untag", "actor": "ci", "tag": "v1", "reference": "v1"},
        {"action": "pull", "actor": "ann", "tag": "v1", "reference": "v1", "outcome": "failure"},
    )
    radius = blast(store, digest=D1)
    assert radius.pulled == [] and radius.tags[0].last == START + timedelta(minutes=1)


def test_nothing_named() -> None:
    with pytest.raises(ValueError, match="digest, an actor, an address or a repository"):
        blast(None)  # type: ignore[arg-type]


def test_hostile_names_stay_text(store: Store) -> None:
    hostile = "</text><script>alert(1)</script>\x1b[31m"
    made(
        store,
        {"action": "push", "actor": hostile, "tag": "v1", "reference": "v1", "digest": D1},
        *(
            {"action": "pull", "actor": f"{hostile}{n}", "tag": "v1", "digest": D1, "client_ip": "::1"}
            for n in range(20)
        ),
    )
    radius: Radius = blast(store, digest=D1)
    drawn = ElementTree.fromstring(picture(radius))  # well-formed, or this raises
    assert {element.tag.rpartition("}")[2] for element in drawn.iter()} == {"svg", "style", "text", "rect", "path"}
    assert any("and 6 more" in (element.text or "") for element in drawn.iter())
    assert "\x1b" not in picture(radius)
