"""Bodies of bulk requests straight from columns: what `store.mapping.document` and `json` would give for one row each,
without an object per row. Where there is no compiled module, values that repeat are put into JSON once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from store.compiled import compiled
from store.event import BY_NAME, FIELDS, Field
from store.json_members import in_words, member, members, quoted

_ALWAYS = ("event_id", "timestamp")
_MEMBERS = {field.name: field.ecs for field in FIELDS}


def bodies(events: pa.Table, alias: str, most_rows: int, most_bytes: int) -> Sequence[tuple[int, int, bytes]]:
    """Requests that create each row as an event in the index of its day: (first row, row behind the last, body), each of at most
    so many rows and bytes; one row alone may be larger."""
    module = compiled()
    if module is not None:
        made: Sequence[tuple[int, int, bytes]] = module.bulk_bodies(events, _MEMBERS, alias, most_rows, most_bytes)
        return made
    lines = _lines(events, alias)
    return [(*cut, _body(lines, *cut)) for cut in _chunks(lines, most_rows, most_bytes)]


def _lines(events: pa.Table, alias: str) -> pa.BinaryArray:
    """For each row the action (`create` in its day's index) and the document, two lines."""
    ids = quoted(events["event_id"].combine_chunks())
    times = events["timestamp"].combine_chunks()
    index = in_words(times.cast(pa.date32()), f'{{"create":{{"_index":"{alias}-', "%Y.%m.%d", '","_id":')
    same: list[str] = []  # what every row says alike is one text
    columns: list[tuple[Field, pa.Array]] = []
    for field in FIELDS:
        values = events[field.name]
        if field.name in _ALWAYS or values.null_count == len(values):
            continue
        values = values.combine_chunks()
        if _alike(values):
            same += member(field, values[:1]).to_pylist()
        else:
            columns.append((field, values))
    # One copy of everything: both ends hang on to members that every row has.
    start = "".join(["}}\n{", *(f"{one}," for one in same)])
    first = pc.binary_join_element_wise(index, ids, f'{start}"{BY_NAME["event_id"].ecs}":', ids, "")
    last = pc.binary_join_element_wise(member(BY_NAME["timestamp"], times), "}\n", "")
    return pc.binary_join_element_wise(first, *members(columns), last, ",", null_handling="skip")


def _alike(values: pa.Array) -> bool:
    if values.null_count or pa.types.is_list(values.type) or not values[0].equals(values[-1]):
        return False
    ends = pc.min_max(values)
    return bool(ends["min"] == ends["max"])


def _chunks(lines: pa.BinaryArray, most_rows: int, most_bytes: int) -> Iterator[tuple[int, int]]:
    """Rows [start, end) that make one request each; one row alone may be larger."""
    ends = pc.cumulative_sum(pc.binary_length(lines).cast(pa.int64())).to_numpy()
    start = 0
    while start < len(lines):
        before = int(ends[start - 1]) if start else 0
        end = min(start + most_rows, int(ends.searchsorted(before + most_bytes, side="right")))
        end = max(end, start + 1)
        yield start, end
        start = end


def _body(lines: pa.BinaryArray, start: int, end: int) -> bytes:
    """The bytes of these rows."""
    offsets = memoryview(lines.buffers()[1]).cast("i")
    first = lines.offset + start
    return bytes(memoryview(lines.buffers()[2])[offsets[first] : offsets[first + end - start]])
