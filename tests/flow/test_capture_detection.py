"""The attack in the captured logs of real registries, from the registry's own lines to the findings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from analytics.config import AnalyticsConfig
from analytics.jobs import detect_span, prepare
from collector.formats import distribution_json, distribution_text, harbor_audit, harbor_core
from collector.stages import Block, Format
from regsight.discover import detectors, enrichers
from store.contract import EventQuery, Position, Store
from store.finding import Finding, Severity
from store.locate import open_store

SAMPLES = Path(__file__).parents[1] / "samples"
CAPTURES = SAMPLES / "distribution-live"
HARBOR = SAMPLES / "harbor-live" / "v2.12.4"
SPRAYED = {"gitlab-runner", "jonas", "no-such-user", "admin\"'<x>"}
# Version 3 does not name accounts that do not exist: what is left is one account refused five times.
LOGS = {
    "v2.8.2-json": (distribution_json, "password_spraying", SPRAYED),
    "v2.8.2-text": (distribution_text, "password_spraying", SPRAYED),
    "v3-json": (distribution_json, "password_guessing", {"gitlab-runner"}),
}


def read(store: Store, form: Format, path: Path) -> None:
    data = path.read_bytes()
    after = Position(stream=path.name, offset=len(data))
    events = form.parse(Block(stream=path.name, offset=0, data=data, after=after, final=True)).events
    for enrich in enrichers():
        events = enrich(events)
    store.commit(events, [after])


def alerts(store: Store) -> list[Finding]:
    """What every detector and rule there is finds at medium or above."""
    span = store.span()
    assert span is not None
    found = detect_span(store, prepare(detectors(), AnalyticsConfig()), span[0], span[1] + timedelta(microseconds=1))
    return [finding for finding in found if finding.severity.rank >= Severity.MEDIUM.rank]


@pytest.mark.parametrize("capture", LOGS)
def test_the_brute_force_is_found_and_nothing_else(capture: str, tmp_path: Path) -> None:
    """One alert at medium or above: the address that tried several accounts; the owners' own work is not touched."""
    form, kind, accounts = LOGS[capture]
    store = open_store(f"delta:{tmp_path}")
    read(store, form.FORMAT, CAPTURES / capture / "registry.log")
    (alert,) = alerts(store)
    refused = {event["event_id"]: event for event in store.events(EventQuery(ids=alert.evidence))}
    store.close()
    assert alert.kind == kind
    assert alert.severity in (Severity.MEDIUM, Severity.HIGH)
    assert alert.subjects["client"] == ["127.1.9.9"]
    assert set(alert.subjects["actor"]) == accounts
    assert len(refused) == len(alert.evidence) >= 5
    assert {event["client_ip"] for event in refused.values()} == {"127.1.9.9"}
    assert {event["outcome"] for event in refused.values()} == {"denied"}


def test_the_deleted_robot_of_harbor_is_found_beside_the_brute_force(tmp_path: Path) -> None:
    """Rights, deletes, scans, replication and retries of a whole test drive are no alarm; who goes on after his end is."""
    store = open_store(f"delta:{tmp_path}")
    for page in ("api.audit-logs.json", "api.audit-logs.page2.json"):
        read(store, harbor_audit.FORMAT, HARBOR / page)
    read(store, harbor_core.FORMAT, HARBOR / "core.log")
    found = {alert.kind: alert for alert in alerts(store)}
    assert found.keys() == {"deleted_account_goes_on", "password_spraying"}
    gone = found["deleted_account_goes_on"]
    deletion, *tried = store.events(EventQuery(ids=gone.evidence))
    store.close()
    assert found["password_spraying"].subjects["client"] == ["127.66.6.6"]
    assert (gone.severity, gone.subjects["actor"]) == (Severity.MEDIUM, ["robot$payments+old"])
    assert gone.subjects["client"] == ["127.60.3.44"]
    assert (deletion["change"], deletion["target"], deletion["actor"]) == (
        "robot_deleted",
        "robot$payments+old",
        "irina.v",
    )
    assert tried and {event["outcome"] for event in tried} == {"denied"}
