"""Little at first, then more: a process that is killed after seconds has stored something by then, and moved on.

The name is that of TCP. What is read at once and what is stored at once both begin so in each run, and reach their full size
after a few steps, so that a long run is none the slower.
"""

from __future__ import annotations


class SlowStart:
    """A size `now` that begins at `first` and doubles with each `grow`, up to `most`."""

    def __init__(self, first: int, most: int) -> None:
        self.now, self._most = min(first, most), most

    def grow(self) -> None:
        self.now = min(2 * self.now, self._most)
