"""Every metric that this folder emits."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# 1 s … 7 d: a pull that was noticed at once, and an outbox that waited over a long weekend.
_BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 345600, 604800)


class AlertsTelemetry:
    """Channel names come from the settings, results from a closed set: sent, retry, failed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._deliveries = Counter(
            "regsight_alerts_deliveries_total",
            "Attempts to deliver a finding to a channel, by how they ended.",
            ["channel", "result"],
            registry=registry,
        )
        self._pending = Gauge(
            "regsight_alerts_outbox_pending", "Deliveries that wait to be sent or retried.", registry=registry
        )
        self._from_detection = Histogram(
            "regsight_alerts_detect_to_notify_seconds",
            "From the detection of a finding to its delivery.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._from_event = Histogram(
            "regsight_alerts_event_to_notify_seconds",
            "From the last event of a finding to its delivery.",
            buckets=_BUCKETS,
            registry=registry,
        )

    def known(self, channels: list[str]) -> None:
        """Show every channel with 0 from the start, so that the first failure is an increase and not a new series."""
        for channel in channels:
            for result in ("sent", "retry", "failed"):
                self._deliveries.labels(channel, result)

    def sent(self, channel: str, since_detection: timedelta, since_event: timedelta) -> None:
        self._deliveries.labels(channel, "sent").inc()
        self._from_detection.observe(max(0.0, since_detection.total_seconds()))
        self._from_event.observe(max(0.0, since_event.total_seconds()))

    def retry(self, channel: str) -> None:
        self._deliveries.labels(channel, "retry").inc()

    def failed(self, channel: str) -> None:
        """Given up."""
        self._deliveries.labels(channel, "failed").inc()

    def pending(self, count: int) -> None:
        self._pending.set(count)
