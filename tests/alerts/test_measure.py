"""How long incidents take, as figures."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import CollectorRegistry

from alerts.measure import measure_incidents
from alerts.telemetry import AlertsTelemetry
from analytics.incidents import times
from store.finding import Severity
from store.incident import acknowledge, close
from store.records import SqliteRecords

from .conftest import NOW
from .test_incidents_told import change, finding, put

MINUTE = timedelta(minutes=1)


def test_each_step_is_counted_once_over_restarts(store: SqliteRecords) -> None:
    """Detected a minute after it ended, told after two, acknowledged after ten, closed after an hour."""
    put(store, finding("1"))
    first = CollectorRegistry()
    telemetry = AlertsTelemetry(first)

    def value(registry: CollectorRegistry, name: str) -> float | None:
        return registry.get_sample_value(f"regsight_incident_{name}", {"severity": "high"})

    measure_incidents(store, telemetry, NOW, times)
    assert value(first, "detect_seconds_sum") == 31 * 60 and value(first, "notify_seconds_sum") is None
    store.enqueue(finding("1").id, ["chat"], NOW)
    for delivery in store.due(NOW):
        store.mark_sent(delivery, finding("1").detected_at + 2 * MINUTE)
    change(store, acknowledge, finding("1").detected_at + 10 * MINUTE)
    for _ in range(2):
        measure_incidents(store, telemetry, NOW, times)
    assert value(first, "notify_seconds_sum") == 120 and value(first, "acknowledge_seconds_sum") == 600
    assert value(first, "detect_seconds_count") == 1
    assert first.get_sample_value("regsight_incidents_open", {"severity": "high"}) == 1

    second = CollectorRegistry()
    change(store, close, finding("1").detected_at + 60 * MINUTE)
    measure_incidents(store, AlertsTelemetry(second), NOW, times)
    assert value(second, "resolve_seconds_sum") == 3600 and value(second, "detect_seconds_count") is None
    assert second.get_sample_value("regsight_incidents_open", {"severity": "high"}) == 0


def test_all_severities_are_shown_from_the_start(store: SqliteRecords) -> None:
    """A series that appears only with the first incident is seen by no rule."""
    registry = CollectorRegistry()
    measure_incidents(store, AlertsTelemetry(registry), NOW, times)
    shown = {
        severity: registry.get_sample_value("regsight_incidents_open", {"severity": severity}) for severity in Severity
    }
    assert set(shown.values()) == {0}
