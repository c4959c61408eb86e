"""What is new within the days before, as the days go by.

A row is the first of its key within a span if the row before it lies outside. Who knows for each row when its key was seen
before needs to look at no key twice, however long the span is and wherever it begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analytics.windows import Ints

NEVER = -1
MIX = np.int64(0x9E3779B97F4A7C1)  # odd: spreads pairs over 64 bits


def _none() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class LastSeen:
    """On which day each key was seen last; days count from the epoch."""

    keys: Ints = field(default_factory=_none)  # sorted
    days: Ints = field(default_factory=_none)

    def of(self, keys: Ints) -> Ints:
        """The last day of each, or `NEVER`."""
        if not len(self.keys):
            return np.full(len(keys), NEVER, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.days[place], NEVER)

    def seen(self, keys: Ints, day: int, oldest: int) -> LastSeen:
        """With these keys seen on that day, and without those last seen before `oldest`."""
        kept = (self.days >= oldest) & ~np.isin(self.keys, keys)
        new = np.unique(keys)
        place = np.searchsorted(self.keys[kept], new)
        days = np.full(len(new), day, dtype=np.int64)
        return LastSeen(np.insert(self.keys[kept], place, new), np.insert(self.days[kept], place, days))


def pair(ones: Ints, others: Ints) -> Ints:
    """One key for two numbers that are not negative."""
    return np.asarray(ones << 32 | others, dtype=np.int64)


def parted(keys: Ints) -> tuple[Ints, Ints]:
    """The numbers of each `pair`."""
    return keys >> 32, keys & 0xFFFFFFFF
