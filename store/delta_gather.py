"""Many small files into one while a log is followed: each commit adds a file, and each question opens them all.

It happens in the commit that makes a day's small files too many, takes some 2 CPU ms a file, and leaves open what upkeep
(`store.delta_upkeep`) finds out later: the rows stay as they were, in one file instead of many.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from store.delta import EventTable
from store.delta_files import UNKNOWN, File, new_name, throw_away, write_file
from store.delta_upkeep import read_file, working
from store.errors import StoreError

log = logging.getLogger(__name__)

MANY_FILES = 32
# A file with more rows costs little for what it holds, and is left to upkeep.
SMALL_ROWS = 20_000


class SmallFiles:
    """What one process has added to each day since it last looked; its caller holds the table's lock."""

    def __init__(self) -> None:
        self._added: Counter[str] = Counter()
        self._unreadable: set[str] = set()

    def added(self, table: EventTable, days: Iterable[str]) -> int:
        """After a commit that added a file to each of these days; how many files were replaced. Never raises: what was
        committed is committed."""
        self._added.update(days)
        replaced = 0
        for day in [day for day, files in self._added.items() if files >= MANY_FILES]:
            del self._added[day]
            if not working.acquire(blocking=False):
                continue  # upkeep is at it
            try:
                replaced += self._gather(table, day)
            except (OSError, pa.ArrowInvalid, StoreError) as error:  # disk full, a damaged file: upkeep tells of it
                log.info("small files stay as they are: %s", error, extra={"day": day})
            finally:
                working.release()
        return replaced

    def _gather(self, table: EventTable, day: str) -> int:
        small = [file for file in table.files(day, day) if self._is_small(file)]
        if len(small) < MANY_FILES:
            return 0
        parts = []
        for file in small:
            try:
                parts.append(read_file(table.folder / file.name))
            except (OSError, pa.ArrowInvalid):
                self._unreadable.add(file.name)
                raise
        new = [write_file(table.folder, day, pa.concat_tables(parts).combine_chunks(), new_name(UNKNOWN))]
        if not table.exchange(small, new):
            throw_away(table.folder, new)
            return 0
        return len(small)

    def _is_small(self, file: File) -> bool:
        return file.kind == UNKNOWN and file.rows < SMALL_ROWS and file.name not in self._unreadable
