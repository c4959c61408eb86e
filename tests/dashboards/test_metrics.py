"""The metrics the boards count on are those that the stages export, and they are named as Prometheus wants it."""

from __future__ import annotations

import re

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from alerts.telemetry import AlertsTelemetry
from analytics.telemetry import AnalyticsTelemetry
from collector.telemetry import CollectorTelemetry
from dashboards.metrics import METRICS, series_names


@pytest.fixture(scope="module")
def registry():
    """All three stages on one fresh registry."""
    registry = CollectorRegistry()
    for telemetry in (CollectorTelemetry, AnalyticsTelemetry, AlertsTelemetry):
        telemetry(registry)
    return registry


def sample_name(family):
    """The name as written in expressions: the client takes `_total` off a counter's."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels_of(registry):
    """Family → its label names, which a family without children does not show in its samples."""
    return {collector.describe()[0].name: tuple(collector._labelnames) for collector in registry._collector_to_names}


def test_contract_equals_what_is_exported(registry):
    """Name, type and labels of every metric are the same in `dashboards.metrics` and in the telemetry files."""
    labels = labels_of(registry)
    exported = {(sample_name(f), f.type, labels[f.name]) for f in registry.collect()}
    assert exported == {(metric.name, metric.kind, metric.labels) for metric in METRICS}


def test_series_names_are_those_of_the_exposition(registry):
    """A histogram is asked for by its suffixes, anything else by its name."""
    assert "regsight_collector_batch_rows_bucket" in series_names()
    shown = set(re.findall(r"^(regsight_\w+?)(?:\{| )", generate_latest(registry).decode(), re.MULTILINE))
    assert {name for name in shown if not name.endswith("_created")} <= series_names()


# The rules of promlint (client_golang), as far as they apply to a client that writes types itself.
UNITS = {"seconds", "bytes", "ratio", "celsius", "meters", "grams", "joules", "volts", "amperes", "kelvin"}
SCALED = re.compile(
    r"_(?:milli|micro|nano|kilo|mega|giga|kibi|mebi|gibi)?"
    r"(?:milliseconds|microseconds|nanoseconds|ms|us|ns|minutes|hours|days|weeks|kilobytes|megabytes|kb|mb|gb|percent)"
    r"(?:_|$)"
)
TYPE_WORDS = {"counter", "gauge", "histogram", "summary", "untyped", "metric"}
ABBREVIATIONS = {"s", "sec", "secs", "b", "byte", "second", "cnt", "num", "avg", "pct", "dur", "req", "resp", "msg"}


def lint(name, kind, text, labels):
    """What promlint would say of one metric."""
    words = name.split("_")
    if not text.strip():
        yield "no help text"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or "__" in name:
        yield "not snake_case"
    if kind == "counter" and not name.endswith("_total"):
        yield "a counter without _total"
    if kind != "counter" and name.endswith("_total"):
        yield "_total on something else than a counter"
    if kind not in {"histogram", "summary"} and name.endswith(("_count", "_sum", "_bucket")):
        yield "a suffix that belongs to histograms"
    if set(words) & TYPE_WORDS:
        yield "its type in its name"
    if set(words) & ABBREVIATIONS:
        yield "an abbreviation, or a unit in the singular"
    if SCALED.search(name):
        yield "not a base unit"
    unit = UNITS & set(words)
    if unit and not re.search(r"_(seconds|bytes|ratio)(_total)?$", name):
        yield "a unit that is not at the end"
    if "timestamp" in words and not name.endswith("_timestamp_seconds"):
        yield "an instant that is not _timestamp_seconds"
    for label in labels:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", label) or label in {"le", "quantile"}:
            yield f"label {label}"
        if label in {"repository", "actor", "user", "digest", "tag", "client", "ip", "url", "error", "message"}:
            yield f"label {label} has no bound"


def test_names_follow_the_ecosystem(registry):
    """promlint has nothing to say about any exported metric, and each starts with our prefix and what it is of."""
    labels = labels_of(registry)
    said = {
        sample_name(f): problems
        for f in registry.collect()
        if (problems := list(lint(sample_name(f), f.type, f.documentation, labels[f.name])))
    }
    assert said == {}
    assert all(re.match(r"regsight_(collector|analytics|alerts|incidents?)_", f.name) for f in registry.collect())


@pytest.mark.parametrize(
    ("name", "kind", "labels"),
    [
        ("regsight_lines", "counter", ()),
        ("regsight_lines_total", "gauge", ()),
        ("regsight_lag_milliseconds", "gauge", ()),
        ("regsight_lag_sec", "gauge", ()),
        ("regsight_bytes_read", "gauge", ()),
        ("regsight_lag_gauge", "gauge", ()),
        ("regsightLag", "gauge", ()),
        ("regsight_rows_count", "gauge", ()),
        ("regsight_start_timestamp", "gauge", ()),
        ("regsight_pulls_total", "counter", ("repository",)),
        ("regsight_pulls_total", "counter", ("le",)),
    ],
)
def test_lint_sees(name, kind, labels):
    """Each bad habit is reported."""
    assert list(lint(name, kind, "help", labels))
