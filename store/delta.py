"""The event table: a Delta table partitioned by day, with the positions of its streams in its own commits.

Also what the disk does to it: a file that is cut or gone is named and left out, and the rest is served; behind a broken
log entry the table is read as it was before it. `store.delta_repair` mends both.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import deltalake
import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaProtocolError, SchemaMismatchError
from deltalake.transaction import AddAction, RemoveAction

from store.contract import Day, Position
from store.delta_files import TOLD, File, described, throw_away, write_files
from store.errors import Rejected, Unavailable
from store.event import schema
from store.settled import drop_unsettled, settle_entry

log = logging.getLogger(__name__)

# deltalake 1.6 panics at these in a path, or decodes what was never encoded.
UNFIT = frozenset("%[]^|\\")
# Files that a compaction replaced stay this long for readers that listed them before.
KEPT_HOURS = 3
TABLE_SETTINGS = {
    "delta.checkpointInterval": "100",
    # Each commit lists the whole log, which grows by an entry with each: at one a second, two days of it made a commit take
    # more than a second. What is older than this is in a checkpoint.
    "delta.logRetentionDuration": "interval 5 minutes",
    "delta.enableExpiredLogCleanup": "false",  # not before the checkpoint that stands for it is on the disk: `_settle`
    # Each checkpoint names every file that was replaced so lately. Longer than files are kept and `store.delta_gather` waits, or
    # nobody would know what to delete.
    "delta.deletedFileRetentionDuration": "interval 4 hours",
    # Without it a reader expects statistics of the first 32 columns, and deltalake's pyarrow dataset takes those that are not there
    # for "greater than null": a question about an account is answered with nothing at all.
    "delta.dataSkippingStatsColumns": ",".join(TOLD),
}
MEND = "`regsight store verify` says what is lost, `regsight store repair` takes it out"


class EventTable:
    """The table in one folder. Not for several threads at once: its caller holds `lock`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.uri = self.folder.as_uri()  # names with spaces or stars must come through
        self.lock = threading.RLock()
        self._table: deltalake.DeltaTable | None = None
        self._whole: set[str] = set()  # files that were once seen to be as long as the log says
        self._damaged: dict[str, str] = {}
        self._snapshot: tuple[int, list[File]] | None = None
        self.broken_entry: str | None = None

    def current(self, create: bool = False) -> deltalake.DeltaTable | None:
        """The table as it is now, with what other processes committed; None as long as nobody wrote."""
        if self._table is not None and self.broken_entry is None:
            try:
                self._table.update_incremental()
            except deltalake.exceptions.DeltaError:  # idle for days, the log behind it was cleaned up: open it anew
                self._table = None
            else:
                return self._table
        if create and self._table is None:
            drop_unsettled(self.folder)
        if not deltalake.DeltaTable.is_deltatable(self.uri):
            if not create:
                return None
            self._create()
        table = self._open()
        if not {"event_id", "timestamp", "day"} <= {field.name for field in table.schema().fields}:
            raise Rejected(f"{self.folder} is a Delta table, but not of Regsight's events: give another --store")
        self._table = table
        if create and self.broken_entry is not None:
            raise Rejected(f"{self.broken_entry} of the event table's log is broken, nothing can be added: {MEND}")
        if create and not TABLE_SETTINGS.items() <= table.metadata().configuration.items():  # of an earlier release
            table.alter.set_table_properties(TABLE_SETTINGS)
        return table

    def _create(self) -> None:
        deltalake.DeltaTable.create(
            self.uri,
            schema=schema().append(pa.field("day", pa.string())),
            mode="ignore",
            partition_by=["day"],
            configuration=TABLE_SETTINGS,
        )

    def _open(self) -> deltalake.DeltaTable:
        """The newest version, or the newest before a log entry that cannot be read."""
        from store.delta_repair import broken_entries

        try:
            table = deltalake.DeltaTable(self.uri)
        except deltalake.exceptions.DeltaError as error:
            broken = broken_entries(self.folder)
            if not broken or broken[0].version == 0:
                raise
            table = deltalake.DeltaTable(self.uri, version=broken[0].version - 1)
            if self.broken_entry is None:
                log.error("%s is broken (%s): the events before it are served; %s", broken[0].path, _said(error), MEND)
            self.broken_entry = str(broken[0].path)
            return table
        self.broken_entry = None
        return table

    def append(self, table: deltalake.DeltaTable, rows: pa.Table, moved: Sequence[Position]) -> None:
        """Rows and positions in one commit. Raises CommitFailedError when another process was faster."""
        # An append without rows still carries its transaction: lines that are no event move the position too.
        properties = deltalake.CommitProperties(
            app_transactions=[deltalake.Transaction(app_id=_app(p.stream), version=p.offset) for p in moved]
        )
        if not {field.name for field in table.schema().fields}.issuperset(rows.column_names):  # of an earlier release
            deltalake.write_deltalake(table, rows, mode="append", schema_mode="merge", commit_properties=properties)
            return
        files: list[AddAction | RemoveAction] = []
        files += write_files(self.folder, rows) if rows.num_rows else []
        try:
            table.create_write_transaction(
                files, "append", table.schema(), partition_by=["day"], commit_properties=properties
            )
        except BaseException:
            throw_away(self.folder, files)
            raise
        self._settle(table)

    def _settle(self, table: deltalake.DeltaTable) -> None:
        """What was committed is on the disk; then the entries go that a checkpoint stands for."""
        if settle_entry(self.folder, table.version()):
            try:
                table.cleanup_metadata()
            except (deltalake.exceptions.DeltaError, OSError) as error:  # what was committed is committed
                log.info("old log entries stay for now: %s", _said(error))

    def files(self, first_day: str | None, last_day: str | None, stored_since: datetime | None = None) -> list[File]:
        """The files of these days that may have rows stored since then, without those that are cut or gone."""
        with self.lock, delta_errors():
            table = self.current()
            if table is None:
                return []
            files = self._described(table)
            if not self._whole.issuperset(file.name for file in files):
                self._look_at_files(files)
            return [
                file
                for file in files
                if (first_day is None or file.day >= first_day)
                and (last_day is None or file.day <= last_day)
                and (stored_since is None or file.stored is None or file.stored >= stored_since)
                and file.name not in self._damaged
            ]

    def listed(self, day: str) -> list[File]:
        """The files of a day as the log tells of them; nobody has looked whether they are whole."""
        with self.lock, delta_errors():
            table = self.current()
            return [] if table is None else [file for file in self._described(table) if file.day == day]

    def _described(self, table: deltalake.DeltaTable) -> list[File]:
        """Read out of the log once for each version of the table."""
        version = table.version()
        if self._snapshot is None or self._snapshot[0] != version or self.broken_entry is not None:
            self._snapshot = version, described(table)
        return self._snapshot[1]

    def _look_at_files(self, files: Sequence[File]) -> None:
        """Each file that was not looked at yet: is it there, and as long as the log says? What is no file any more is forgotten:
        each commit adds one, and upkeep takes them away."""
        self._whole &= {file.name for file in files}
        for file in files:
            if file.name in self._whole or file.name in self._damaged:
                continue
            if (wrong := wrong_size(self.folder / file.name, file.size)) is None:
                self._whole.add(file.name)
            else:
                self._damaged[file.name] = wrong
                log.error("%s %s: it is left out and the rest is served; %s", self.folder / file.name, wrong, MEND)

    def look_again(self) -> None:
        """Forget what was seen of the files: one of them could not be read."""
        with self.lock:
            self._whole.clear()
            self._damaged.clear()

    def reached(self, stream: str) -> int:
        """The committed offset of a stream, -1 before the first."""
        with self.lock, delta_errors():
            table = self.current()
            return -1 if table is None else reached(table, stream)

    def days(self) -> list[Day]:
        """What each day holds, oldest first."""
        with self.lock, delta_errors():
            table = self.current()
            files = [] if table is None else self._described(table)
        days: dict[str, list[int]] = {}
        for file in files:
            total = days.setdefault(file.day, [0, 0])
            total[0] += file.rows
            total[1] += file.size
        return [Day(day=day, rows=rows, bytes=size) for day, (rows, size) in sorted(days.items())]

    def drop(self, days: Sequence[str]) -> None:
        with self.lock, delta_errors():
            table = self.current()
            if table is not None and days:
                names = ", ".join(f"'{day}'" for day in days)
                table.delete(f"day IN ({names})")

    def exchange(self, old: Sequence[File], new: Sequence[AddAction]) -> bool:
        """Put files in the place of others that hold the same rows, in one commit; False where another process took one of
        those away meanwhile."""
        with self.lock, delta_errors():
            table = self._whole_table()
            if table is None:
                return False
            if not {file.name for file in old} <= {file.name for file in self._described(table)}:
                return False
            now = int(time.time() * 1000)
            gone = [RemoveAction(file.name, False, now, file.size, {"day": file.day}) for file in old]
            added = [replace(file, data_change=False) for file in new]
            try:
                table.create_write_transaction([*gone, *added], "append", table.schema(), partition_by=["day"])
            except CommitFailedError:
                return False
            self._settle(table)
        return True

    def _whole_table(self) -> deltalake.DeltaTable | None:
        """To change it: none where there is none yet, or where its log is broken."""
        table = self.current()
        return table if self.broken_entry is None else None

    def tidy(self) -> int:
        """Old log entries into a checkpoint; replaced files away, and those that a killed process left; how many those were."""
        with self.lock, delta_errors():
            table = self._whole_table()
            if table is None:
                return 0
            table.create_checkpoint()
            self._settle(table)
            return len(table.vacuum(KEPT_HOURS, dry_run=False, enforce_retention_duration=False, full=True))

    def drop_replaced(self) -> int:
        """Files away that were replaced some hours ago, as the log tells of them; how many. Some 0.1 s for a thousand."""
        with self.lock, delta_errors():
            table = self._whole_table()
            if table is None:
                return 0
            return len(table.vacuum(KEPT_HOURS, dry_run=False, enforce_retention_duration=False))


def _app(stream: str) -> str:
    return f"regsight:{stream}"


def reached(table: deltalake.DeltaTable, stream: str) -> int:
    """The committed offset of a stream, -1 before the first."""
    version = table.transaction_version(_app(stream))
    return -1 if version is None else int(version)


def wrong_size(path: Path, size: int) -> str | None:
    """In words what is wrong with a file that should have `size` bytes; None if it has."""
    try:
        there = path.stat().st_size
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if there == size else f"has {there:,} bytes and should have {size:,}"


def _said(error: Exception) -> str:
    """The first line of an error; below it deltalake adds a stack of its own."""
    return str(error).partition("\n")[0]


@contextmanager
def delta_errors() -> Iterator[None]:
    """deltalake's errors in the words of `store.errors`."""
    try:
        yield
    except (SchemaMismatchError, DeltaProtocolError) as error:
        raise Rejected(f"the event table does not fit this Regsight: {_said(error)}") from error
    except (deltalake.exceptions.DeltaError, OSError) as error:  # disk full, I/O, a table that is being replaced
        raise Unavailable(f"the event table did not take it: {_said(error)}") from error


def day_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")
