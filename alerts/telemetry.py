"""Every metric that this folder emits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from store.finding import Severity

# 1 s … 7 d: a pull that was noticed at once, and an outbox that waited over a long weekend.
_BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 345600, 604800)


class AlertsTelemetry:
    """Channel names come from the settings, results and severities from closed sets."""

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
        self._steps = {
            "detect": _step(registry, "detect", "From an incident's first event to its detection."),
            "notify": _step(registry, "notify", "From an incident's detection to the first message that was sent."),
            "acknowledge": _step(registry, "acknowledge", "From an incident's detection to its acknowledgement."),
            "resolve": _step(registry, "resolve", "From an incident's detection until it was closed."),
        }
        self._open = Gauge(
            "regsight_incidents_open",
            "Incidents that nobody has closed yet, acknowledged ones included.",
            ["severity"],
            registry=registry,
        )

    def known(self, channels: list[str]) -> None:
        """Show every channel with 0 from the start, so that the first failure is an increase and not a new series."""
        for channel in channels:
            for result in ("sent", "retry", "failed"):
                self._deliveries.labels(channel, result)

    def sent(
        self, channel: str, since_detection: timedelta | None = None, since_event: timedelta | None = None
    ) -> None:
        """`since_…` where it was news: a reminder says nothing of how fast somebody was told."""
        self._deliveries.labels(channel, "sent").inc()
        if since_detection is not None:
            self._from_detection.observe(max(0.0, since_detection.total_seconds()))
        if since_event is not None:
            self._from_event.observe(max(0.0, since_event.total_seconds()))

    def retry(self, channel: str) -> None:
        self._deliveries.labels(channel, "retry").inc()

    def failed(self, channel: str) -> None:
        """Given up."""
        self._deliveries.labels(channel, "failed").inc()

    def incident(self, step: str, severity: Severity, seconds: float) -> None:
        """An incident reached a step: detect, notify, acknowledge, resolve."""
        self._steps[step].labels(str(severity)).observe(max(0.0, seconds))

    def open_incidents(self, counts: Mapping[Severity, int]) -> None:
        """How many are open; a severity that is left out has none."""
        for severity in Severity:
            self._open.labels(str(severity)).set(counts.get(severity, 0))

    def pending(self, count: int) -> None:
        self._pending.set(count)


def _step(registry: CollectorRegistry, name: str, text: str) -> Histogram:
    return Histogram(f"regsight_incident_{name}_seconds", text, ["severity"], buckets=_BUCKETS, registry=registry)
