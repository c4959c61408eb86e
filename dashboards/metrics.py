"""Which series the boards and rules may count on, with their type and labels.

The stages' `telemetry.py` files export them; a test holds the two equal. Kept apart from the queries so that a query of
a metric or label that nobody exports is found before Grafana shows an empty panel, which it does without a word.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. `name` is that of the samples, for a histogram without its suffixes."""

    name: str
    kind: str  # counter, gauge, histogram
    labels: tuple[str, ...] = ()

    def series(self) -> tuple[str, ...]:
        """Names under which Prometheus stores it."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


METRICS: tuple[Metric, ...] = (
    Metric("regsight_collector_events_total", "counter", ("registry", "action", "outcome", "client_class")),
    Metric("regsight_collector_event_bytes_total", "counter", ("registry", "action")),
    Metric("regsight_collector_answers_total", "counter", ("registry", "status_class")),
    Metric("regsight_collector_request_duration_seconds", "histogram", ("registry", "action")),
    Metric("regsight_collector_lines_total", "counter", ("source", "result")),
    Metric("regsight_collector_dead_letters_total", "counter", ("source", "reason")),
    Metric("regsight_collector_read_bytes_total", "counter", ("source",)),
    Metric("regsight_collector_source_failures_total", "counter", ("source",)),
    Metric("regsight_collector_syslog_dropped_total", "counter", ("source", "reason")),
    Metric("regsight_collector_gaps_total", "counter", ("source", "kind")),
    Metric("regsight_collector_unread_ratio", "gauge", ("source", "format")),
    Metric("regsight_collector_new_fields", "gauge", ("source", "format")),
    Metric("regsight_collector_empty_ratio", "gauge", ("source", "format", "field")),
    Metric("regsight_collector_lag_bytes", "gauge", ("source",)),
    Metric("regsight_collector_lag_seconds", "gauge", ("source",)),
    Metric("regsight_collector_watermark_timestamp_seconds", "gauge", ("source",)),
    Metric("regsight_collector_batches_total", "counter"),
    Metric("regsight_collector_batch_rows", "histogram"),
    Metric("regsight_collector_commits_total", "counter", ("result",)),
    Metric("regsight_collector_commit_duration_seconds", "histogram"),
    Metric("regsight_collector_store_errors_total", "counter", ("kind",)),
    Metric("regsight_collector_receiver_requests_total", "counter", ("endpoint", "status_class")),
    Metric("regsight_analytics_findings_total", "counter", ("detector", "severity")),
    Metric("regsight_analytics_detection_duration_seconds", "histogram", ("detector",)),
    Metric("regsight_analytics_job_runs_total", "counter", ("job", "state")),
    Metric("regsight_analytics_job_last_success_timestamp_seconds", "gauge", ("job",)),
    Metric("regsight_analytics_late_rows_total", "counter"),
    Metric("regsight_analytics_amended_findings_total", "counter", ("change",)),
    Metric("regsight_analytics_model_drift", "gauge", ("model", "feature")),
    Metric("regsight_analytics_exhaustion_seconds", "gauge", ("limit",)),
    Metric("regsight_alerts_deliveries_total", "counter", ("channel", "result")),
    Metric("regsight_alerts_outbox_pending", "gauge"),
    Metric("regsight_alerts_detect_to_notify_seconds", "histogram"),
    Metric("regsight_alerts_event_to_notify_seconds", "histogram"),
    Metric("regsight_incident_detect_seconds", "histogram", ("severity",)),
    Metric("regsight_incident_notify_seconds", "histogram", ("severity",)),
    Metric("regsight_incident_acknowledge_seconds", "histogram", ("severity",)),
    Metric("regsight_incident_resolve_seconds", "histogram", ("severity",)),
    Metric("regsight_incidents_open", "gauge", ("severity",)),
)


# Labels that Prometheus adds at the scrape, and those that our own expressions make.
ADDED_LABELS = frozenset({"instance", "job", "exported_job", "task", "le"})


def series_names() -> set[str]:
    """Every name that an expression may hold."""
    return {name for metric in METRICS for name in metric.series()}


def series_labels() -> dict[str, set[str]]:
    """Per name: the labels that an expression may speak of."""
    return {name: {*metric.labels, *ADDED_LABELS} for metric in METRICS for name in metric.series()}
