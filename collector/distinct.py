"""Functions over columns, called once for each different value: how enrichers stay cheap on every batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

Said = TypeVar("Said")
_MOST_CODES = 1 << 62
_FEW = 64  # rows; below, numbering columns costs more than looking at each row


class _Numbered(threading.local):
    """Arrays that were numbered, and their values by number; None where nothing is kept. The array itself is kept too, so that
    no other can lie at its address."""

    kept: dict[tuple[Any, ...], tuple[pa.Array, pa.DictionaryArray]] | None = None


_NUMBERED = _Numbered()


@contextmanager
def numbered_once() -> Iterator[None]:
    """Within it each array of strings is numbered once in this thread, however many enrichers look at it."""
    _NUMBERED.kept = {}
    try:
        yield
    finally:
        _NUMBERED.kept = None


def mapped(events: pa.Table, column: str, function: Callable[[str], str | None]) -> pa.Array:
    """What `function` says of each value of a column of strings; null stays null."""
    return each(events, column, function).column(lambda said: said)


@dataclass(frozen=True, slots=True)
class Grouped(Generic[Said]):
    """What was said of each different combination of values, and which combination each row has."""

    said: list[Said]
    rows: Any  # Arrow array of places in `said`

    def column(self, pick: Callable[[Said], str | None]) -> pa.Array:
        """A column of strings, out of what was said of each row's combination."""
        import pyarrow as pa

        picked = [pick(one) for one in self.said]
        if all(text is None for text in picked):
            return pa.nulls(len(self.rows), pa.string())
        words = pa.array(picked, pa.string()).dictionary_encode()
        places = words.indices.take(self.rows)
        values = words.dictionary.take(places)
        if _NUMBERED.kept is not None:
            _NUMBERED.kept[_key(values)] = values, pa.DictionaryArray.from_arrays(places, words.dictionary)
        return values


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; nothing is copied where it is in one already, as in a table that one block gave."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def each(events: pa.Table, column: str, function: Callable[[str], Said]) -> Grouped[Said]:
    """What `function` says of each different value of one column; a row without a value has no place."""
    return each_of(one_array(events.column(column)), function)


def each_of(values: pa.Array, function: Callable[[str], Said]) -> Grouped[Said]:
    """The same of an array of strings."""
    encoded = _numbered(values)
    return Grouped([function(value) for value in encoded.dictionary.to_pylist()], encoded.indices)


def _key(values: pa.Array) -> tuple[Any, ...]:
    """Tells an array from all others that are there at the same time."""
    places = (buffer.address if buffer is not None else 0 for buffer in values.buffers())
    return (values.type.id, values.offset, len(values), *places)


def _numbered(values: pa.Array) -> pa.DictionaryArray:
    kept = _NUMBERED.kept
    if kept is None:
        return values.dictionary_encode()
    key = _key(values)
    if key not in kept:
        kept[key] = values, values.dictionary_encode()
    return kept[key][1]


def grouped(events: pa.Table, columns: tuple[str, ...], function: Callable[..., Said]) -> Grouped[Said]:
    """What `function` says, given the values of `columns` in order; called once for each combination there is."""
    import pyarrow as pa

    if events.num_rows <= _FEW:
        places: dict[tuple[Any, ...], int] = {}
        rows = zip(*(events.column(name).to_pylist() for name in columns), strict=True)
        codes = [places.setdefault(row, len(places)) for row in rows]
        return Grouped([function(*row) for row in places], pa.array(codes, pa.int64()))
    return _grouped([one_array(events.column(name)) for name in columns], function)


def _grouped(columns: list[pa.Array], function: Callable[..., Said]) -> Grouped[Said]:
    """Each column's values are numbered, and the numbers put together into one for the whole row."""
    import numpy as np
    import pyarrow as pa

    codes, most = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        if column.null_count == len(column):
            continue  # tells nothing apart
        places, size = _places(column)
        if most * size > _MOST_CODES:  # numbered anew, so that the product of many columns cannot overflow
            codes = np.unique(codes, return_inverse=True)[1]
            most = int(codes.max(initial=0)) + 1
        codes = codes * size + places
        most *= size
    numbered = pa.array(codes).dictionary_encode()
    places = numbered.indices.to_numpy()
    first = np.empty(len(numbered.dictionary), dtype=np.int64)
    first[places[::-1]] = np.arange(len(places) - 1, -1, -1)  # the first row of each: it is written last
    firsts = [column.take(pa.array(first)).to_pylist() for column in columns]
    return Grouped([function(*row) for row in zip(*firsts, strict=True)], numbered.indices)


def _places(column: pa.Array) -> tuple[Any, int]:
    """A number below `size` for each row's value, and `size`; 0 is that of a null."""
    import pyarrow as pa

    if pa.types.is_boolean(column.type) and not column.null_count:
        return column.to_numpy(zero_copy_only=False), 2
    values = _numbered(column)
    places = values.indices.fill_null(-1) if values.null_count else values.indices
    return places.to_numpy() + 1, len(values.dictionary) + 1


def filled(events: pa.Table, **columns: pa.Array) -> pa.Table:
    """The table with these columns of strings in place of its own."""
    import pyarrow as pa

    for name, values in columns.items():
        place = events.schema.get_field_index(name)
        values = values if values.type == pa.string() else values.cast(pa.string())
        events = events.set_column(place, events.schema.field(place), values)
    return events
