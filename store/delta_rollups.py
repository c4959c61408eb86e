"""The hourly counts of dropped days, as a second Delta table beside the events: `<store>/rollups`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import deltalake
import pyarrow as pa
import pyarrow.compute as pc

from store.delta import day_of, delta_errors
from store.frames import ROLLUP, ROLLUP_BY, rollup_frame

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = pa.schema(
    [
        pa.field("window_start", pa.timestamp("us", tz="UTC")),
        *(pa.field(name, pa.string()) for name in ROLLUP_BY),
        pa.field("events", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("day", pa.string()),
        pa.field("batch", pa.int64()),
    ]
)


class RollupTable:
    """Made with the first day that is dropped."""

    def __init__(self, folder: Path) -> None:
        self._uri = folder.absolute().as_uri()

    def put(self, day: str, batch: int, counts: pd.DataFrame) -> None:
        """In place of what the same batch of the day put before."""
        rows = pa.Table.from_pandas(counts.assign(day=day, batch=batch), schema=SCHEMA, preserve_index=False)
        with delta_errors():
            deltalake.DeltaTable.create(self._uri, SCHEMA, mode="ignore", partition_by=["day", "batch"])
            table = deltalake.DeltaTable(self._uri)
            if rows.num_rows:
                chosen = f"day = '{day}' AND batch = {batch}"
                deltalake.write_deltalake(table, rows, mode="overwrite", predicate=chosen)

    def read(self, since: datetime, until: datetime) -> pd.DataFrame:
        if not deltalake.DeltaTable.is_deltatable(self._uri):
            return rollup_frame({name: [] for name in ROLLUP})
        with delta_errors():
            days = [("day", ">=", day_of(since)), ("day", "<=", day_of(until))]
            rows = deltalake.DeltaTable(self._uri).to_pyarrow_table(filters=days)
        start = rows["window_start"]
        first, end = (pa.scalar(moment, start.type) for moment in (since, until))
        rows = rows.filter(pc.and_(pc.greater_equal(start, first), pc.less(start, end)))
        return rollup_frame({name: rows[name].to_pylist() for name in ROLLUP})

    def drop(self, before: str) -> int:
        """How many rows went."""
        if not deltalake.DeltaTable.is_deltatable(self._uri):
            return 0
        with delta_errors():
            table = deltalake.DeltaTable(self._uri)
            old = pc.less(table.to_pyarrow_table(columns=["day"])["day"], before)
            count = int(pc.sum(old).as_py() or 0)
            if count:
                table.delete(f"day < '{before}'")
                table.vacuum(24, dry_run=False, enforce_retention_duration=False)
        return count
