"""The default store: a Delta table of events, read through DuckDB, with SQLite beside it for what changes.

`<path>/events` is an ordinary Delta table that Spark, Trino, pandas and polars read; `<path>/records.db` is described
in `store.records`. Rows and the position they were read from are one Delta commit (`Transaction(app_id, version)`):
after a crash at any moment either both are there or neither is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import CommitFailedError

from store import sql
from store.contract import WINDOW_COUNTS, Committed, Damage, Day, DeadLetter, EventQuery, Position
from store.delta import UNFIT, EventTable, day_of, delta_errors, reached
from store.delta_repair import event_damage
from store.delta_rollups import RollupTable
from store.errors import Rejected, Unavailable
from store.event import schema
from store.frames import check_countable, counts_frame, windows_frame
from store.plain import plain_rows
from store.record_repair import record_damage
from store.records import SqliteRecords
from store.retention import retain

if TYPE_CHECKING:
    import pandas as pd

# Parts of one request may stand on both sides of midnight: whoever reads a day reads its neighbours too.
NEIGHBOURHOOD = timedelta(days=1)
# Another process may have moved the table on between our look and our commit; each round looks again.
COMMIT_ROUNDS = 20
READ_ROWS = 2_000
# A question by account, image or address is answered from the parts of so many events alone; more are cheaper to read whole.
CANDIDATES_AT_MOST = 100_000
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
        self._table = EventTable(self._events)
        self._rollups = RollupTable(self.path / "rollups")
        # DuckDB reads a pattern: names with stars must come through.
        self._pattern = re.sub(r"([*?])", r"[\1]", str(self._events.absolute()))
        self._duckdb = duckdb.connect(config=DUCKDB_SETTINGS | {"temp_directory": str(self.path / "spill")})

    def close(self) -> None:
        self._duckdb.close()
        super().close()

    # writing

    def commit(self, events: pa.Table, positions: Sequence[Position], dead: Sequence[DeadLetter] = ()) -> Committed:
        return self._commit(events, positions, dead)

    def add(self, events: pa.Table) -> Committed:
        return self._commit(events, (), again=True)

    def _commit(
        self, events: pa.Table, positions: Sequence[Position], dead: Sequence[DeadLetter] = (), *, again: bool = False
    ) -> Committed:
        rows = _with_day(events)
        if positions or dead:
            self.prepare_commit(positions, dead)
        with self._table.lock, delta_errors():
            for _ in range(COMMIT_ROUNDS):
                table = self._table.current(create=True)
                assert table is not None
                before = {p.stream: reached(table, p.stream) for p in positions}
                moved = [p for p in positions if p.offset > before[p.stream]]
                # A position at or behind the committed one: this commit, or a part of it, may be here already.
                fresh = rows if len(moved) == len(positions) and not again else self._unknown(rows)
                try:
                    if fresh.num_rows or moved:
                        self._table.append(table, fresh, moved)
                except CommitFailedError:
                    continue
                for p in moved:
                    self.forget_positions_before(p.stream, before[p.stream])
                return Committed(rows=rows.num_rows, known=rows.num_rows - fresh.num_rows)
        raise Unavailable(f"{self._events}: other processes commit all the time")

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
        offset = self._table.reached(stream)
        if offset < 0:
            return None
        return Position(stream=stream, offset=offset, detail=self.position_detail(stream, offset))

    def positions(self) -> list[Position]:
        found = (self.position(stream) for stream in self.position_streams())
        return [position for position in found if position is not None]

    # reading

    def events(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        with self._parts(query.since, query.until, query) as (cursor, source, files, repeated):
            text, parameters = sql.events(source, repeated, query)
            with self._duckdb_errors():
                for batch in cursor.sql(text, params=files | parameters).to_arrow_reader(READ_ROWS):
                    yield from batch.to_pylist()

    def parts(self, query: EventQuery, *, numbered_by: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        first, last = (None if moment is None else day_of(moment) for moment in (query.since, query.until))
        with self._cursor(self._files(first, last)) as (cursor, source, files), self._duckdb_errors():
            text, parameters = sql.parts(source, query, numbered_by)
            for batch in cursor.sql(text, params=files | parameters).to_arrow_reader(READ_ROWS):
                yield from plain_rows(batch)

    def counts(
        self, since: datetime, until: datetime, by: Sequence[str], width: timedelta | None = None
    ) -> pd.DataFrame:
        check_countable(by, width)
        with self._parts(since, until) as (cursor, source, files, repeated):
            text = sql.counts(source, repeated, by, width)
            with self._duckdb_errors():
                found = cursor.sql(text, params=files | {"since": since, "until": until}).fetchall()
        start = [] if width is None else ["window_start"]
        columns = list(zip(*found, strict=True)) or [()] * (len(by) + len(start) + 3)
        return counts_frame(dict(zip([*by, *start, "events", "bytes", "duration_ns"], columns, strict=True)), by)

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        check_countable((), width)
        with self._parts(since, until) as (cursor, source, files, repeated):
            text = sql.windows(source, repeated, width, subject)
            with self._duckdb_errors():
                found = cursor.sql(text, params=files | {"since": since, "until": until}).to_arrow_table()
        columns = {name: found[name].to_numpy() for name in ("window_us", *WINDOW_COUNTS)}
        return windows_frame(found["subject"].to_pylist(), columns)

    def span(self) -> tuple[datetime, datetime] | None:
        with self._parts(None, None) as (cursor, source, files, repeated), self._duckdb_errors():
            merged = sql.merged(source, ["timestamp"], repeated)
            found = cursor.sql(
                f"SELECT min(timestamp), max(timestamp) FROM {merged}",  # noqa: S608 (constant text)
                params=files,
            ).to_arrow_table()
        first, last = (column[0].as_py() for column in found.columns)
        return None if first is None else (first, last)

    def total(self) -> int:
        with self._cursor(self._files(None, None)) as (cursor, source, files), self._duckdb_errors():
            text = f"SELECT count(DISTINCT event_id) FROM {source}"  # noqa: S608 (constant text)
            return int(cursor.sql(text, params=files).fetchall()[0][0])

    @contextmanager
    def _parts(
        self, since: datetime | None, until: datetime | None, query: EventQuery | None = None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, dict[str, Any], bool]]:
        """A cursor, where to read the parts of the events in [since, until), its parameters, and whether any event has
        more than one of them (their hashes are then in the temporary table `repeated`). With a query, what it names may
        narrow down where to read."""
        first = None if since is None else day_of(since - NEIGHBOURHOOD)
        last = None if until is None else day_of(until + NEIGHBOURHOOD)
        with self._cursor(self._files(first, last)) as (cursor, source, files), self._duckdb_errors():
            if query is not None and self._narrowed(cursor, source, files, query):
                source, files = "narrowed", {}
            cursor.execute(f"CREATE TEMP TABLE repeated AS {sql.repeated(source)}", files or None)
            some = cursor.execute("SELECT count(*) FROM repeated").fetchall()[0][0]
            yield cursor, source, files, bool(some)

    @staticmethod
    def _narrowed(cursor: duckdb.DuckDBPyConnection, source: str, files: Mapping[str, Any], query: EventQuery) -> bool:
        """Put all parts of the few events that can match into the table `narrowed`; False where they are not few."""
        candidates = sql.candidates(source, query)
        if candidates is None:
            return False
        text, parameters = candidates
        found = cursor.execute(text, {**files, **parameters, "most": CANDIDATES_AT_MOST + 1}).fetchall()
        if len(found) > CANDIDATES_AT_MOST:
            return False
        text = f"CREATE TEMP TABLE narrowed AS {sql.parts_of(source, 'candidates')}"
        cursor.execute(text, {**files, "candidates": [row[0] for row in found]})
        return True

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
        return [f"{self._pattern}/{name}" for name in self._table.files(first_day, last_day)]

    @contextmanager
    def _duckdb_errors(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:  # a file that vanished, is cut or cannot be read; the message names it
            self._table.look_again()
            raise Unavailable(f"the event table cannot be read: {error}") from error

    # upkeep

    def days(self) -> list[Day]:
        return self._table.days()

    def drop_days(self, days: Sequence[str]) -> None:
        self._table.drop(days)

    def put_rollup(self, day: str, batch: int, counts: pd.DataFrame) -> None:
        self._rollups.put(day, batch, counts)

    def rollups(self, since: datetime, until: datetime) -> pd.DataFrame:
        return self._rollups.read(since, until)

    def drop_rollups(self, before: str) -> int:
        return self._rollups.drop(before)

    def damage(self, repair: bool = False, deep: bool = False) -> list[Damage]:
        found = event_damage(self._events, self.path / "damaged", repair, deep)
        if repair:
            self._table = EventTable(self._events)
        return found + record_damage(self.path / "records.db", self.path / "damaged", repair=False)

    def maintain(self, now: datetime, keep: timedelta | None, keep_rollups: timedelta | None = None) -> dict[str, int]:
        done = retain(self, now, keep, keep_rollups)
        if keep is not None:
            done |= self.prune(now - keep)
        return done | self._table.pack()


def _with_day(events: pa.Table) -> pa.Table:
    """The rows with the partition column; every event has an id and a time, or nothing could be counted."""
    try:
        table = events.select(schema().names).cast(schema())
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise Rejected(f"rows do not have the event schema: {error}") from error
    if table["event_id"].null_count or table["timestamp"].null_count:
        raise Rejected("rows without event_id or timestamp")
    return table.append_column("day", pc.strftime(table["timestamp"], format="%Y-%m-%d"))
