"""Sources run to their end into a real store, and what tests ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from format_samples import formats
from prometheus_client import CollectorRegistry

from collector.backoff import Backoff
from collector.feed import Feed
from collector.pipeline import Pipeline, Summary
from collector.stages import Source
from collector.telemetry import CollectorTelemetry
from store.contract import EventQuery, Store
from store.locate import open_store

DEADLINE_SECONDS = 30.0


@contextmanager
def embedded(folder: Path) -> Iterator[Store]:
    store = open_store(f"delta:{folder}")
    try:
        yield store
    finally:
        store.close()


def pipeline(store: Any, source: Source, format_name: str | None = None, **options: Any) -> Pipeline:
    """One source, all formats, no enrichers."""
    return Pipeline(
        store,
        [Feed(source=source, format=format_name)],
        list(formats().values()),
        [],
        CollectorTelemetry(CollectorRegistry()),
        **({"batch_seconds": 0.1, "backoff": lambda: Backoff(first=0.01, ceiling=0.05)} | options),
    )


def collect(store: Any, source: Source, format_name: str | None = None, **options: Any) -> Summary:
    """Run a source that ends by itself."""
    return pipeline(store, source, format_name, **options).run()


def events(store: Store) -> list[dict[str, Any]]:
    return list(store.events(EventQuery()))


def until(true: Callable[[], object], what: str = "it") -> None:
    """Wait for a condition, and fail where it does not come true in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)
