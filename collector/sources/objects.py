"""Objects that somebody puts into a bucket or a folder and never changes: CloudTrail's, and rotated logs of anything.

Each is read once. A position is kept for each prefix; with `by_day` for each folder that holds years, so that only the last
days of each have to be listed again.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from collector.listing import Listing
from collector.objects import Bucket
from collector.stages import Block
from store.contract import Position

log = logging.getLogger(__name__)

DEEPEST = 8
MOST_FOLDERS = 5_000
_YEAR = re.compile(r"\d{4}/")


class ObjectSource:
    """Source of the objects under `prefix` whose key matches `match` (a pattern over the whole key behind the prefix)."""

    follow = True

    def __init__(
        self,
        name: str,
        bucket: Bucket,
        *,
        prefix: str = "",
        match: str = "*",
        by_day: bool = False,
        late_days: int = 2,
        registry: str | None = None,
        interval_seconds: float = 60.0,
        overlap_seconds: float = 900.0,
        once: bool = False,
    ) -> None:
        self.name, self.registry = name, registry
        self._bucket, self._prefix, self._match = bucket, prefix, match
        self._by_day, self._late_days = by_day, late_days
        self._interval, self._overlap, self._once = interval_seconds, overlap_seconds, once
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ends `blocks` after the block that is being read."""
        self._stop.set()

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Lists every `interval_seconds`; ends at `stop`, or after one round with `once`.

        Raises:
            CollectorError, OSError: the bucket does not answer, or refuses an object. Nothing is skipped for that.
        """
        listings: dict[str, Listing] = {}
        while not self._stop.is_set():
            for prefix in self._prefixes():
                if prefix not in listings:
                    stream = f"objects:{self.name}:{prefix}"
                    listings[prefix] = Listing(stream, prefix, committed(stream), self._overlap)
                listing, broken_off = listings[prefix], listings[prefix].broken_off
                yield from self._round(listing)
                if broken_off:  # what came since may lie in front of where it went on
                    yield from self._round(listing)
            if self._once:
                return
            self._stop.wait(self._interval)

    def _prefixes(self) -> list[str]:
        if not self._by_day:
            return [self._prefix]
        found = list(self._folders_of_years(self._prefix, DEEPEST))
        if not found:
            log.warning("no folders of years under the prefix", extra={"source": self.name, "prefix": self._prefix})
        return found[:MOST_FOLDERS]

    def _folders_of_years(self, prefix: str, deepest: int) -> Iterator[str]:
        folders = self._bucket.folders(prefix)
        if any(_YEAR.fullmatch(folder.removeprefix(prefix)) for folder in folders):
            yield prefix
        elif deepest:
            for folder in folders:
                if self._stop.is_set():
                    return
                yield from self._folders_of_years(folder, deepest - 1)

    def _round(self, listing: Listing) -> Iterator[Block]:
        if self._stop.is_set():
            return
        listing.begin(self._bucket.now())
        for listed in self._bucket.listed(listing.prefix, listing.after(self._late_days if self._by_day else None)):
            if self._stop.is_set():
                return
            inside = fnmatchcase(listed.key.removeprefix(self._prefix), self._match)
            if not inside or not listing.wants(listed):
                continue
            for block in listing.blocks(self._bucket, listed, self.registry):
                yield block
                if self._stop.is_set():
                    return
        listing.end()
