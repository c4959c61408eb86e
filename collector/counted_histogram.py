"""A histogram that takes counts: a batch of 20,000 rows is a few dozen additions, not 20,000 observations."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class CountedHistogram(Collector):
    """To be registered by its owner. `buckets` are upper bounds, ascending, without infinity; a value equal to a bound is in it."""

    def __init__(self, name: str, text: str, buckets: Sequence[float], labels: tuple[str, ...]) -> None:
        self._name, self._text, self._labelnames = (
            name,
            text,
            labels,
        )  # the last is called so in the client's own metrics
        self._bounds = [*(repr(float(bound)) for bound in buckets), "+Inf"]
        self._lock = threading.Lock()
        self._found: dict[tuple[str, ...], tuple[list[int], float]] = {}

    def add(self, labels: tuple[str, ...], place: int, count: int, total: float) -> None:
        """`count` values whose sum is `total`, all in the bucket at `place` (behind the last bound: in that of infinity)."""
        with self._lock:
            counts, before = self._found.get(labels, ([0] * len(self._bounds), 0.0))
            counts[place] += count
            self._found[labels] = counts, before + total

    def describe(self) -> list[Metric]:
        return [HistogramMetricFamily(self._name, self._text, labels=self._labelnames)]

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labelnames)
        with self._lock:
            found = {labels: (list(counts), total) for labels, (counts, total) in self._found.items()}
        for labels, (counts, total) in found.items():
            reached, buckets = 0, []
            for bound, count in zip(self._bounds, counts, strict=True):
                reached += count
                buckets.append((bound, float(reached)))
            family.add_metric(labels, buckets, total)
        yield family
