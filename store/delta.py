"""The event table: a Delta table partitioned by day, with the positions of its streams in its own commits.

Also what the disk does to it: a file that is cut or gone is named and left out, and the rest is served; behind a broken
log entry the table is read as it was before it. `store.delta_repair` mends both.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import deltalake
import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaProtocolError, SchemaMismatchError

from store.contract import Day, Position
from store.errors import Rejected, Unavailable
from store.event import schema

log = logging.getLogger(__name__)

# deltalake 1.6 panics at these in a path, or decodes what was never encoded.
UNFIT = frozenset("%[]^|\\")
# Files that a compaction replaced stay this long for readers that listed them before.
VACUUM_HOURS = 24
TABLE_SETTINGS = {
    "delta.checkpointInterval": "100",
    # One small file a commit adds up: what is older than this is in a checkpoint anyhow.
    "delta.logRetentionDuration": "interval 2 days",
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
        known = {field.name for field in table.schema().fields}
        deltalake.write_deltalake(
            table,
            rows,
            mode="append",
            schema_mode=None if known.issuperset(rows.column_names) else "merge",
            writer_properties=deltalake.WriterProperties(compression="ZSTD", compression_level=3),
            # An append without rows still carries its transaction: lines that are no event move the position too.
            commit_properties=deltalake.CommitProperties(
                app_transactions=[deltalake.Transaction(app_id=_app(p.stream), version=p.offset) for p in moved]
            ),
        )

    def files(self, first_day: str | None, last_day: str | None) -> list[str]:
        """`day=…/name` of the files of these days, without those that are cut or gone."""
        clauses = [f"day >= '{first_day}'"] if first_day else []
        clauses += [f"day <= '{last_day}'"] if last_day else []
        with self.lock, delta_errors():
            table = self.current()
            if table is None:
                return []
            uris = table.file_uris(file_pruning_predicate=" AND ".join(clauses) or None)
            names = ["/".join(uri.rsplit("/", 2)[1:]) for uri in uris]
            if not self._whole.issuperset(names):
                self._look_at_files(table)
            return [name for name in names if name not in self._damaged]

    def _look_at_files(self, table: deltalake.DeltaTable) -> None:
        """Each file that was not looked at yet: is it there, and as long as the log says?"""
        for name, size, _, _ in listed(table):
            if name in self._whole or name in self._damaged:
                continue
            if (wrong := wrong_size(self.folder / name, size)) is None:
                self._whole.add(name)
            else:
                self._damaged[name] = wrong
                log.error("%s %s: it is left out and the rest is served; %s", self.folder / name, wrong, MEND)

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
            files = [] if table is None else listed(table)
        days: dict[str, list[int]] = {}
        for _, size, rows, day in files:
            total = days.setdefault(day, [0, 0])
            total[0] += rows
            total[1] += size
        return [Day(day=day, rows=rows, bytes=size) for day, (rows, size) in sorted(days.items())]

    def drop(self, days: Sequence[str]) -> None:
        with self.lock, delta_errors():
            table = self.current()
            if table is not None and days:
                names = ", ".join(f"'{day}'" for day in days)
                table.delete(f"day IN ({names})")

    def pack(self) -> dict[str, int]:
        """Small files into large ones, old log entries into a checkpoint, replaced files away."""
        with self.lock, delta_errors():
            table = self.current()
            if table is None or self.broken_entry is not None:
                return {}
            try:
                packed = int(table.optimize.compact()["numFilesRemoved"])
            except CommitFailedError:  # another process compacts; what is left over waits for the next time
                packed = 0
            table.update_incremental()
            table.create_checkpoint()
            table.cleanup_metadata()
            removed = table.vacuum(VACUUM_HOURS, dry_run=False, enforce_retention_duration=False)
        return {"files_compacted": packed, "files_removed": len(removed)}


def _app(stream: str) -> str:
    return f"regsight:{stream}"


def reached(table: deltalake.DeltaTable, stream: str) -> int:
    """The committed offset of a stream, -1 before the first."""
    version = table.transaction_version(_app(stream))
    return -1 if version is None else int(version)


def listed(table: deltalake.DeltaTable) -> list[tuple[str, int, int, str]]:
    """Name, bytes, rows and day of every file of the table; 0 rows where a repair could not tell."""
    adds: dict[str, list[Any]] = pa.table(table.get_add_actions(flatten=True)).to_pydict()
    rows = adds.get("num_records") or [None] * len(adds["path"])
    found = zip(adds["path"], adds["size_bytes"], rows, adds["partition.day"], strict=True)
    return [(unquote(name), int(size), int(count or 0), day) for name, size, count, day in found]


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
