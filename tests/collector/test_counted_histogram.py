"""Counts by the bucket give what single observations give."""

from __future__ import annotations

import random

from prometheus_client import CollectorRegistry, Histogram

from collector.counted_histogram import CountedHistogram
from collector.telemetry import CollectorTelemetry
from store.event import schema

BOUNDS = (0.005, 0.1, 1, 60)


def samples(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    found = (sample for family in registry.collect() if family.name == name for sample in family.samples)
    return {
        (sample.name, *map(str, sorted(sample.labels.items()))): round(sample.value, 6)
        for sample in found
        if not sample.name.endswith("_created")
    }


def test_as_single_observations() -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    singly = Histogram("seconds", "text", ("kind",), buckets=BOUNDS, registry=one)
    counted = CountedHistogram("seconds", "text", BOUNDS, ("kind",))
    other.register(counted)
    draw = random.Random(7)
    for kind in ("a", "b"):
        for value in (*BOUNDS, 1000.0, *(draw.lognormvariate(0, 3) for _ in range(200))):
            singly.labels(kind).observe(value)
            counted.add((kind,), sum(value > bound for bound in BOUNDS), 1, value)
    assert samples(one, "seconds") == samples(other, "seconds") != {}


def test_durations_of_a_batch() -> None:
    """On a bound, above all of them, and lines that say none."""
    import pyarrow as pa

    registry = CollectorRegistry()
    rows = [{"registry": "r", "action": "pull", "duration_ns": ns} for ns in (5_000_000, 6_000_000, 99 * 10**9, None)]
    CollectorTelemetry(registry).committed(pa.Table.from_pylist(rows, schema=schema()), 0.1)
    name, labels = "regsight_collector_request_duration_seconds", {"registry": "r", "action": "pull"}
    reached = {
        bound: registry.get_sample_value(f"{name}_bucket", labels | {"le": bound})
        for bound in ("0.005", "0.01", "60.0", "+Inf")
    }
    assert reached == {"0.005": 1, "0.01": 2, "60.0": 2, "+Inf": 3}
    assert registry.get_sample_value(f"{name}_sum", labels) == 99.011
