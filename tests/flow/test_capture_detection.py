"""The attack in the captured logs of real registries, from the registry's own lines to the findings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from analytics.jobs import detect_span
from collector.enrichers import actor, client
from collector.formats import distribution_json, distribution_text
from collector.stages import Block
from regsight import discover
from store.contract import EventQuery, Position
from store.finding import Severity
from store.locate import open_store

CAPTURES = Path(__file__).parents[1] / "samples" / "distribution-live"
SPRAYED = {"gitlab-runner", "jonas", "no-such-user", "admin\"'<x>"}
# Version 3 does not name accounts that do not exist: what is left is one account refused five times.
LOGS = {
    "v2.8.2-json": (distribution_json, "password_spraying", SPRAYED),
    "v2.8.2-text": (distribution_text, "password_spraying", SPRAYED),
    "v3-json": (distribution_json, "password_guessing", {"gitlab-runner"}),
}


@pytest.mark.parametrize("capture", LOGS)
def test_the_brute_force_is_found_and_nothing_else(capture: str, tmp_path: Path) -> None:
    """One alert at medium or above: the address that tried several accounts; the owners' own work is not touched."""
    form, kind, accounts = LOGS[capture]
    data = (CAPTURES / capture / "registry.log").read_bytes()
    block = Block(stream=capture, offset=0, data=data, after=Position(stream=capture, offset=len(data)), final=True)
    store = open_store(f"delta:{tmp_path}")
    store.commit(client.ENRICH(actor.ENRICH(form.FORMAT.parse(block).events)), [block.after])
    span = store.span()
    assert span is not None
    found = detect_span(store, discover.detectors(), span[0], span[1] + timedelta(microseconds=1))
    (alert,) = [finding for finding in found if finding.severity.rank >= Severity.MEDIUM.rank]
    refused = {event["event_id"]: event for event in store.events(EventQuery(ids=alert.evidence))}
    store.close()
    assert alert.kind == kind
    assert alert.severity in (Severity.MEDIUM, Severity.HIGH)
    assert alert.subjects["client"] == ["127.1.9.9"]
    assert set(alert.subjects["actor"]) == accounts
    assert len(refused) == len(alert.evidence) >= 5
    assert {event["client_ip"] for event in refused.values()} == {"127.1.9.9"}
    assert {event["outcome"] for event in refused.values()} == {"denied"}
