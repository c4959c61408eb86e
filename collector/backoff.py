"""How long to wait before asking again: growing, never beyond a ceiling, never in step with others."""

from __future__ import annotations

import random


class Backoff:
    """Pauses after failures in a row. Each is drawn between half and all of the current span ("equal jitter": it
    spreads many collectors over time and still never hammers); the span doubles up to `ceiling`.
    """

    def __init__(self, first: float = 0.5, ceiling: float = 60.0, chance: random.Random | None = None) -> None:
        self._first, self._ceiling = first, ceiling
        self._chance = chance or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures since the last success."""
        return self._failures

    def pause(self, retry_after: float | None = None) -> float:
        """Count a failure; how many seconds to wait now.

        `retry_after` is what the other side asked for. It is kept even above the ceiling (up to an hour: a server that
        sends nonsense must not silence us for a day), with some jitter on top, never below.
        """
        span = min(self._ceiling, self._first * float(1 << min(self._failures, 30)))
        self._failures += 1
        drawn = span * (0.5 + self._chance.random() / 2)
        if retry_after is None or retry_after <= 0:
            return drawn
        return max(drawn, min(retry_after, 3600.0) * (1 + self._chance.random() / 10))

    def success(self) -> None:
        """The next failure is the first again."""
        self._failures = 0
