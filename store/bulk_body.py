"""Bodies of bulk requests straight from columns: the bytes that `store.mapping.document` and `json` would give for one row
each, without an object per row. Values that repeat are put into JSON once."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from store.event import BY_NAME, FIELDS, Field

_ALWAYS = ("event_id", "timestamp")
_ESCAPED = r'["\\\x00-\x1f]'


def create_lines(events: pa.Table, alias: str) -> pa.BinaryArray:
    """For each row the action (`create` in its day's index) and the document, two lines."""
    ids = _quoted(events["event_id"].combine_chunks())
    days = events["timestamp"].combine_chunks().cast(pa.date32())
    index = _put_once(days, f'{{"create":{{"_index":"{alias}-', "%Y.%m.%d", '","_id":')
    same: list[str] = []  # what every row says alike is one text
    members: list[pa.Array] = []
    for field in FIELDS:
        values = events[field.name].combine_chunks()
        if field.name in _ALWAYS or values.null_count == len(values):
            continue
        if _alike(values):
            same += _member(field, values[:1]).to_pylist()
        else:
            members.append(_member(field, values))
    # One copy of everything: both ends hang on to members that every row has.
    start = "".join(["}}\n{", *(f"{one}," for one in same)])
    first = pc.binary_join_element_wise(index, ids, f'{start}"{BY_NAME["event_id"].ecs}":', ids, "")
    last = pc.binary_join_element_wise(_member(BY_NAME["timestamp"], events["timestamp"].combine_chunks()), "}\n", "")
    return pc.binary_join_element_wise(first, *members, last, ",", null_handling="skip")


def _alike(values: pa.Array) -> bool:
    if values.null_count or pa.types.is_list(values.type):
        return False
    ends = pc.min_max(values)
    return bool(ends["min"] == ends["max"])


def chunks(lines: pa.BinaryArray, most_rows: int, most_bytes: int) -> Iterator[tuple[int, int]]:
    """Rows [start, end) that make one request each; one row alone may be larger."""
    ends = pc.cumulative_sum(pc.binary_length(lines).cast(pa.int64())).to_numpy()
    start = 0
    while start < len(lines):
        before = int(ends[start - 1]) if start else 0
        end = min(start + most_rows, int(ends.searchsorted(before + most_bytes, side="right")))
        end = max(end, start + 1)
        yield start, end
        start = end


def body(lines: pa.BinaryArray, start: int, end: int) -> memoryview:
    """The bytes of these rows; no copy."""
    offsets = memoryview(lines.buffers()[1]).cast("i")
    first = lines.offset + start
    return memoryview(lines.buffers()[2])[offsets[first] : offsets[first + end - start]]


def _member(field: Field, values: pa.Array) -> pa.Array:
    """`"name":value` for each row, null where there is none."""
    name = f'"{field.ecs}":'
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.string())
    if field.kind == "time":
        return _times(name, values)
    if field.kind == "string":
        return _text(name, values)
    if field.kind == "strings":
        return _list(name, values)
    return pc.binary_join_element_wise(name, values.cast(pa.string()), "")


def _put_once(times: pa.Array, before: str, format: str, behind: str) -> pa.Array:
    """Times in words, each different one made once: rows are read and stored many at a time."""
    coded = times.dictionary_encode()
    words = pc.binary_join_element_wise(before, pc.strftime(coded.dictionary, format=format), behind, "")
    return words.take(coded.indices)


def _times(name: str, values: pa.Array) -> pa.Array:
    """As `store.event.iso` writes them: the seconds put into words once each, the microseconds as numbers of six digits."""
    seconds = pc.floor_temporal(values, unit="second")
    begun = _put_once(seconds.cast(pa.timestamp("s", "UTC")), name + '"', "%Y-%m-%dT%H:%M:%S.", "")
    rest = pc.subtract(values.cast(pa.int64()), seconds.cast(pa.int64()))
    digits = pc.binary_slice(pc.add(rest, 1_000_000).cast(pa.string()).cast(pa.binary()), 1, 7).cast(pa.string())
    return pc.binary_join_element_wise(begun, digits, 'Z"', "")


def _text(name: str, values: pa.Array) -> pa.Array:
    coded = values.dictionary_encode()
    if 2 * len(coded.dictionary) > len(values):
        return pc.binary_join_element_wise(name, _quoted(values), "")
    return pc.binary_join_element_wise(name, _quoted(coded.dictionary), "").take(coded.indices)


def _quoted(values: pa.Array) -> pa.Array:
    """JSON strings; asked of each value only where one of them needs more than quotes."""
    if pc.any(pc.match_substring_regex(values, _ESCAPED)).as_py():
        return pa.array(
            [None if text is None else orjson.dumps(text).decode() for text in values.to_pylist()], pa.string()
        )
    return pc.binary_join_element_wise('"', values, '"', "")


def _list(name: str, values: pa.Array) -> pa.Array:
    lengths = pc.list_value_length(values)
    if pc.min_max(lengths).as_py() == {"min": 1, "max": 1} and not values.null_count:
        return pc.binary_join_element_wise(name + "[", _quoted(values.flatten()), "]", "")
    texts = [name + orjson.dumps(each).decode() if each else None for each in values.to_pylist()]
    return pa.array(texts, pa.string())
