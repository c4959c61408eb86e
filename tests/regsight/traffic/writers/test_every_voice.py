"""Every voice of the simulated registry, read by the project's own formats."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.formats import (
    distribution_access,
    distribution_json,
    distribution_notifications,
    distribution_text,
    ecr_cloudtrail,
    harbor_audit,
)
from collector.stages import Block, Format, Parsed
from regsight.traffic.simulate import SOURCES, simulate
from regsight.traffic.truth import Truth
from store.contract import Position

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
FORMATS: dict[str, Format] = {
    "distribution-json": distribution_json.FORMAT,
    "distribution-json-2.8": distribution_json.FORMAT,
    "distribution-text": distribution_text.FORMAT,
    "access": distribution_access.FORMAT,
    "notifications": distribution_notifications.FORMAT,
    "harbor-audit": harbor_audit.FORMAT,
    "ecr-cloudtrail": ecr_cloudtrail.FORMAT,
}


# Some of each sort; CloudTrail does not know pulls without a name, so there are none.
ASKED = [f"{code}/blatant@0.2" for code in ("A01", "A05", "A08", "A10", "A18", "A20", "A28", "A29", "A32")]


@pytest.fixture(scope="module", params=sorted(SOURCES))
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Truth, Parsed]:
    out: Path = tmp_path_factory.mktemp("voice")
    truth = simulate(out, start=MONDAY, days=0.4, seed=5, attacks=ASKED, surprises=["B09@0.25"], source=request.param)
    data = (out / truth.files[0]).read_bytes()
    reader = FORMATS[request.param]
    assert reader.claims(data[:65_536]) > 0.5
    block = Block(stream="s", offset=0, data=data, after=Position(stream="s", offset=len(data)), final=True)
    return request.param, truth, reader.parse(block)


def test_every_source_has_a_format() -> None:
    """No voice goes unread by this test."""
    assert set(FORMATS) == set(SOURCES)


def test_nothing_is_unreadable(told: tuple[str, Truth, Parsed]) -> None:
    """Not one line becomes a dead letter."""
    _, _, parsed = told
    assert parsed.rejects == []


def test_the_events_are_what_the_simulator_did(told: tuple[str, Truth, Parsed]) -> None:
    """Pulls, pushes, deletes and refused passwords are found as often as they were made, and nothing besides."""
    source, truth, parsed = told
    events = parsed.events.to_pylist()
    found = Counter((event["action"], event["outcome"]) for event in events)
    counts = truth.counts
    assert found["pull", "success"] == counts["pulls"]
    assert found["push", "success"] == counts["pushes"]
    assert found["sign", "success"] == counts["signatures"]
    assert found["delete", "success"] == counts["deletes"]
    if source in ("distribution-json", "distribution-json-2.8", "distribution-text"):
        assert len(events) == counts["requests"]
        assert sum(event["reason"] == "bad_credentials" for event in events) == counts["refused"]
        assert found["check", "success"] == counts["checks"]
        assert found["layer_download", "success"] == counts["layer_downloads"]
    if source in ("distribution-json", "distribution-text"):
        assert found["login", "success"] == counts["logins"]


@pytest.mark.parametrize("told", ["distribution-json", "distribution-text", "notifications"], indirect=True)
def test_scenarios_are_found_by_their_ids(told: tuple[str, Truth, Parsed]) -> None:
    """The pushes that a scenario names are events with the actor, address and repository that it names."""
    _, truth, parsed = told
    events = {event["request_id"]: event for event in parsed.events.to_pylist()}
    entry = next(entry for entry in truth.scenarios if entry.kind == "A10")
    mine = [events[one] for one in entry.event_ids]
    assert mine[0]["action"] == "push"
    assert [mine[0]["actor"]] == entry.actors
    assert [mine[0]["client_ip"]] == entry.addresses
    assert {event["repository"] for event in mine} == set(entry.repositories)
