"""Hourly counts of `single-` files, made once by upkeep: `<store>/hours/<file>.<number>.parquet`.

Such a file never changes and each of its rows is a whole event, so its counts can be added up. A question is answered from
the smallest counts that have its fields; where there are none, or where the span cuts through an hour, from the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from store.delta_files import SINGLE, File

HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# From few rows to many.
COUNTED_BY: tuple[tuple[str, ...], ...] = (("registry", "action", "outcome", "reason"), ("actor",))
_SUMS = ("events", "bytes", "duration_sum", "durations")


def chosen(by: Sequence[str], width: timedelta | None) -> int | None:
    """Which counts answer a question by these fields; None if none do."""
    if width is not None and width % HOUR:
        return None
    return next((number for number, names in enumerate(COUNTED_BY) if set(by) <= set(names)), None)


class Hours:
    """The folder of counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def counted(self, files: Iterable[File], number: int, since: datetime, until: datetime) -> list[tuple[File, Path]]:
        """The files that need not be read for [since, until), with their counts."""
        try:
            there = {path.name for path in self._folder.iterdir()}
        except OSError:
            return []
        whole = _whole_hour(since) and _whole_hour(until)
        found = []
        for file in files:
            inside = file.first is not None and file.last is not None and file.first >= since and file.last < until
            name = _name(file.name, number)
            if name in there and (whole or inside):
                found.append((file, self._folder / name))
        return found

    def put(self, file: str, rows: pa.Table) -> None:
        """The counts of a file that holds these rows. All of them, or a part of them that is not used until it is whole."""
        self._folder.mkdir(exist_ok=True)
        for number, names in enumerate(COUNTED_BY):
            path = self._folder / _name(file, number)
            pq.write_table(_counts(rows, names), path.with_suffix(".tmp"), compression="zstd", compression_level=1)
            path.with_suffix(".tmp").replace(path)

    def keep(self, files: Iterable[File]) -> None:
        """Take away the counts of all other files."""
        kept = {_name(file.name, number) for file in files for number in range(len(COUNTED_BY)) if file.kind == SINGLE}
        if self._folder.exists():
            for path in self._folder.iterdir():
                if path.name not in kept:
                    with suppress(OSError):
                        path.unlink()


def _name(file: str, number: int) -> str:
    return f"{file.rpartition('/')[2].removesuffix('.parquet')}.{number}.parquet"


def _whole_hour(moment: datetime) -> bool:
    return not (moment - _EPOCH) % HOUR


def _counts(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """Columns window_us (start of the hour), `names`, and the sums."""
    hours = pc.floor_temporal(rows["timestamp"], unit="hour").cast(pa.int64())
    durations = rows["duration_ns"].cast(
        pa.float64(), safe=False
    )  # what a line claims may be more than whole numbers hold
    looked_at = rows.select(list(names)).append_column("window_us", hours).append_column("bytes", _bytes(rows))
    looked_at = looked_at.append_column("duration_ns", durations)
    measures = [([], "count_all"), ("bytes", "sum"), ("duration_ns", "sum"), ("duration_ns", "count")]
    found = looked_at.group_by(["window_us", *names]).aggregate(measures)
    sums = ["count_all", "bytes_sum", "duration_ns_sum", "duration_ns_count"]
    return found.select(["window_us", *names, *sums]).rename_columns(["window_us", *names, *_SUMS])


def _bytes(rows: pa.Table) -> pa.ChunkedArray:
    """As `store.sql.BYTES` says."""
    taken = pc.is_in(rows["action"], value_set=pa.array(["pull", "layer_download"]))
    given = pc.is_in(rows["action"], value_set=pa.array(["push", "layer_upload"]))
    sent = pc.if_else(given, pc.coalesce(rows["request_bytes"], rows["size_bytes"]), None)
    return pc.if_else(taken, rows["response_bytes"], sent)
