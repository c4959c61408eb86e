"""Arrow rows as dictionaries, several times as fast as `to_pylist`: column by column, equal texts made once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain_rows(table: pa.Table | pa.RecordBatch, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """One dictionary a row with these columns, in this order (all of them if None given); times are aware UTC."""
    names = table.schema.names if names is None else names
    columns = [_values(table.column(name)) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def column_of(column: pa.ChunkedArray) -> Any:
    """The values as a frame takes them: numbers as an array (NaN for a mean that there is none of), all else as objects."""
    import numpy as np
    import pyarrow.types as kinds

    if kinds.is_floating(column.type) or (kinds.is_integer(column.type) and not column.null_count):
        return column.to_numpy()
    if not kinds.is_string(column.type):
        return column.to_pylist()
    encoded = column.combine_chunks().dictionary_encode()
    words = np.empty(len(encoded.dictionary) + 1, dtype=object)
    words[:-1] = encoded.dictionary.to_pylist()
    return words[encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()]


def _values(column: Any) -> list[Any]:
    import pyarrow.types as kinds

    if column.null_count == len(column):
        return [None] * len(column)
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    if kinds.is_string(column.type):
        return _texts(column)
    if kinds.is_timestamp(column.type):
        return _times(column)
    if kinds.is_int64(column.type):
        return _numbers(column)
    if kinds.is_list(column.type) and not column.null_count:
        texts, ends = _values(column.values), column.offsets.to_numpy().tolist()
        return [texts[start:end] for start, end in pairwise(ends)]
    return list(column.to_pylist())


def _texts(column: Any) -> list[Any]:
    encoded = column.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    if 2 * len(words) > len(column):  # ids: nearly every one is another
        return list(column.to_pylist())
    places = encoded.indices.fill_null(len(words)).to_numpy().tolist()
    words.append(None)
    return list(map(words.__getitem__, places))


def _times(column: Any) -> list[Any]:
    import pyarrow as pa

    # Adding a span to the beginning of 1970 takes an eighth of giving each moment a time zone.
    moments = column.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False)
    spans = moments.view("timedelta64[us]").tolist()
    return [None if span is None else _EPOCH + span for span in spans]


def _numbers(column: Any) -> list[Any]:
    if not column.null_count:
        return list(column.to_numpy().tolist())
    values = column.fill_null(0).to_numpy().tolist()
    return [value if there else None for value, there in zip(values, column.is_valid().to_pylist(), strict=True)]
