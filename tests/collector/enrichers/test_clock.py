"""A time that cannot be is marked, and kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from collector.enrichers.clock import ENRICH
from store.event import schema

READ = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "mark"),
    [
        (READ, None),
        (READ + timedelta(minutes=5), None),
        (READ + timedelta(minutes=5, seconds=1), "ahead"),
        (datetime(2100, 1, 1, tzinfo=UTC), "ahead"),
        (READ - timedelta(days=4000), None),
        (datetime(1970, 1, 1, tzinfo=UTC), "unset"),
    ],
)
def test_a_time_that_cannot_be_is_marked(time, mark):
    rows = [{"timestamp": one, "read_at": READ} for one in (READ, time)]
    found = ENRICH(pa.Table.from_pylist(rows, schema()))
    assert found["clock_skew"].to_pylist() == [None, mark]
    assert found["timestamp"].to_pylist() == [READ, time]
    assert found.schema == schema()
