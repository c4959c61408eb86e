"""The quick way from Arrow to dictionaries says what `to_pylist` says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from store.event import schema
from store.plain import plain_rows

START = datetime(2026, 11, 24, 12, 0, 0, 1, tzinfo=UTC)
ROWS = [
    {
        "event_id": f"r-{number}",
        "timestamp": START + timedelta(microseconds=number),
        "action": "pull" if number % 3 else None,
        "status": 200 if number % 2 else None,
        "revision": number,
        "duration_ns": (1 << 62) + number,
        "parts": [f"s:{number}"] * (number % 3),
    }
    for number in range(50)
]


def test_as_pyarrow_says_it() -> None:
    table = pa.Table.from_pylist(ROWS, schema=schema())
    assert plain_rows(table) == table.to_pylist()
    assert plain_rows(table.slice(0, 0)) == []


def test_pieces_and_chosen_columns() -> None:
    """Slices keep their offsets, chunks their order; null lists are no empty ones."""
    table = pa.Table.from_pylist([*ROWS, {"event_id": "without"}], schema=schema())
    parts = pa.concat_tables([table.slice(40), table.slice(3, 9)])
    names = ["parts", "action", "timestamp", "status"]
    assert plain_rows(parts, names) == parts.select(names).to_pylist()
    for batch in parts.to_batches(max_chunksize=4):
        assert plain_rows(batch) == batch.to_pylist()
