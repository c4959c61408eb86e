"""Where the lines and the quotes of a block are, as arrays; and columns of text cut out of it without a Python object each."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from collector.lines import MAX_LINE_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Mask = NDArray[np.bool_]

ROOM = 1024  # bytes of zero behind the block, so that a comparison may reach over its end
_QUOTE, _BACKSLASH = 34, 92
_JSON_ESCAPES = np.isin(np.arange(256), np.frombuffer(b'"\\/bfnrtu', np.uint8))
_HEX = np.isin(np.arange(256), np.frombuffer(b"0123456789abcdefABCDEF", np.uint8))


@lru_cache(maxsize=16)
def _evens(count: int) -> pa.Array:
    return pa.array(np.arange(0, 2 * count, 2, dtype=np.int32))


class BlockText:
    """`starts` and `ends` of the lines (line ends left out), `quotes` that are not escaped, `first` and `count` of each line's.

    `plain` are the lines that may be read here: UTF-8, no control characters, escapes that mean the same wherever they are cut.
    """

    def __init__(self, data: bytes, *, json: bool) -> None:
        self.data = data
        self.at = np.frombuffer(data + bytes(ROOM), np.uint8)
        controls = np.flatnonzero(self.at[: len(data)] < 32)
        ends = controls[self.at[controls] == 10]
        if not data.endswith(b"\n"):
            ends = np.append(ends, len(data))
        self.ends: Places = ends
        self.starts: Places = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
        self.plain: Mask = (ends > self.starts) & (ends - self.starts <= MAX_LINE_BYTES)
        self._spoil(controls[self.at[controls] != 10])
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self._spoil(np.flatnonzero(self.at >= 128))
        self.quotes: Places = np.flatnonzero(self.at[: len(data)] == _QUOTE)
        backslashes = self._read_escapes(json) if b"\\" in data else np.zeros(0, np.int64)
        self.first: Places = np.searchsorted(self.quotes, self.starts)
        self.count: Places = np.diff(np.append(self.first, len(self.quotes)))
        self._escaped = self._places_of(backslashes)

    def __len__(self) -> int:
        return len(self.ends)

    def _spoil(self, places: Places) -> None:
        """These bytes are nothing that is read here."""
        if len(places):
            self.plain[np.unique(np.searchsorted(self.ends, places))] = False

    def spoil_lines_with(self, text: bytes) -> None:
        """Lines that hold this are left."""
        at = self.data.find(text)
        while at >= 0:
            line = int(np.searchsorted(self.ends, at))
            self.plain[line] = False
            at = self.data.find(text, int(self.ends[line]))

    def may_be_escaped(self, count: int, number: int) -> bool:
        """Whether in a line of so many quotes something is escaped behind the quote of this number."""
        return (count, number) in self._escaped

    def _places_of(self, backslashes: Places) -> set[tuple[int, int]]:
        lines = np.searchsorted(self.ends, backslashes)
        number = np.searchsorted(self.quotes, backslashes) - 1 - self.first[lines]
        pairs = np.unique(self.count[lines] * 4096 + np.clip(number, 0, 4095))
        return {divmod(pair, 4096) for pair in pairs.tolist()}

    def _read_escapes(self, json: bool) -> Places:
        """Backslashes alone or in pairs; a line with more in a row is left. In JSON what is escaped must be an escape."""
        at = self.at
        places = np.flatnonzero(at[: len(self.data)] == _BACKSLASH)
        before, two_before = at[places - 1] == _BACKSLASH, at[places - 2] == _BACKSLASH
        after, two_after = at[places + 1] == _BACKSLASH, at[places + 2] == _BACKSLASH
        single = ~before & ~after
        self._spoil(places[~(single | (~before & after & ~two_after) | (before & ~two_before & ~after))])
        alone = places[single]
        if json:
            self._spoil(self._no_escapes(alone))
        escaped = alone[at[alone + 1] == _QUOTE] + 1
        if len(escaped):
            self.quotes = np.delete(self.quotes, np.searchsorted(self.quotes, escaped))
        return places

    def _no_escapes(self, alone: Places) -> Places:
        """Which of these backslashes begin no escape of JSON, though they stand in an object."""
        at = self.at
        alone = alone[at[self.starts[np.searchsorted(self.ends, alone)]] == ord("{")]
        coded = alone[at[alone + 1] == ord("u")]
        digits = at[coded[:, None] + np.arange(2, 6)]
        surrogate = (digits[:, 0] | 32 == ord("d")) & (digits[:, 1] >= ord("8"))
        return np.concatenate((alone[~_JSON_ESCAPES[at[alone + 1]]], coded[~_HEX[digits].all(axis=1) | surrogate]))

    def quotes_of(self, lines: Places, count: int) -> Places:
        """One column for each line; the rows are where it starts, its `count` quotes, and where it ends."""
        places = np.empty((count + 2, len(lines)), np.int64)
        places[0], places[-1] = self.starts[lines], self.ends[lines]
        np.take(self.quotes, self.first[lines] + np.arange(count)[:, None], out=places[1:-1])
        return places

    def says(self, places: Places, text: bytes) -> Mask:
        """Where this text stands at these places."""
        width = len(text)
        every: Any = np.ndarray((len(self.at) - width + 1,), dtype=f"S{width}", buffer=self.at, strides=(1,))
        same: Mask = every[places] == np.bytes_(text)
        return same

    def cut(self, begins: Places, ends: Places) -> pa.Array:
        """Text from … to, as a column. The places ascend and do not overlap."""
        if not len(begins):
            return pa.array([], pa.string())
        bounds = np.empty(2 * len(begins), np.int32)
        bounds[0::2], bounds[1::2] = begins, ends
        both = pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(self.data))
        return both.take(_evens(len(begins)))
