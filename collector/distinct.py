"""Functions over columns, called once for each different value: how enrichers stay cheap on every batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

Said = TypeVar("Said")
_MOST_CODES = 1 << 62
_FEW = 64  # rows; below, numbering columns costs more than looking at each row


def mapped(events: pa.Table, column: str, function: Callable[[str], str | None]) -> pa.Array:
    """What `function` says of each value of a column of strings; null stays null."""
    import pyarrow as pa

    values = events.column(column).combine_chunks().dictionary_encode()
    said = [function(value) for value in values.dictionary.to_pylist()]
    return pa.array(said, pa.string()).take(values.indices)


@dataclass(frozen=True, slots=True)
class Grouped(Generic[Said]):
    """What was said of each different combination of values, and which combination each row has."""

    said: list[Said]
    rows: Any  # Arrow array of places in `said`

    def column(self, pick: Callable[[Said], str | None]) -> pa.Array:
        """A column of strings, out of what was said of each row's combination."""
        import pyarrow as pa

        return pa.array([pick(one) for one in self.said], pa.string()).take(self.rows)


def each(events: pa.Table, column: str, function: Callable[[str], Said]) -> Grouped[Said]:
    """What `function` says of each different value of one column; a row without a value has no place."""
    values = events.column(column).combine_chunks().dictionary_encode()
    return Grouped([function(value) for value in values.dictionary.to_pylist()], values.indices)


def grouped(events: pa.Table, columns: tuple[str, ...], function: Callable[..., Said]) -> Grouped[Said]:
    """What `function` says, given the values of `columns` in order; called once for each combination there is."""
    import pyarrow as pa

    if events.num_rows <= _FEW:
        places: dict[tuple[Any, ...], int] = {}
        rows = zip(*(events.column(name).to_pylist() for name in columns), strict=True)
        codes = [places.setdefault(row, len(places)) for row in rows]
        return Grouped([function(*row) for row in places], pa.array(codes, pa.int64()))
    return _grouped(events, columns, function)


def _grouped(events: pa.Table, columns: tuple[str, ...], function: Callable[..., Said]) -> Grouped[Said]:
    import numpy as np
    import pyarrow as pa

    codes, most = np.zeros(events.num_rows, dtype=np.int64), 1
    for name in columns:
        values = events.column(name).combine_chunks().dictionary_encode()
        size = len(values.dictionary) + 1
        if most * size > _MOST_CODES:  # numbered anew, so that the product of many columns cannot overflow
            codes = np.unique(codes, return_inverse=True)[1]
            most = int(codes.max(initial=0)) + 1
        codes = codes * size + values.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False) + 1
        most *= size
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    firsts = [events.column(name).take(pa.array(first)).to_pylist() for name in columns]
    return Grouped([function(*row) for row in zip(*firsts, strict=True)], pa.array(codes))


def filled(events: pa.Table, **columns: pa.Array) -> pa.Table:
    """The table with these columns of strings in place of its own."""
    import pyarrow as pa

    for name, values in columns.items():
        place = events.schema.get_field_index(name)
        events = events.set_column(place, events.schema.field(place), values.cast(pa.string()))
    return events
