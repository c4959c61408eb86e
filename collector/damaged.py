"""Archives that break off: those that are still written are waited for, those that stand still are told of and given up."""

from __future__ import annotations

import time
from collections.abc import Callable

from collector.losses import Losses
from collector.tail import Key, Looks, Tail, looks_of


class DamagedArchives:
    """`quiet_seconds`: how long one must not have changed to count as all that will come."""

    def __init__(self, losses: Losses, quiet_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._losses, self._quiet_seconds, self._monotonic = losses, quiet_seconds, monotonic
        self._waiting: dict[Key, tuple[Looks | None, float]] = {}  # how it looks, and since when
        self._given_up: dict[Key, tuple[Tail, Looks | None, str]] = {}  # with its gap

    def is_still(self, tail: Tail) -> bool:
        """Whether it has not changed for a while; one that has is opened again."""
        looks, now = looks_of(tail.path), self._monotonic()
        if looks is None:
            return True
        before, since = self._waiting.setdefault(tail.key, (tail.looks, now))
        if looks == before:
            return now - since >= self._quiet_seconds
        self._waiting[tail.key] = (looks, now)
        if tail.stream:
            tail.reopen()
        return False

    def give_up(self, tail: Tail) -> None:
        """Tell of it, if it was waited for."""
        if tail.damage and tail.key in self._waiting:
            gap = self._losses.damaged(tail, tail.damage)
            self._given_up[tail.key] = (tail, self._waiting.pop(tail.key)[0], gap)

    def changed(self) -> list[Tail]:
        """Those that were given up and are no longer as they were: they are looked into again, and the gap is taken back."""
        found = []
        for key, (tail, looks, gap) in list(self._given_up.items()):
            now = looks_of(tail.path)
            if now != looks:
                del self._given_up[key]
                if now is not None:
                    self._losses.resolve(gap)
                    found.append(tail)
        return found
