"""What was handed on lately, so that asking the same span again gives nothing twice.

Bounded twice: in memory, and more tightly in the position. What had to be forgotten for want of room would be handed on
again; where the ids of the events make that harmless nothing more is needed, and where not, `floor` says from when on
everything is remembered.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

MOST = 100_000
MOST_KEPT = 3_000


class Recent:
    """Short hashes of names, each with the time it is from. `kept` is an earlier `detail`. When there are more than
    `most_kept`, choosing them takes time: then `detail` may lack the last `stale` names.
    """

    def __init__(self, kept: Any = None, most: int = MOST, most_kept: int | None = None, stale: int = 0) -> None:
        known = kept if isinstance(kept, Mapping) else {}
        self._most, self._most_kept, self._stale = most, most_kept or MOST_KEPT, stale
        self._added, self._chosen_at = 0, 0
        self._chosen: dict[str, Any] | None = None
        self._times: dict[str, float] = dict(known.get("names", {}))
        self.floor: float | None = known.get("floor")  # what is not later than this may have been forgotten

    def __contains__(self, name: str) -> bool:
        return _short(name) in self._times

    def __len__(self) -> int:
        return len(self._times)

    def add(self, name: str, at: float) -> None:
        self._times[_short(name)] = at
        self._added += 1
        if len(self._times) > self._most + self._most // 8:
            self._times, self.floor = self._newest(self._most)

    def forget_before(self, at: float) -> None:
        """Names of earlier times will not be asked for again."""
        self._times = {name: time for name, time in self._times.items() if time >= at}

    def detail(self) -> dict[str, Any]:
        """For the position: JSON values."""
        fresh = self._added - self._chosen_at < self._stale
        if len(self._times) > self._most_kept and self._chosen is not None and fresh:
            return self._chosen
        names, floor = self._newest(self._most_kept)
        self._chosen_at, self._chosen = self._added, {"names": names} | ({"floor": floor} if floor is not None else {})
        return self._chosen

    def _newest(self, most: int) -> tuple[dict[str, float], float | None]:
        if len(self._times) <= most:
            return dict(self._times), self.floor
        kept = heapq.nlargest(most, self._times.items(), key=lambda each: each[1])
        return dict(kept), kept[-1][1]


def _short(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
