"""Captured files as a store would hold them: read, enriched, the parts of each request merged, in order of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from format_samples import SAMPLES, block, formats

from collector.recognise import recognise
from regsight.discover import enrichers
from store.merge import merge


@cache
def captured(*paths: str) -> Sequence[dict[str, Any]]:
    """The events of some sample files of one registry."""
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in paths:
        data = (SAMPLES / path).read_bytes()
        parsed = recognise(data[:65_536], list(formats().values())).parse(block(data))
        assert parsed.rejects == []
        events = parsed.events
        for enrich in enrichers():
            events = enrich(events)
        for row in events.to_pylist():
            parts[row["event_id"]].append(row | {"stream": path})
    return sorted(map(merge, parts.values()), key=lambda event: (event["timestamp"], event["event_id"]))
