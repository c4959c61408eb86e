"""Many small files into one while a log is followed: each commit adds a file, and each question opens them all.

It happens in the commit that makes a day's small files too many, takes some 2 CPU ms a file, and leaves open what upkeep
(`store.delta_upkeep`) finds out later: the rows stay as they were, in one file instead of many. What was replaced goes away
some hours later, also where nobody lets upkeep run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from store.delta import EventTable
from store.delta_files import UNKNOWN, File, new_name, throw_away, write_file
from store.delta_upkeep import read_file, working
from store.errors import StoreError

log = logging.getLogger(__name__)

MANY_FILES = 32
MOST_FILES = 4 * MANY_FILES  # in one commit, which somebody waits for
# A file with more rows costs little for what it holds, and is left to upkeep. So many at once are in memory, as in a large commit.
SMALL_ROWS = 20_000
DROP_EVERY_SECONDS = 1800.0


class SmallFiles:
    """What one process has added to each day since it last looked; its caller holds the table's lock."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._added: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._monotonic = monotonic
        self._dropped = monotonic()

    def added(self, table: EventTable, days: Iterable[str]) -> int:
        """After a commit that added a file to each of these days; how many files were replaced. Never raises: what was
        committed is committed."""
        for day in days:
            # What other processes left is not known: the first commit to a day looks, also of one that lives for a moment.
            self._added[day] = self._added.get(day, MANY_FILES) + 1
        replaced = 0
        for day in [day for day, files in self._added.items() if files >= MANY_FILES]:
            self._added[day] = 0
            if not working.acquire(blocking=False):
                continue  # upkeep is at it
            try:
                replaced += self._gather(table, day)
            except (OSError, pa.ArrowInvalid, StoreError) as error:  # disk full, a damaged file: upkeep tells of it
                log.info("small files stay as they are: %s", error, extra={"day": day})
            finally:
                working.release()
        if replaced and self._monotonic() - self._dropped >= DROP_EVERY_SECONDS:
            self._dropped = self._monotonic()
            self._drop(table)
        return replaced

    def _drop(self, table: EventTable) -> None:
        try:
            table.drop_replaced()
        except StoreError as error:
            log.info("replaced files stay for now: %s", error)

    def _gather(self, table: EventTable, day: str) -> int:
        if sum(map(self._is_small, table.listed(day))) < MANY_FILES:
            return 0
        small = [file for file in table.files(day, day) if self._is_small(file)]
        del small[MOST_FILES:]  # the next commits go on with them
        new = []
        try:
            for group in _groups(small):
                rows = pa.concat_tables([self._read(table, file) for file in group]).combine_chunks()
                new.append(write_file(table.folder, day, rows, new_name(UNKNOWN)))
            exchanged = table.exchange(small, new)
        except BaseException:
            throw_away(table.folder, new)
            raise
        if not exchanged:
            throw_away(table.folder, new)
        return len(small) if exchanged else 0

    def _read(self, table: EventTable, file: File) -> pa.Table:
        try:
            return read_file(table.folder / file.name)
        except (OSError, pa.ArrowInvalid):
            self._unreadable.add(file.name)
            raise

    def _is_small(self, file: File) -> bool:
        return file.kind == UNKNOWN and file.rows < SMALL_ROWS and file.name not in self._unreadable


def _groups(files: Iterable[File]) -> Iterator[list[File]]:
    """Files that become one: until they have as many rows as make it no small one."""
    group: list[File] = []
    for file in sorted(files, key=lambda file: file.rows):
        group.append(file)
        if sum(one.rows for one in group) >= SMALL_ROWS:
            yield group
            group = []
    if group:
        yield group
