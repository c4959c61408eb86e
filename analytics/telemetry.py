"""Every metric that this folder emits. Labels come from closed sets: detectors, severities, jobs, states."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from store.finding import Severity

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class AnalyticsTelemetry:
    """Counts findings, detection runs and jobs on the registry object that it is given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._findings = Counter(
            "regsight_analytics_findings_total",
            "New findings.",
            ["detector", "severity"],
            registry=registry,
        )
        self._durations = Histogram(
            "regsight_analytics_detection_duration_seconds",
            "Time that one detector took for one span of events.",
            ["detector"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._runs = Counter(
            "regsight_analytics_job_runs_total", "Runs of jobs by how they ended.", ["job", "state"], registry=registry
        )
        self._last_success = Gauge(
            "regsight_analytics_job_last_success_timestamp_seconds",
            "When the job last ended well.",
            ["job"],
            registry=registry,
        )
        self._late = Counter(
            "regsight_analytics_late_rows_total",
            "Rows stored after the time that they tell of was judged.",
            registry=registry,
        )
        self._amended = Counter(
            "regsight_analytics_amended_findings_total",
            "Findings that late rows changed, by what became of them.",
            ["change"],
            registry=registry,
        )
        self._drift = Gauge(
            "regsight_analytics_model_drift",
            "Population stability index of the last week against the training, by feature; above 0.25 it is another world.",
            ["model", "feature"],
            registry=registry,
        )
        self._exhaustion = Gauge(
            "regsight_analytics_exhaustion_seconds",
            "Time until what is limited runs out, as forecast; negative when it has.",
            ["limit"],
            registry=registry,
        )

    def known(self, detectors: Iterable[str]) -> None:
        """Show every detector with 0 from the start, so that its first finding is an increase and not a new series."""
        for detector in detectors:
            for severity in Severity:
                self._findings.labels(detector, severity)

    def drift(self, model: str, feature: str, index: float) -> None:
        """How far a feature of the last week lies from what the model in service learned."""
        self._drift.labels(model, feature).set(index)

    def exhaustion(self, limit: str, seconds: float) -> None:
        """`limit` is a name of the settings, or a project with a quota."""
        self._exhaustion.labels(limit).set(seconds)

    def late(self, rows: int) -> None:
        """So many rows came late since the last look."""
        self._late.inc(rows)

    def amended(self, change: str) -> None:
        """A finding was judged again because of late rows; `change` is changed or withdrawn."""
        self._amended.labels(change).inc()

    def found(self, detector: str, severity: Severity) -> None:
        """A new finding; updates of a known one are not counted."""
        self._findings.labels(detector, str(severity)).inc()

    def detection(self, detector: str, seconds: float) -> None:
        """One detector has judged one span."""
        self._durations.labels(detector).observe(seconds)

    def job(self, name: str, state: str, finished_at: datetime) -> None:
        """A job run has ended with state ok or failed."""
        self._runs.labels(name, state).inc()
        if state == "ok":
            self._last_success.labels(name).set(finished_at.timestamp())
