"""The default store: a Delta table of events, read through DuckDB, with SQLite beside it for what changes.

`<path>/events` is an ordinary Delta table that Spark, Trino, pandas and polars read; `<path>/records.db` is described
in `store.records`. Rows and the position they were read from are one Delta commit (`Transaction(app_id, version)`):
after a crash at any moment either both are there or neither is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deltalake
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import CommitFailedError, DeltaProtocolError, SchemaMismatchError

from store import sql
from store.contract import WINDOW_COUNTS, Committed, DeadLetter, EventQuery, Position
from store.errors import Rejected, Unavailable
from store.event import schema
from store.frames import check_countable, counts_frame, windows_frame
from store.records import SqliteRecords

if TYPE_CHECKING:
    import pandas as pd

# Parts of one request may stand on both sides of midnight: whoever reads a day reads its neighbours too.
NEIGHBOURHOOD = timedelta(days=1)
# Another process may have moved the table on between our look and our commit; each round looks again.
COMMIT_ROUNDS = 20
# deltalake 1.6 panics at these in a path, or decodes what was never encoded.
UNFIT = frozenset("%[]^|\\")
# Files that a compaction replaced stay this long for readers that listed them before.
VACUUM_HOURS = 24
READ_ROWS = 2_000
TABLE_SETTINGS = {
    "delta.checkpointInterval": "100",
    # One small file a commit adds up: what is older than this is in a checkpoint anyhow.
    "delta.logRetentionDuration": "interval 2 days",
}
DUCKDB_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class EmbeddedStore(SqliteRecords):
    """`store.contract.Store` in a folder. Several processes may write and read it at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.url = f"delta:{path}"
        self._events = self.path / "events"
        if unfit := UNFIT & set(str(self._events.absolute())):
            raise Rejected(f"{path}: a Delta table cannot be in a folder with {' '.join(sorted(unfit))} in its name")
        try:
            self._events.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Rejected(f"cannot make the store's folder {path}: {error.strerror}; give another --store") from error
        super().__init__(self.path / "records.db")
        # deltalake reads a URI, DuckDB a pattern: names with spaces or stars must come through both.
        self._uri = self._events.absolute().as_uri()
        self._pattern = re.sub(r"([*?])", r"[\1]", str(self._events.absolute()))
        self._table: deltalake.DeltaTable | None = None
        self._table_lock = threading.RLock()
        self._duckdb = duckdb.connect(config=DUCKDB_SETTINGS | {"temp_directory": str(self.path / "spill")})

    def close(self) -> None:
        self._duckdb.close()
        super().close()

    # writing

    def commit(self, events: pa.Table, positions: Sequence[Position], dead: Sequence[DeadLetter] = ()) -> Committed:
        rows = _with_day(events)
        if positions or dead:
            self.prepare_commit(positions, dead)
        with self._table_lock, _delta_errors():
            for _ in range(COMMIT_ROUNDS):
                table = self._current(create=True)
                assert table is not None
                reached = {p.stream: _reached(table, p.stream) for p in positions}
                moved = [p for p in positions if p.offset > reached[p.stream]]
                # A position at or behind the committed one: this commit, or a part of it, may be here already.
                fresh = rows if len(moved) == len(positions) else self._unknown(rows)
                try:
                    if fresh.num_rows or moved:
                        self._append(table, fresh, moved)
                except CommitFailedError:
                    continue
                for p in moved:
                    self.forget_positions_before(p.stream, reached[p.stream])
                return Committed(rows=rows.num_rows, known=rows.num_rows - fresh.num_rows)
        raise Unavailable(f"{self._events}: other processes commit all the time")

    def _append(self, table: deltalake.DeltaTable, rows: pa.Table, moved: Sequence[Position]) -> None:
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

    def _unknown(self, rows: pa.Table) -> pa.Table:
        """The rows that are not in the table yet, part by part; asked only when a commit seems to be a repetition."""
        if not rows.num_rows:
            return rows
        days = pc.min_max(rows["day"]).as_py()
        with self._cursor(self._files(days["min"], days["max"])) as (cursor, source, files):
            cursor.register("new", rows.append_column("place", pa.array(range(rows.num_rows))))
            same = ("event_id", "channel", "revision", "stream", '"offset"')
            joined = " AND ".join(f"new.{name} IS NOT DISTINCT FROM old.{name}" for name in same)
            found = cursor.sql(
                f"SELECT DISTINCT place FROM new JOIN {source} AS old ON {joined}",  # noqa: S608 (constant names)
                params=files,
            ).fetchall()
        stored = pa.array([row[0] for row in found], pa.int64())
        return rows.filter(pc.invert(pc.is_in(pa.array(range(rows.num_rows)), value_set=stored)))

    def position(self, stream: str) -> Position | None:
        with self._table_lock, _delta_errors():
            table = self._current()
            offset = -1 if table is None else _reached(table, stream)
        if offset < 0:
            return None
        return Position(stream=stream, offset=offset, detail=self.position_detail(stream, offset))

    def positions(self) -> list[Position]:
        found = (self.position(stream) for stream in self.position_streams())
        return [position for position in found if position is not None]

    # reading

    def events(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        with self._parts(query.since, query.until) as (cursor, source, files, repeated):
            if query.ids:
                source = f"(SELECT * FROM {source} WHERE list_contains($ids, event_id))"  # noqa: S608 (constant text)
                files = files | {"ids": list(query.ids)}
            text, parameters = sql.events(source, repeated, query)
            with _duckdb_errors():
                reader = cursor.sql(text, params=files | parameters).to_arrow_reader(READ_ROWS)
                for batch in reader:
                    yield from batch.to_pylist()

    def parts(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        first, last = (None if moment is None else _day(moment) for moment in (query.since, query.until))
        with self._cursor(self._files(first, last)) as (cursor, source, files), _duckdb_errors():
            text, parameters = sql.parts(source, query)
            for batch in cursor.sql(text, params=files | parameters).to_arrow_reader(READ_ROWS):
                yield from batch.to_pylist()

    def counts(
        self, since: datetime, until: datetime, by: Sequence[str], width: timedelta | None = None
    ) -> pd.DataFrame:
        check_countable(by, width)
        with self._parts(since, until) as (cursor, source, files, repeated):
            text = sql.counts(source, repeated, by, width)
            with _duckdb_errors():
                found = cursor.sql(text, params=files | {"since": since, "until": until}).fetchall()
        start = [] if width is None else ["window_start"]
        columns = list(zip(*found, strict=True)) or [()] * (len(by) + len(start) + 3)
        return counts_frame(dict(zip([*by, *start, "events", "bytes", "duration_ns"], columns, strict=True)), by)

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        check_countable((), width)
        with self._parts(since, until) as (cursor, source, files, repeated):
            text = sql.windows(source, repeated, width, subject)
            with _duckdb_errors():
                found = cursor.sql(text, params=files | {"since": since, "until": until}).to_arrow_table()
        columns = {name: found[name].to_numpy() for name in ("window_us", *WINDOW_COUNTS)}
        return windows_frame(found["subject"].to_pylist(), columns)

    def span(self) -> tuple[datetime, datetime] | None:
        with self._parts(None, None) as (cursor, source, files, repeated), _duckdb_errors():
            merged = sql.merged(source, ["timestamp"], repeated)
            found = cursor.sql(
                f"SELECT min(timestamp), max(timestamp) FROM {merged}",  # noqa: S608 (constant text)
                params=files,
            ).to_arrow_table()
        first, last = (column[0].as_py() for column in found.columns)
        return None if first is None else (first, last)

    def total(self) -> int:
        with self._cursor(self._files(None, None)) as (cursor, source, files), _duckdb_errors():
            text = f"SELECT count(DISTINCT event_id) FROM {source}"  # noqa: S608 (constant text)
            return int(cursor.sql(text, params=files).fetchall()[0][0])

    @contextmanager
    def _parts(
        self, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, dict[str, Any], bool]]:
        """A cursor, where to read the parts of the events in [since, until), its parameters, and whether any event has
        more than one of them (their hashes are then in the temporary table `repeated`)."""
        first = None if since is None else _day(since - NEIGHBOURHOOD)
        last = None if until is None else _day(until + NEIGHBOURHOOD)
        with self._cursor(self._files(first, last)) as (cursor, source, files):
            with _duckdb_errors():
                cursor.execute(f"CREATE TEMP TABLE repeated AS {sql.repeated(source)}", files or None)
                some = cursor.execute("SELECT count(*) FROM repeated").fetchall()[0][0]
            yield cursor, source, files, bool(some)

    @contextmanager
    def _cursor(self, files: list[str]) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, dict[str, Any]]]:
        cursor = self._duckdb.cursor()
        try:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.register("nothing", schema().empty_table())
            yield cursor, sql.rows(bool(files)), {"files": files} if files else {}
        finally:
            cursor.close()

    def _files(self, first_day: str | None, last_day: str | None) -> list[str]:
        clauses = [f"day >= '{first_day}'"] if first_day else []
        clauses += [f"day <= '{last_day}'"] if last_day else []
        with self._table_lock, _delta_errors():
            table = self._current()
            if table is None:
                return []
            uris = table.file_uris(file_pruning_predicate=" AND ".join(clauses) or None)
        return [f"{self._pattern}/{'/'.join(uri.rsplit('/', 2)[1:])}" for uri in uris]

    def _current(self, create: bool = False) -> deltalake.DeltaTable | None:
        """The table as it is now, with what other processes committed; None as long as nobody wrote."""
        if self._table is not None:
            try:
                self._table.update_incremental()
            except deltalake.exceptions.DeltaError:  # idle for days, the log behind it was cleaned up: open it anew
                self._table = None
            else:
                return self._table
        if not deltalake.DeltaTable.is_deltatable(self._uri):
            if not create:
                return None
            deltalake.DeltaTable.create(
                self._uri,
                schema=_table_schema(),
                mode="ignore",
                partition_by=["day"],
                configuration=TABLE_SETTINGS,
            )
        table = deltalake.DeltaTable(self._uri)
        if not {"event_id", "timestamp", "day"} <= {field.name for field in table.schema().fields}:
            raise Rejected(f"{self._events} is a Delta table, but not of Regsight's events: give another --store")
        self._table = table
        return table

    # upkeep

    def maintain(self, now: datetime, keep: timedelta | None) -> dict[str, int]:
        done: dict[str, int] = {}
        if keep is not None:
            done |= self.prune(now - keep)
        with self._table_lock, _delta_errors():
            table = self._current()
            if table is None:
                return done
            if keep is not None:
                old = [day["day"] for day in table.partitions() if day["day"] < _day(now - keep)]
                if old:
                    table.delete(f"day < '{_day(now - keep)}'")
                done["days_dropped"] = len(old)
            try:
                packed = table.optimize.compact()
                done["files_compacted"] = int(packed["numFilesRemoved"])
            except CommitFailedError:  # another process compacts; what is left over waits for the next time
                done["files_compacted"] = 0
            table.update_incremental()
            table.create_checkpoint()
            table.cleanup_metadata()
            removed = table.vacuum(VACUUM_HOURS, dry_run=False, enforce_retention_duration=False)
            done["files_removed"] = len(removed)
        return done


def _app(stream: str) -> str:
    return f"regsight:{stream}"


def _reached(table: deltalake.DeltaTable, stream: str) -> int:
    """The committed offset of a stream, -1 before the first."""
    version = table.transaction_version(_app(stream))
    return -1 if version is None else int(version)


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _table_schema() -> pa.Schema:
    return schema().append(pa.field("day", pa.string()))


def _with_day(events: pa.Table) -> pa.Table:
    """The rows with the partition column; every event has an id and a time, or nothing could be counted."""
    try:
        table = events.select(schema().names).cast(schema())
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise Rejected(f"rows do not have the event schema: {error}") from error
    if table["event_id"].null_count or table["timestamp"].null_count:
        raise Rejected("rows without event_id or timestamp")
    return table.append_column("day", pc.strftime(table["timestamp"], format="%Y-%m-%d"))


@contextmanager
def _delta_errors() -> Iterator[None]:
    try:
        yield
    except (SchemaMismatchError, DeltaProtocolError) as error:
        raise Rejected(f"the event table does not fit this Regsight: {error}") from error
    except (deltalake.exceptions.DeltaError, OSError) as error:  # disk full, I/O, a table that is being replaced
        raise Unavailable(f"the event table did not take it: {error}") from error


@contextmanager
def _duckdb_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:  # a file that vanished, is cut or cannot be read; the message names it
        raise Unavailable(f"the event table cannot be read: {error}") from error
