"""Findings in a real Alertmanager."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from servers.alertmanager import Alertmanager

from alerts.config import AlertsConfig
from alerts.notify import Delivered, deliver, send_test
from alerts.policy import enqueue_new
from store.records import SqliteRecords

from .conftest import Receiver, make_finding

pytestmark = pytest.mark.external_service


def test_a_finding_is_seen_in_alertmanager_and_survives_its_restart(
    store: SqliteRecords, alertmanager_server: Alertmanager
) -> None:
    """It is there with its labels and notes, is said again after Alertmanager forgot it, and never doubled."""
    # Alertmanager judges startsAt and endsAt by its own clock.
    now = datetime.now(UTC)
    settings = AlertsConfig.model_validate(
        {
            "channels": [{"name": "on-call", "alertmanager": alertmanager_server.url}],
            "link_base": "https://regsight.example.org",
        }
    )
    finding = make_finding(
        title="312 refused logins <!channel> \x1b[31m",
        detected_at=now,
        start=now - timedelta(minutes=30),
        end=now - timedelta(minutes=1),
    )
    store.put_finding(finding)
    enqueue_new(store, settings, now)
    assert deliver(store, settings, now) == Delivered(sent=1)

    (alert,) = alertmanager_server.alerts()
    assert alert["labels"] == {
        "alertname": "RegsightFinding",
        "severity": "high",
        "detector": "credential_probe",
        "kind": "many_refused",
        "finding_id": finding.id,
    }
    assert alert["status"]["state"] == "active"
    assert alert["annotations"]["summary"].startswith("312 refused logins ‹!channel› \\u{1b}[31m (who alice;")
    assert f"regsight findings show {finding.id}" in alert["annotations"]["description"]
    assert f"Key: {finding.id}-on-call" in alert["annotations"]["description"]
    assert alert["annotations"]["runbook_url"] == "docs/runbooks/credential_probe.md#many_refused"
    assert alert["generatorURL"] == f"https://regsight.example.org/findings/{finding.id}"
    assert datetime.fromisoformat(alert["endsAt"]) - now == pytest.approx(timedelta(hours=4), abs=timedelta(seconds=1))

    alertmanager_server.stop()
    assert deliver(store, settings, now) == Delivered(), "a renewal that fails is no delivery"
    alertmanager_server.start()
    assert alertmanager_server.alerts() == [], "Alertmanager keeps alerts in memory only"
    for _ in range(2):
        deliver(store, settings, now + timedelta(minutes=1))
    assert [alert["labels"]["finding_id"] for alert in alertmanager_server.alerts()] == [finding.id]


def test_an_alert_resolves_by_itself(store: SqliteRecords, alertmanager_server: Alertmanager) -> None:
    """Sent longer ago than resolve_after, it is neither firing nor said again."""
    now = datetime.now(UTC)
    settings = AlertsConfig.model_validate(
        {"channels": [{"name": "on-call", "alertmanager": alertmanager_server.url, "resolve_after": "1h"}]}
    )
    long_ago = now - timedelta(hours=2)
    store.put_finding(make_finding(detected_at=long_ago, start=long_ago, end=long_ago))
    enqueue_new(store, settings, long_ago)
    assert deliver(store, settings, long_ago) == Delivered(sent=1)
    deliver(store, settings, now)
    assert alertmanager_server.alerts() == []


def test_the_test_message_is_taken(alertmanager_server: Alertmanager) -> None:
    """`regsight alerts test` is seen as an alert of severity info."""
    settings = AlertsConfig.model_validate({"channels": [{"name": "on-call", "alertmanager": alertmanager_server.url}]})
    assert send_test(settings, datetime.now(UTC)) == {"on-call": None}
    assert [alert["labels"]["severity"] for alert in alertmanager_server.alerts()] == ["info"]


def test_credentials_are_presented(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Basic or bearer, from a variable, in the Authorization header alone."""
    monkeypatch.setenv("REGSIGHT_TEST_SECRET", "pw")
    for more in (
        {"username": "u", "password_env": "REGSIGHT_TEST_SECRET"},
        {"bearer_env": "REGSIGHT_TEST_SECRET"},
    ):
        settings = AlertsConfig.model_validate({"channels": [{"name": "am", "alertmanager": receiver.url, **more}]})
        assert send_test(settings, datetime.now(UTC)) == {"am": None}
    assert [headers["authorization"] for _, headers, _ in receiver.requests] == ["Basic dTpwdw==", "Bearer pw"]
    assert {path for path, _, _ in receiver.requests} == {"/api/v2/alerts"}
