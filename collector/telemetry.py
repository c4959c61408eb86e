"""Every metric the collector emits. Label values come from closed sets: names from the settings, enums, reasons.

`registry` and `source` are names from the settings; client classes come from the table of `enrichers/client.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from collector.counted_histogram import CountedHistogram
from store.contract import DeadLetter

if TYPE_CHECKING:
    import pyarrow as pa

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ROW_BUCKETS = (1, 10, 100, 1_000, 5_000, 20_000, 50_000)
REASONS_KEPT = 40  # a reason is a closed word; should a format ever put text into it, the rest becomes "other"


class CollectorTelemetry:
    """The collector's figures in one registry object of the caller's (never the client's global one)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"regsight_collector_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"regsight_collector_{name}", text, ("source",), registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
            return Histogram(f"regsight_collector_{name}", text, labels, buckets=buckets, registry=registry)

        keys = ("registry", "action", "outcome", "client_class")
        self._events = counter("events_total", "Events stored", keys)
        self._event_bytes = counter("event_bytes_total", "Bytes moved as the logs say", ("registry", "action"))
        self._answers = counter("answers_total", "Answers of the registry, by class", ("registry", "status_class"))
        self._durations = CountedHistogram(
            "regsight_collector_request_duration_seconds",
            "Time the registry took to answer",
            DURATION_BUCKETS,
            ("registry", "action"),
        )
        registry.register(self._durations)
        self._lines = counter("lines_total", "Lines read, by what became of them", ("source", "result"))
        self._dead = counter("dead_letters_total", "Lines nobody could read", ("source", "reason"))
        self._read = counter("read_bytes_total", "Bytes read", ("source",))
        self._lag_bytes = gauge("lag_bytes", "Bytes written by the source and not yet stored")
        self._lag_seconds = gauge("lag_seconds", "Age of the newest stored event while there is unread data, else 0")
        self._watermark = gauge("watermark_timestamp_seconds", "Time of the newest stored event, never in the future")
        self._batches = counter("batches_total", "Batches committed")
        self._batch_rows = histogram("batch_rows", "Rows in a batch", ROW_BUCKETS)
        self._commits = counter("commits_total", "Attempts to commit", ("result",))
        self._commit_seconds = histogram("commit_duration_seconds", "Time a commit took", DURATION_BUCKETS)
        self._store_errors = counter("store_errors_total", "Commits that failed", ("kind",))
        self._requests = counter("receiver_requests_total", "Requests to the receiver", ("endpoint", "status_class"))
        self._failures = counter("source_failures_total", "Times a source failed and was started again", ("source",))
        self._dropped = counter(
            "syslog_dropped_total", "Connections refused or closed, and datagrams lost", ("source", "reason")
        )
        self._gaps = counter("gaps_total", "Losses noticed: what is missing, or cannot be read", ("source", "kind"))
        shape = ("source", "format")
        self._unread = Gauge(
            "regsight_collector_unread_ratio",
            "Share of the lines of the last ten minutes of reading that nobody could read",
            shape,
            registry=registry,
        )
        self._new_fields = Gauge(
            "regsight_collector_new_fields",
            "JSON fields in the lines of the last ten minutes of reading that were never seen before",
            shape,
            registry=registry,
        )
        self._empty = Gauge(
            "regsight_collector_empty_ratio",
            "Share of the events of the last ten minutes of reading without the field",
            (*shape, "field"),
            registry=registry,
        )
        self._reasons: set[str] = set()

    def read(self, source: str, read_bytes: int, events: int, ignored: int, dead: list[DeadLetter]) -> None:
        """One block of a source and what became of its lines."""
        self._read.labels(source).inc(read_bytes)
        for result, count in (("event", events), ("dead_letter", len(dead)), ("ignored", ignored)):
            self._lines.labels(source, result).inc(count)
        for letter in dead:
            self._dead.labels(source, self._closed(letter.reason)).inc()

    def _closed(self, reason: str) -> str:
        if reason not in self._reasons and len(self._reasons) >= REASONS_KEPT:
            return "other"
        self._reasons.add(reason)
        return reason

    def committed(self, events: pa.Table, seconds: float) -> None:
        """A batch that the store took."""
        self._batches.inc()
        self._batch_rows.observe(events.num_rows)
        self._commits.labels("ok").inc()
        self._commit_seconds.observe(seconds)
        if events.num_rows:
            self._count_events(events)
            self._observe_durations(events)

    def _count_events(self, events: pa.Table) -> None:
        import pyarrow.compute as pc

        keys = ["registry", "action", "outcome", "client_class"]
        for row in events.select(keys).group_by(keys).aggregate([([], "count_all")]).to_pylist():
            self._events.labels(*(row[key] or "" for key in keys)).inc(row["count_all"])
        answers = events.select(["registry"]).append_column("class", pc.divide(events["status"], 100))
        for row in answers.group_by(["registry", "class"]).aggregate([([], "count_all")]).to_pylist():
            if row["class"] is not None and 1 <= row["class"] <= 5:
                self._answers.labels(row["registry"] or "", f"{row['class']}xx").inc(row["count_all"])
        answered = pc.fill_null(events["response_bytes"], 0)
        asked = pc.fill_null(events["request_bytes"], 0)
        moved = events.select(["registry", "action"]).append_column("bytes", pc.add(answered, asked))
        for row in moved.group_by(["registry", "action"]).aggregate([("bytes", "sum")]).to_pylist():
            self._event_bytes.labels(row["registry"] or "", row["action"] or "").inc(max(0, row["bytes_sum"] or 0))

    def _observe_durations(self, events: pa.Table) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        timed = events.select(["registry", "action", "duration_ns"]).filter(pc.is_valid(events["duration_ns"]))
        seconds = timed["duration_ns"].to_numpy() / 1e9
        places = pa.array(np.searchsorted(DURATION_BUCKETS, seconds))
        counted = timed.select(["registry", "action"]).append_column("place", places)
        counted = counted.append_column("seconds", pa.array(seconds))
        measures: list[Any] = [([], "count_all"), ("seconds", "sum")]
        for row in counted.group_by(["registry", "action", "place"]).aggregate(measures).to_pylist():
            key = (row["registry"] or "", row["action"] or "")
            self._durations.add(key, row["place"], row["count_all"], row["seconds_sum"])

    def commit_failed(self, kind: str) -> None:
        """`kind`: unavailable or rejected."""
        self._commits.labels(kind).inc()
        self._store_errors.labels(kind).inc()

    def lag(self, source: str, unstored_bytes: int, seconds: float) -> None:
        self._lag_bytes.labels(source).set(unstored_bytes)
        self._lag_seconds.labels(source).set(seconds)

    def watermark(self, source: str, newest: float) -> None:
        """Up to when the source has told what happened; seconds since the epoch."""
        self._watermark.labels(source).set(newest)

    def source_failed(self, source: str) -> None:
        self._failures.labels(source).inc()

    def dropped(self, source: str, reason: str, count: int = 1) -> None:
        """What a syslog receiver did not take; `reason` is one of `syslog_server.REASONS`."""
        self._dropped.labels(source, reason).inc(count)

    def gap(self, source: str, kind: str) -> None:
        """A loss that was noticed; `kind` is one of `gaps.KINDS`."""
        self._gaps.labels(source, kind).inc()

    def looks(self, source: str, format: str, unread: float, new_fields: int, empty: dict[str, float]) -> None:
        """How the lines of a source and format look just now; `empty`: field of the event → share of events without it."""
        self._unread.labels(source, format).set(unread)
        self._new_fields.labels(source, format).set(new_fields)
        for name, share in empty.items():
            self._empty.labels(source, format, name).set(share)

    def request(self, endpoint: str, status: int) -> None:
        """One request to the receiver; `endpoint` is a configured path, or "other"."""
        self._requests.labels(endpoint, f"{status // 100}xx").inc()
