"""The Parquet files of the event table: how rows are laid out in them, and what the log says of each.

They are written by pyarrow, in a third of the time that the Delta library takes for so many columns, and handed to it as
finished files. A name says what upkeep (`store.delta_upkeep`) found out of the rows:

- `single-…`: each id is in this file once, and in no other `single-` or `several-` file near it.
- `several-…`: ids that more than one row has; none of them is in a `single-` file near it.
- any other: nothing is known.

Near are the files of the day, of the day before and of the day after: parts of one event may stand on both sides of midnight.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from store.event import FIELDS, iso, schema
from store.settled import settle

SINGLE, SEVERAL, UNKNOWN = "single", "several", "part"

# What nearly every row has another value of; all else repeats within a file.
_UNLIKE = frozenset(
    ("event_id", "timestamp", "read_at", "request_id", "uri", "response_bytes", "request_bytes", "duration_ns", "offset",
     "parts")
)  # fmt: skip
_ALIKE = [field.name for field in FIELDS if field.name not in _UNLIKE]
# Of these the log tells the ends, and readers pass over files by them.
TOLD = ("timestamp", "stored_at")


@dataclass(frozen=True, slots=True)
class File:
    """A file as the table's log tells of it; 0 rows and no times where a repair could not tell."""

    name: str  # `day=…/….parquet`
    size: int
    rows: int
    day: str
    first: datetime | None
    last: datetime | None
    stored: datetime | None  # the last time at which one of its rows was stored

    @property
    def kind(self) -> str:
        found = self.name.rpartition("/")[2].partition("-")[0]
        return found if found in (SINGLE, SEVERAL) else UNKNOWN

    @property
    def whole(self) -> bool:
        """Whether it surely has every column of this release."""
        return f"-{_shape()}-" in self.name

    def within(self, since: datetime | None, until: datetime | None) -> bool:
        """Whether a row may be in [since, until)."""
        late = since is not None and self.last is not None and self.last < since
        early = until is not None and self.first is not None and self.first >= until
        return not (late or early)


def described(table: DeltaTable) -> list[File]:
    """Every file of the table."""
    adds: dict[str, list[Any]] = pa.table(table.get_add_actions(flatten=True)).to_pydict()
    nothing = [None] * len(adds["path"])
    columns = [adds.get(name, nothing) for name in ("min.timestamp", "max.timestamp", "max.stored_at")]
    told = zip(adds["path"], adds["size_bytes"], adds.get("num_records", nothing), adds["partition.day"], strict=True)
    return [
        File(unquote(name), int(size), int(rows or 0), day, *times)
        for (name, size, rows, day), times in zip(told, zip(*columns, strict=True), strict=True)
    ]


def write_files(folder: Path, rows: pa.Table) -> list[AddAction]:
    """One file for each day among the rows (with their column `day`), not yet in the table's log."""
    return [write_file(folder, day, part, new_name(UNKNOWN)) for day, part in _by_day(rows)]


@cache
def _shape() -> str:
    """Stands for the columns of this release in the names of files that have them all."""
    columns = " ".join(f"{field.name}:{field.type}" for field in schema())
    return blake2b(columns.encode(), digest_size=4).hexdigest()


def new_name(kind: str) -> str:
    return f"{kind}-{_shape()}-{uuid.uuid4().hex}"


def _by_day(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    days = pc.unique(rows["day"]).to_pylist()
    for day in days:
        part = rows if len(days) == 1 else rows.filter(pc.equal(rows["day"], day))
        yield day, part.drop_columns("day")


def write_file(folder: Path, day: str, rows: pa.Table, name: str, **layout: Any) -> AddAction:
    """`<name>.parquet` of one day, whole or not there at all; `layout` is more for pyarrow's writer."""
    path = folder / f"day={day}" / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    there = [column for column in _ALIKE if rows[column].null_count < rows.num_rows]
    settings: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": there,
        "write_statistics": list(TOLD),
        "write_page_checksum": True,
        "store_schema": False,
    }
    try:
        pq.write_table(rows, unfinished, **(settings | layout))
        size = unfinished.stat().st_size
        settle(unfinished)
        unfinished.replace(path)
        settle(path.parent)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    return AddAction(
        path=f"{path.parent.name}/{path.name}",
        size=size,
        partition_values={"day": day},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps(_stats(rows)),
    )


def _stats(rows: pa.Table) -> dict[str, Any]:
    found: dict[str, Any] = {"numRecords": rows.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    for name in TOLD:
        ends = pc.min_max(rows[name]).as_py()
        if ends["min"] is not None:
            found["minValues"][name], found["maxValues"][name] = iso(ends["min"]), iso(ends["max"])
        found["nullCount"][name] = rows[name].null_count
    return found


def throw_away(folder: Path, files: Sequence[AddAction | RemoveAction]) -> None:
    """Files that did not get into the log."""
    for file in files:
        with suppress(OSError):
            (folder / file.path).unlink()
