"""Columns of events as members of JSON objects, text by text in Arrow: `"name":value` for each row, null where there is none.

Texts are put into JSON once for each different value, and columns of few values together once for each different combination:
what joining the members of a document costs, it costs for each member.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from store.event import Field

FEW = 64  # different values of a column that is put into words with others
_LOOKED_AT = 512  # rows that show whether a column's values repeat
_SECOND = 1_000_000  # µs


def members(columns: Sequence[tuple[Field, pa.Array]]) -> list[pa.Array]:
    """Members of all columns (each has values), in no certain order; one array may hold those of several columns."""
    made: list[pa.Array] = []
    few: list[tuple[Field, pa.DictionaryArray]] = []
    for field, values in columns:
        if field.kind in ("time", "strings") or not _repeats(values):
            made.append(member(field, values))
            continue
        coded = values.dictionary_encode()
        if len(coded.dictionary) <= FEW:
            few.append((field, coded))
        elif 2 * len(coded.dictionary) > len(values):
            made.append(member(field, values))
        else:
            made.append(member(field, coded.dictionary).take(coded.indices))
    return [*made, _together(few)] if few else made


def member(field: Field, values: pa.Array) -> pa.Array:
    """One column, value by value."""
    name = f'"{field.ecs}":'
    if field.kind == "time":
        return _times(name, values)
    if field.kind == "strings":
        return _list(name, values)
    texts = quoted(values) if field.kind == "string" else values.cast(pa.string())
    return pc.binary_join_element_wise(name, texts, "")


def in_words(times: pa.Array, before: str, format: str, behind: str) -> pa.Array:
    """Times in words, each different one made once: rows are read and stored many at a time."""
    coded = times.dictionary_encode()
    words = pc.binary_join_element_wise(before, pc.strftime(coded.dictionary, format=format), behind, "")
    return words.take(coded.indices)


def quoted(values: pa.Array) -> pa.Array:
    """JSON strings; asked of each value only where one of them needs more than quotes."""
    if _escaped(values):
        return pa.array(
            [None if text is None else orjson.dumps(text).decode() for text in values.to_pylist()], pa.string()
        )
    return pc.binary_join_element_wise('"', values, '"', "")


def _repeats(values: pa.Array) -> bool:
    """Whether it is worth while to look for equal values; ids are not."""
    head = values[:_LOOKED_AT]
    return len(values) <= _LOOKED_AT or 4 * len(head.unique()) < 3 * len(head)


def _together(few: Sequence[tuple[Field, pa.DictionaryArray]]) -> pa.Array:
    """The members of columns of few values: each combination that occurs is made once."""
    rows = len(few[0][1])
    numbers, sizes = np.zeros(rows, np.int64), 1
    for _, coded in few:
        size = len(coded.dictionary) + 1  # behind the values: none
        if sizes * size >= 1 << 62:
            found = pa.array(numbers).dictionary_encode()
            numbers, sizes = found.indices.to_numpy().astype(np.int64), len(found.dictionary)
        numbers = numbers * size + coded.indices.fill_null(size - 1).to_numpy()
        sizes *= size
    found = pa.array(numbers).dictionary_encode()
    # A row that has the combination stands for all of them.
    example = np.empty(len(found.dictionary), np.int64)
    example[found.indices.to_numpy()] = np.arange(rows)
    told = [member(field, coded.dictionary).take(coded.indices.take(pa.array(example))) for field, coded in few]
    texts = pc.binary_join_element_wise(*told, ",", null_handling="skip")
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    return texts.take(found.indices)


def _times(name: str, values: pa.Array) -> pa.Array:
    """As `store.event.iso` writes them: the seconds put into words once each, the microseconds as numbers of six digits."""
    micros = values.cast(pa.int64()).fill_null(0).to_numpy()
    seconds = np.floor_divide(micros, _SECOND)
    begun = in_words(pa.array(seconds).cast(pa.timestamp("s", "UTC")), name + '"', "%Y-%m-%dT%H:%M:%S.", "")
    digits = _bytes_of(pa.array(micros - seconds * _SECOND + _SECOND).cast(pa.string()))
    # Seven digits each, of which the first is no part of it.
    six = np.ascontiguousarray(np.frombuffer(digits, np.uint8).reshape(-1, 7)[:, 1:])
    ends = pa.py_buffer(np.arange(0, six.size + 1, 6, dtype=np.int32))
    rest = pa.StringArray.from_buffers(len(values), ends, pa.py_buffer(six))
    made = pc.binary_join_element_wise(begun, rest, 'Z"', "")
    return pc.if_else(values.is_valid(), made, None) if values.null_count else made


def _bytes_of(texts: pa.Array) -> pa.Buffer:
    """The bytes of all values, one behind the other."""
    ends = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return texts.buffers()[2].slice(int(ends[0]), int(ends[-1] - ends[0]))


def _escaped(values: pa.Array) -> bool:
    """Whether a byte of the values may need an escape. Looks at the bytes of all values at once."""
    if not len(values) or values.buffers()[2] is None:
        return False
    data = np.frombuffer(_bytes_of(values), np.uint8)
    return bool(len(data) and ((data < 0x20).any() or (data == 0x22).any() or (data == 0x5C).any()))


def _list(name: str, values: pa.Array) -> pa.Array:
    """Lists of texts; empty ones as if there were none."""
    if values.null_count:
        values = pc.fill_null(values, pa.scalar([], values.type))
    lengths = pc.list_value_length(values)
    texts = quoted(values.flatten())
    ends = pc.min_max(lengths)
    if ends["min"].as_py() == ends["max"].as_py() == 1:
        return pc.binary_join_element_wise(name + "[", texts, "]", "")
    starts = np.concatenate(([0], np.cumsum(lengths.to_numpy(), dtype=np.int32)))
    inner = pc.binary_join(pa.ListArray.from_arrays(pa.array(starts, pa.int32()), texts), ",")
    inner = pc.if_else(pc.equal(lengths, 0), None, inner)
    return pc.binary_join_element_wise(name + "[", inner, "]", "")
