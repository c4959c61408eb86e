"""Memory that was freed, back to the system every now and then.

Rows live for a second, in many sizes and several threads. glibc keeps what was freed in arenas, one for each of those threads, and
gives back only what lies at the end of one: a collector at 2,000 lines/s needs some 30 MiB from it, and held 70 to 100 MiB
more after half an hour, up to what its busiest moment had in each arena.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# A call takes some 2 ms of CPU, and what was given back is asked for again in as many.
EVERY_SECONDS = 30.0


class SpareMemory:
    """For one thread; the memory is that of the whole process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._given_back = monotonic()

    def give_back(self) -> bool:
        """Every `EVERY_SECONDS` at most; whether it was time."""
        now = self._monotonic()
        if now - self._given_back < EVERY_SECONDS:
            return False
        import pyarrow as pa

        # With Arrow's memory from the system, as `regsight` sets it, this is `malloc_trim`, for all that the process freed; where
        # there is no glibc it does nothing.
        pa.default_memory_pool().release_unused()
        self._given_back = now
        return True
