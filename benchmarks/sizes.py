"""How many bytes an event takes: the raw log, gzip of it, the Delta table after upkeep, and Elasticsearch by `_stats`.

`python -m benchmarks.sizes LOG [ELASTICSEARCH_URL]` prints one line of JSON; docs/scale.md shows what it said.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.store import _pipeline
from store.locate import open_store


def sizes(log: Path, server: str | None) -> dict[str, Any]:
    """Bytes of each, and how many events and lines there are."""
    raw = log.read_bytes()
    told: dict[str, Any] = {"lines": raw.count(b"\n"), "raw": len(raw), "gzip": len(gzip.compress(raw, 6))}
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"delta:{folder}/s")
        _pipeline(store, [str(log)], follow=False).run()
        told["events"] = store.total()
        told["delta_as_written"] = sum(day.bytes for day in store.days())
        store.maintain(datetime.now(UTC), None)
        told["delta"] = sum(day.bytes for day in store.days())
        store.close()
    if server:
        store = open_store(f"{server}?namespace=sizes")
        _pipeline(store, [str(log)], follow=False).run()
        told["elasticsearch_events"] = store.total()
        told["elasticsearch_as_written"] = sum(day.bytes for day in store.days())
        merge = f"{server}/regsight-events-sizes/_forcemerge?max_num_segments=1"
        with urllib.request.urlopen(urllib.request.Request(merge, method="POST"), timeout=600):
            told["elasticsearch_merged"] = sum(day.bytes for day in store.days())
        store.close()
    return told


if __name__ == "__main__":
    print(json.dumps(sizes(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)))
