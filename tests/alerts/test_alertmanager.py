"""Findings in a real Alertmanager."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from servers.alertmanager import Alertmanager, free_port

from alerts.config import AlertsConfig
from alerts.notify import Delivered, deliver, send_test
from alerts.policy import enqueue_new
from store.finding import Severity
from store.incident import Incident, acknowledge, close, reopen
from store.records import SqliteRecords

from .conftest import Receiver, make_finding
from .test_incidents_told import put

pytestmark = pytest.mark.external_service


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


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


def test_closing_the_incident_ends_the_alerts(
    store: SqliteRecords, alertmanager_server: Alertmanager, receiver: Receiver
) -> None:
    """Alertmanager tells its own receivers that it is over; acknowledged alerts go on; opened again, it fires again."""
    now = datetime.now(UTC)
    alertmanager_server.notify(receiver.url)
    settings = AlertsConfig.model_validate({"channels": [{"name": "on-call", "alertmanager": alertmanager_server.url}]})

    def step(change: Callable[..., Incident] | None, at: datetime) -> Delivered:
        if change is not None:
            store.change_incident("inc-1", lambda one: change(one, "ann", at))
        enqueue_new(store, settings, at)
        return deliver(store, settings, at)

    def said(status: str) -> set[str]:
        """The severities of the alerts that Alertmanager told its receiver of with this status."""
        bodies = [json.loads(body) for _, _, body in receiver.requests]
        return {one["labels"]["severity"] for body in bodies for one in body["alerts"] if one["status"] == status}

    first = make_finding(detected_at=now, start=now - timedelta(minutes=30), end=now, severity=Severity.HIGH)
    put(store, first)
    assert step(None, now) == Delivered(sent=1)
    put(store, replace(first, severity=Severity.CRITICAL))
    assert step(None, now) == Delivered(sent=1)
    (incident,) = {alert["annotations"]["incident"] for alert in alertmanager_server.alerts()}
    assert incident == "inc-1"
    until(lambda: said("firing") == {"high", "critical"})
    assert step(acknowledge, now) == Delivered()
    assert len(alertmanager_server.alerts()) == 2, "somebody looks after it, and it is not over"

    assert step(close, datetime.now(UTC)) == Delivered(sent=1)
    until(lambda: alertmanager_server.alerts() == [])
    until(lambda: said("resolved") == {"high", "critical"})
    assert step(None, datetime.now(UTC)) == Delivered()
    assert alertmanager_server.alerts() == [], "what is over is not said again"
    step(reopen, datetime.now(UTC))
    until(lambda: [alert["labels"]["severity"] for alert in alertmanager_server.alerts()] == ["critical"])
    assert step(close, datetime.now(UTC)) == Delivered(sent=1), "a second end"
    until(lambda: alertmanager_server.alerts() == [])


def test_the_end_arrives_when_alertmanager_is_back(store: SqliteRecords, alertmanager_server: Alertmanager) -> None:
    """Closed while nobody could reach it: the end waits in the outbox like any other delivery."""
    now = datetime.now(UTC) - timedelta(minutes=5)

    def settings(url: str) -> AlertsConfig:
        return AlertsConfig.model_validate({"channels": [{"name": "on-call", "alertmanager": url}]})

    there, away = settings(alertmanager_server.url), settings(f"http://127.0.0.1:{free_port()}")
    put(store, make_finding(detected_at=now, start=now - timedelta(minutes=30), end=now))
    enqueue_new(store, there, now)
    assert deliver(store, there, now) == Delivered(sent=1)
    store.change_incident("inc-1", lambda one: close(one, "ann", now) if one else None)
    enqueue_new(store, away, now)
    assert deliver(store, away, now) == Delivered(retried=1)
    assert len(alertmanager_server.alerts()) == 1
    assert deliver(store, there, now + timedelta(minutes=1)) == Delivered(sent=1)
    until(lambda: alertmanager_server.alerts() == [])
    assert {one.state for one in store.deliveries()} == {"sent"}


def test_late_data_amends_the_alert(store: SqliteRecords, alertmanager_server: Alertmanager) -> None:
    """What was added is in the notes; it is still one alert."""
    now = datetime.now(UTC)
    settings = AlertsConfig.model_validate({"channels": [{"name": "on-call", "alertmanager": alertmanager_server.url}]})
    finding = make_finding(detected_at=now, start=now - timedelta(minutes=30), end=now)
    for observed in ("312 refused logins", "315 refused logins"):
        put(store, replace(finding, observed=observed))
        enqueue_new(store, settings, now)
        deliver(store, settings, now)
    (alert,) = alertmanager_server.alerts()
    assert "315 refused logins" in alert["annotations"]["description"]
    assert "Update" not in alert["annotations"]["description"]
