"""Small readings over whole columns: each distinct text is read once, by the same functions as line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lines import address

if TYPE_CHECKING:
    from collector.columnar.text import Mask, Places

# RFC 3339 of days that there are (29 February is left to Python), in years that nanoseconds can count.
_MOMENT = (
    r"^(?:19[789]\d|20\d\d)-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$"
)
_GO_UNITS = (("ms", 10**6), ("µs", 10**3), ("μs", 10**3), ("us", 10**3), ("ns", 1), ("s", 10**9))
_MOST_NANOSECONDS = 2.0**62


def mask(array: pa.Array) -> Mask:
    """A column of truths; what is null is not true."""
    if array.null_count:
        array = pc.fill_null(array, False)
    found: Mask = array.to_numpy(zero_copy_only=False)
    return found


def like(array: pa.Array, pattern: str) -> Mask:
    return mask(pc.match_substring_regex(array, pattern))


def codes(array: pa.Array) -> tuple[Places, list[Any]]:
    """(number of each row's value, -1 for null; the values)."""
    coded = array.dictionary_encode()
    indices = coded.indices
    if indices.null_count:
        indices = pc.fill_null(indices, -1)
    return indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()


def by_word(array: pa.Array, read: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """What `read` makes of each value; null stays null."""
    coded = array.dictionary_encode()
    return pa.array([read(word) for word in coded.dictionary.to_pylist()], kind).take(coded.indices)


def by_combination(parts: Sequence[Places], read: Callable[..., Any]) -> tuple[pa.Array, list[Any]]:
    """(number of each row's answer, the answers): `read` is asked once for each combination of small numbers ≥ -1."""
    code, sizes = np.zeros(len(parts[0]), np.int64), []
    for part in parts:
        size = int(part.max(initial=-1)) + 2
        sizes.append(size)
        code = code * size + (part + 1)
    coded = pa.array(code).dictionary_encode()
    answers = []
    for number in coded.dictionary.to_pylist():
        digits = []
        for size in reversed(sizes):
            number, digit = divmod(number, size)
            digits.append(digit - 1)
        answers.append(read(*reversed(digits)))
    return coded.indices, answers


def spread(column: pa.Array, rows: Places, count: int) -> pa.Array:
    """The column in a longer one, its values in these rows, null in the others."""
    index = np.full(count, -1, np.int64)
    index[rows] = np.arange(len(rows))
    return column.take(pa.array(index, mask=index < 0))


def joined(first: pa.Array, second: pa.Array, rows: Places) -> pa.Array:
    """`first`, in these rows with the values of `second`."""
    index = np.arange(len(first))
    index[rows] = len(first) + np.arange(len(rows))
    return pa.concat_arrays([first, second]).take(pa.array(index))


def no_empty(array: pa.Array) -> pa.Array:
    """`collector.lines.word`: an empty text is none."""
    empty = pc.equal(pc.binary_length(array), 0)
    return pc.if_else(empty, pa.scalar(None, pa.string()), array) if pc.any(empty).as_py() else array


def moments(array: pa.Array) -> tuple[pa.Array, Mask]:
    """(`collector.lines.moment` in µs, which rows were read)."""
    fit = like(array, _MOMENT)
    kind = pa.timestamp("us", "UTC")
    if not fit.all():
        array = pc.if_else(pa.array(fit), array, pa.scalar("1970-01-01T00:00:00Z"))
    return array.cast(pa.timestamp("ns", "UTC")).cast(kind, safe=False), fit


def numbers(array: pa.Array) -> tuple[pa.Array, Mask]:
    """(whole numbers without leading zeros, which rows were read)."""
    try:
        values = array.cast(pa.int64())
        if pc.all(pc.and_(pc.equal(values.cast(pa.string()), array), pc.greater_equal(values, 0))).as_py():
            return values, np.ones(len(array), bool)
    except pa.ArrowInvalid:
        pass  # one of them is none
    fit = like(array, r"^(?:0|[1-9]\d{0,17})$")
    return pc.if_else(pa.array(fit), array, pa.scalar("0")).cast(pa.int64()), fit


def go_durations(array: pa.Array) -> tuple[pa.Array, Mask]:
    """(`collector.lines.go_duration_ns` of one unit, or minutes and seconds; which rows were read). Null stays null."""
    total = np.zeros(len(array))
    fit = ~mask(array.is_valid())
    figures = like(array, r"^\d{1,12}(?:\.\d{1,12})?(?:[mnuµμ]?s)$")
    for unit, size in _GO_UNITS:
        ours = figures & mask(pc.ends_with(array, unit))
        rows = np.flatnonzero(ours)
        if len(rows):
            texts = array.take(pa.array(rows))
            total[rows] = _floats(pc.utf8_slice_codeunits(texts, 0, stop=-len(unit))) * size
            figures &= ~ours  # "s" ends all of them, and comes last
            fit |= ours
    long = ~fit & like(array, r"^\d{1,12}m\d{1,12}(?:\.\d{1,12})?s$")
    rows = np.flatnonzero(long)
    if len(rows):
        halves = pc.split_pattern(array.take(pa.array(rows)), "m").flatten()
        both = np.arange(0, len(halves), 2)
        seconds = pc.utf8_slice_codeunits(halves.take(pa.array(both + 1)), 0, stop=-1)
        total[rows] = _floats(halves.take(pa.array(both))) * (60 * 10**9) + _floats(seconds) * 10**9
        fit |= long
    fit &= total < _MOST_NANOSECONDS
    whole = np.rint(np.where(fit, total, 0)).astype(np.int64)
    return pa.array(whole, mask=~mask(array.is_valid())), fit


def seconds(array: pa.Array) -> pa.Array:
    """`collector.lines.seconds_ns` of what is `-` or fits."""
    none = pc.equal(array, "-")
    figures = pc.if_else(none, pa.scalar("0"), array)
    return pa.array(np.rint(_floats(figures) * 10**9).astype(np.int64), mask=mask(none))


def _floats(array: pa.Array) -> Any:
    return array.cast(pa.float64()).to_numpy()


def addresses_and_ports(array: pa.Array) -> tuple[pa.Array, pa.Array, Mask]:
    """(addresses, ports, which rows were read): `host:port`, where the host has no colon or stands in brackets."""
    fit = like(array, r"^(?:[^:]{1,64}|\[[^\]]{1,64}\]):\d{1,5}$")
    if not fit.all():
        array = pc.if_else(pa.array(fit), array, pa.scalar("0:0"))
    parts = pc.split_pattern(array, ":", max_splits=1, reverse=True).flatten()
    at = np.arange(0, len(parts), 2)
    hosts = by_word(parts.take(pa.array(at)), address, pa.string())
    return hosts, parts.take(pa.array(at + 1)).cast(pa.int64()), fit
