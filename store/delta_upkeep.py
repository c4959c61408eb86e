"""Upkeep of the event table: small files into large ones, each row where questions find it fast.

A day's new files are read and written anew, sorted by time, with Bloom filters over the names that people ask for. Rows
whose id is nowhere else go into `single-` files: what stands there needs no merging, so that counting is counting rows.
The rows of other ids go into `several-` files. Nobody is kept waiting: what was written anew takes the place of the old in
one commit, and only if the old is still there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from store.delta import EventTable
from store.delta_files import SEVERAL, SINGLE, UNKNOWN, File, new_name, throw_away, write_file
from store.delta_hours import Hours
from store.event import schema

log = logging.getLogger(__name__)

# At once in memory, about a kilobyte a row. A file is written anew when as many rows as a quarter of its own are new.
MOST_ROWS = 1_000_000
GROWS = 4
GROUP_ROWS = 128 << 10
TRIES = 3  # of a day, where another process takes its files away meanwhile
# What people ask for by name. One in a hundred looked for is read in vain.
_ASKED_FOR = ("digest", "reference", "actor", "client_ip", "repository")
_IN_VAIN = 0.01

# Held while files are written anew: two at once would take them from each other.
working = threading.Lock()


def pack(table: EventTable, hours: Hours) -> int:
    """How many files were replaced."""
    replaced = 0
    with working:
        for day in sorted({file.day for file in table.files(None, None)}):
            in_vain = 0
            while in_vain < TRIES and (old := _worn(table.files(day, day))):
                done = _rewrite(table, hours, day, old)
                if done == 0:
                    break
                in_vain += done is None
                replaced += done or 0
    return replaced


def _worn(files: Sequence[File]) -> list[File]:
    """What of a day is written anew together; nothing if that would gain nothing."""
    taken: list[File] = []
    rows = 0
    for file in sorted((file for file in files if file.kind == UNKNOWN), key=lambda file: file.rows):
        if taken and rows + file.rows > MOST_ROWS:
            break
        taken.append(file)
        rows += file.rows
    if not taken:
        return []
    for file in sorted((file for file in files if file.kind != UNKNOWN), key=lambda file: file.rows):
        if file.rows <= GROWS * rows and rows + file.rows <= MOST_ROWS:
            taken.append(file)
            rows += file.rows
    return taken


def _rewrite(table: EventTable, hours: Hours, day: str, old: list[File]) -> int | None:
    """Write files of a day anew; how many were replaced: 0 if nothing is gained by it, None if another process was faster."""
    near = [file for file in table.files(around(day)[0], around(day)[-1]) if file not in old]
    ids = _ids(table.folder, old)
    for file in [file for file in near if file.kind == SINGLE and file.day == day]:
        if pc.any(pc.is_in(_ids(table.folder, [file]), value_set=ids)).as_py():
            old.append(file)
            near.remove(file)
    rows = pa.concat_tables([read_file(table.folder / file.name) for file in old]).combine_chunks()
    kinds = _kinds(table.folder, rows["event_id"].combine_chunks(), near)
    new: list[AddAction] = []
    for kind in (SINGLE, SEVERAL, UNKNOWN):
        of_kind = pc.equal(kinds, kind)
        part = rows if pc.all(of_kind).as_py() else rows.filter(of_kind)
        if part.num_rows:
            new.append(_written(table.folder, day, part, new_name(kind)))
            if kind == SINGLE:
                hours.put(new[-1].path, part)
    if len(old) == len(new) == 1 and old[0].kind == UNKNOWN == _kind(new[0]):
        throw_away(table.folder, new)  # nothing was learned of it
        return 0
    if not table.exchange(old, new):
        throw_away(table.folder, new)
        return None
    return len(old) if not all(_kind(file) == UNKNOWN for file in new) else 0


def _kind(file: AddAction) -> str:
    return file.path.rpartition("/")[2].partition("-")[0]


def around(day: str) -> tuple[str, ...]:
    """The day before, the day, and the day after."""
    middle = date.fromisoformat(day)
    ways = [way for way in (-1, 0, 1) if 0 < middle.toordinal() + way <= date.max.toordinal()]
    return tuple(date.fromordinal(middle.toordinal() + way).isoformat() for way in ways)


def read_file(path: Path) -> pa.Table:
    """Rows in the event schema, also of an earlier release's file."""
    found = pq.read_table(path, partitioning=None)
    columns = [
        found[field.name].cast(field.type) if field.name in found.column_names else pa.nulls(found.num_rows, field.type)
        for field in schema()
    ]
    return pa.table(columns, schema=schema())


def _ids(folder: Path, files: Sequence[File]) -> pa.ChunkedArray:
    found = [pq.read_table(folder / file.name, columns=["event_id"], partitioning=None)["event_id"] for file in files]
    return pa.chunked_array([chunk for column in found for chunk in column.chunks], pa.string())


def _kinds(folder: Path, ids: pa.Array, near: Sequence[File]) -> pa.Array:
    """For each row the kind of file that it belongs into."""
    coded = ids.dictionary_encode()
    different = coded.dictionary
    counted = coded.indices.value_counts()
    times = pc.index_in(pa.array(range(len(different)), pa.int32()), value_set=counted.field("values"))
    elsewhere = pc.greater(counted.field("counts").take(times), 1)
    in_single = pa.repeat(False, len(different))
    for file in near:
        there = pc.is_in(different, value_set=_ids(folder, [file]).combine_chunks())
        if file.kind == SINGLE:
            in_single = pc.or_(in_single, there)
        else:
            elsewhere = pc.or_(elsewhere, there)
    kinds = pc.if_else(in_single, UNKNOWN, pc.if_else(elsewhere, SEVERAL, SINGLE))
    return kinds.take(coded.indices)


def _written(folder: Path, day: str, rows: pa.Table, name: str) -> AddAction:
    rows = rows.take(pc.sort_indices(rows, sort_keys=[("timestamp", "ascending"), ("event_id", "ascending")]))
    filters: dict[str, Any] = {}
    for column in _ASKED_FOR:
        different = pc.count_distinct(rows[column]).as_py()
        if different:
            filters[column] = {"ndv": min(different, GROUP_ROWS), "fpp": _IN_VAIN}
    return write_file(
        folder, day, rows, name, row_group_size=GROUP_ROWS, write_statistics=True, bloom_filter_options=filters or None
    )
