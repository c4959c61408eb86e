"""Very many events, asked column by column: a condition is tried once for each distinct value, not once for each event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analytics.rules.condition import condition, field_name
from store.plain import plain_rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_HOUR_US = 3_600_000_000
_OF_THE_HOUR = {"hour", "weekday"}  # words of a condition for which the hour of a time is enough


@dataclass(frozen=True, slots=True)
class Coded:
    """A column: `codes` has for each event the place of its value in `values`, whose last is None for what is not said."""

    codes: Places
    values: list[Any]

    @property
    def said(self) -> Mask:
        """Of which events it says something."""
        return self.codes < len(self.values) - 1

    def where(self, fits: Callable[[Any], bool]) -> Mask:
        """Which events have a value that fits; each value is asked about once."""
        return np.fromiter(map(fits, self.values), np.bool_, len(self.values))[self.codes]

    def equal(self, value: Any) -> Mask:
        """Which events have this value."""
        return np.asarray(self.codes == (self.values.index(value) if value in self.values else -1), dtype=np.bool_)


@dataclass(slots=True)
class Columns:
    """Events, or counts of events, one row each, as an Arrow table or a frame. What was worked out is kept."""

    rows: pa.Table | pd.DataFrame
    _coded: dict[str, Coded] = field(default_factory=dict)
    _times: Places | None = None
    _masks: dict[tuple[str, str], Mask] = field(default_factory=dict)
    _events: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def coded(self, name: str) -> Coded:
        """The column of that name by its distinct values."""
        if name not in self._coded:
            column = self.rows[name]
            self._coded[name] = _of_frame(column) if hasattr(self.rows, "iloc") else coded(column)
        return self._coded[name]

    def times(self) -> Places:
        """Of a table: when each event was, in µs since 1970."""
        import pyarrow as pa

        if self._times is None:
            column = self.rows["timestamp"].cast(pa.timestamp("us", "UTC"), safe=False)
            self._times = column.cast(pa.int64()).to_numpy()
        return self._times

    def hours(self) -> Coded:
        """Of a table: in which hour each event was."""
        return _by_hour(self.times())

    def fits(self, wanted: Mapping[str, Any]) -> Mask:
        """Which events a condition of `analytics.rules.condition` is true of."""
        found = np.ones(len(self), np.bool_)
        for name, value in wanted.items():
            key = (name, repr(value))
            if key not in self._masks:
                self._masks[key] = self._fits_one(name, value)
            found &= self._masks[key]
        return found

    def _fits_one(self, name: str, value: Any) -> Mask:
        if name in ("any", "none"):
            either = np.zeros(len(self), np.bool_)
            for inner in value:
                either |= self.fits(inner)
            return either if name == "any" else ~either
        column = field_name(name)
        fits = condition({name: value})
        if column == "timestamp" and isinstance(value, Mapping) and _OF_THE_HOUR.issuperset(value):
            by_value = _by_hour(self.times())
        else:
            by_value = self.coded(column)
        return by_value.where(lambda one: fits({column: one}))

    def said(self, names: Iterable[str]) -> Mask:
        """Which events say something in each of these fields."""
        found = np.ones(len(self), np.bool_)
        for name in names:
            found &= self.coded(name).said
        return found

    def groups(self, by: Sequence[str], places: Places) -> Places:
        """For each of the events at `places` the number of its group: those with equal values of the fields `by`."""
        groups = np.zeros(len(places), np.int64)
        for name in by:
            column = self.coded(name)
            groups = groups * len(column.values) + column.codes[places]
            if len(by) > 1:  # dense again, or a product of many columns would not fit
                groups = np.unique(groups, return_inverse=True)[1]
        return groups

    def events(self, places: Places) -> list[dict[str, Any]]:
        """Of a table: these events, each made once."""
        wanted = places.tolist()
        new = [place for place in wanted if place not in self._events]
        if new:
            self._events |= zip(new, plain_rows(self.rows.take(new)), strict=True)
        return [self._events[place] for place in wanted]


def coded(column: pa.ChunkedArray) -> Coded:
    """A column of a table by its distinct values."""
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):  # an empty one stays what it was
        encoded = encoded.combine_chunks() if encoded.num_chunks else pa.array([], column.type).dictionary_encode()
    values = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return Coded(codes.astype(np.int64), [*values, None])


def _of_frame(column: Any) -> Coded:
    codes, values = column.factorize(use_na_sentinel=True)
    found = values.tolist()
    return Coded(np.where(codes < 0, len(found), codes).astype(np.int64), [*found, None])


def _by_hour(times: Places) -> Coded:
    hours, codes = np.unique(times // _HOUR_US, return_inverse=True)
    return Coded(codes, [*(datetime.fromtimestamp(hour * 3600, UTC) for hour in hours.tolist()), None])
