"""The default store: a Delta table of events, read through DuckDB, with SQLite beside it for what changes.

`<path>/events` is an ordinary Delta table that Spark, Trino, pandas and polars read; `<path>/records.db` is described
in `store.records`. Rows and the position they were read from are one Delta commit (`Transaction(app_id, version)`):
after a crash at any moment either both are there or neither is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import CommitFailedError

from store import arrivals, sql
from store.contract import WINDOW_COUNTS, Committed, Damage, Day, DeadLetter, EventQuery, Position, Voice
from store.delta import UNFIT, EventTable, day_of, delta_errors, reached
from store.delta_files import SINGLE, UNKNOWN, File
from store.delta_gather import SmallFiles
from store.delta_hours import Hours, chosen
from store.delta_repair import event_damage
from store.delta_repeated import MOST_ROWS, Repeated
from store.delta_rollups import RollupTable
from store.delta_upkeep import around, pack
from store.errors import Rejected, Unavailable
from store.event import schema
from store.frames import check_countable, counts_frame, windows_frame
from store.plain import column_of, plain_rows
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
OVERLAPS_KEPT = 8
LOOKED_AHEAD, LOOKED_BACK = timedelta(days=4), timedelta(days=3)  # for ids that several rows have
# A question by account, image or address is answered from the parts of so many events alone; more are cheaper to read whole.
CANDIDATES_AT_MOST = 100_000
DUCKDB_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class EmbeddedStore(SqliteRecords):
    """`store.contract.Store` in a folder. Several processes may write and read it at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
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
        self._hours = Hours(self.path / "hours")
        self._small_files = SmallFiles()
        self._overlap: dict[tuple[frozenset[str], frozenset[str]], pa.Table] = {}
        self._repeated = Repeated()
        self._pattern = _pattern(self._events)
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
                self._small_files.added(self._table, pc.unique(fresh["day"]).to_pylist())
                return Committed(rows=rows.num_rows, known=rows.num_rows - fresh.num_rows)
        raise Unavailable(f"{self._events}: other processes commit all the time")

    def _unknown(self, rows: pa.Table) -> pa.Table:
        """The rows that are not in the table yet, part by part; asked only when a commit seems to be a repetition."""
        if not rows.num_rows:
            return rows
        days = pc.min_max(rows["day"]).as_py()
        with self._cursor(self._table.files(days["min"], days["max"])) as (cursor, source, files):
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
        with self._parts(query.since, query.until, query) as (cursor, parts, files):
            text, parameters = sql.events(parts, query)
            with self._duckdb_errors():
                for batch in cursor.sql(text, params=files | parameters).to_arrow_reader(READ_ROWS):
                    yield from plain_rows(batch)

    def table(self, query: EventQuery) -> pa.Table:
        with self._parts(query.since, query.until, query) as (cursor, parts, files):
            text, parameters = sql.events(parts, query)
            with self._duckdb_errors():
                return cursor.sql(text, params=files | parameters).to_arrow_table()

    def parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        first, last = (None if moment is None else day_of(moment) for moment in (query.since, query.until))
        asked = [file for file in self._table.files(first, last) if file.within(query.since, query.until)]
        if not asked:
            return  # a new hour of a log: DuckDB need not be asked what nobody wrote
        with self._cursor(asked) as (cursor, source, files), self._duckdb_errors():
            text, parameters = sql.parts(source, query, numbered_by, besides)
            for batch in cursor.sql(text, params=files | parameters).to_arrow_reader(READ_ROWS):
                yield from plain_rows(batch)

    def counts(
        self, since: datetime, until: datetime, by: Sequence[str], width: timedelta | None = None
    ) -> pd.DataFrame:
        check_countable(by, width)
        number = chosen(by, width)
        with self._parts(since, until, counts=number) as (cursor, parts, files):
            text = sql.counts(parts, by, width, sql.whole_rows("counted") if "counted" in files else "")
            with self._duckdb_errors():
                found = cursor.sql(text, params=files | {"since": since, "until": until}).to_arrow_table()
        start = [] if width is None else ["window_start"]
        names = [*by, *start, "events", "bytes", "duration_ns"]
        return counts_frame(dict(zip(names, map(column_of, found.columns), strict=True)), by)

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        check_countable((), width)
        with self._parts(since, until) as (cursor, parts, files):
            text = sql.windows(parts, width, subject)
            with self._duckdb_errors():
                found = cursor.sql(text, params=files | {"since": since, "until": until}).to_arrow_table()
        columns = {name: found[name].to_numpy() for name in ("window_us", *WINDOW_COUNTS)}
        return windows_frame(column_of(found["subject"]), columns)

    def span(self) -> tuple[datetime, datetime] | None:
        with self._parts(None, None) as (cursor, parts, files), self._duckdb_errors():
            merged = sql.merged(parts, ["timestamp"])
            found = cursor.sql(
                f"SELECT min(timestamp), max(timestamp) FROM {merged}",  # noqa: S608 (constant text)
                params=files,
            ).to_arrow_table()
        first, last = (column[0].as_py() for column in found.columns)
        return None if first is None else (first, last)

    def arrived(self, stored_since: datetime, since: datetime, before: datetime) -> list[arrivals.Arrival]:
        asked = self._table.files(day_of(since), day_of(before), stored_since)
        with self._cursor(asked) as (cursor, source, files):
            limits = {"stored": stored_since, "since": since, "before": before}
            with self._duckdb_errors():
                found = cursor.sql(arrivals.embedded(source), params=files | limits).to_arrow_table()
        columns = zip(*(column.to_pylist() for column in found.columns), strict=True)
        return [arrivals.Arrival(hour=hour, rows=rows, first=first, stored=last) for hour, rows, first, last in columns]

    def total(self) -> int:
        with self._parts(None, None) as (cursor, parts, files), self._duckdb_errors():
            text = f"SELECT count(DISTINCT event_id) FROM {parts.rest}"  # noqa: S608 (constant text)
            if parts.single:
                text = f"SELECT ({text}) + (SELECT count(*) FROM {parts.single})"  # noqa: S608 (constant text)
            return int(cursor.sql(text, params=files).fetchall()[0][0])

    @contextmanager
    def _parts(
        self,
        since: datetime | None,
        until: datetime | None,
        query: EventQuery | None = None,
        counts: int | None = None,
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, sql.Parts, dict[str, Any]]]:
        """A cursor, where to read the events in [since, until), and its parameters. With a query, what it names may narrow
        down where to read those that may have several parts. With `counts`, what these hourly counts tell of is not among the
        rows; they are the parameter `counted`."""
        first = None if since is None else day_of(since - NEIGHBOURHOOD)
        last = None if until is None else day_of(until + NEIGHBOURHOOD)
        files = self._table.files(first, last)
        near = [file for file in files if file.kind == SINGLE]
        asked = [file for file in near if file.within(since, until)]
        others = [file for file in files if file.kind != SINGLE]
        with self._cursor(others) as (cursor, rest, parameters), self._duckdb_errors():
            unknown = [file for file in files if file.kind == UNKNOWN]
            overlapping = bool(near) and self._overlapping(cursor, unknown, near)
            if counts is not None and since is not None and until is not None and not overlapping:
                counted = dict(self._hours.counted(asked, counts, since, until))
                asked = [file for file in asked if file not in counted]
                parameters |= {"counted": [_pattern(path) for path in counted.values()]} if counted else {}
            reading = sql.whole_rows if all(file.whole for file in asked) else sql.rows
            single = reading("single") if asked else ""
            parameters |= {"single": self._paths(asked)} if asked else {}
            if overlapping:
                parameters["near"] = self._paths(near)
                rest = sql.both(rest, sql.hashed(sql.rows("near"), True, "overlap"))
                single = sql.hashed(single, False, "overlap") if single else ""
            if rest == sql.rows(""):
                yield cursor, sql.Parts(rest, single, repeated=False), parameters
                return
            asked_of = None if overlapping else frozenset(file.name for file in others)
            known = self._repeated.of(asked_of)
            if known is None and asked_of is not None and (ahead := self._ahead(others, since, until)):
                self._look_through(cursor, ahead)
                known = self._repeated.of(asked_of)
            several = known is None or bool(known.num_rows)
            if several and query is not None and self._narrowed(cursor, rest, parameters, query):
                rest, known, asked_of = "narrowed", None, None
                parameters = {name: value for name, value in parameters.items() if name == "single"}
            if known is None and asked_of is not None:
                known = self._look_through(cursor, others)
            elif known is None:
                of_rest = {name: value for name, value in parameters.items() if f"${name}" in rest}
                known = cursor.sql(sql.repeated(rest), params=of_rest or None).to_arrow_table()
            cursor.register("repeated", known)
            used = f"{rest} {single} $counted"
            parameters = {name: value for name, value in parameters.items() if f"${name}" in used}
            yield cursor, sql.Parts(rest, single, bool(known.num_rows)), parameters

    def _ahead(self, asked: list[File], since: datetime | None, until: datetime | None) -> list[File]:
        """The files asked for with those of the days around, if there are any behind them: whoever goes through a long past asks
        for these next. None where so many ids have several rows that each question is better answered by itself."""
        if since is None or until is None or until - since > LOOKED_AHEAD or not self._repeated.seldom:
            return []
        files = self._table.files(day_of(since - LOOKED_BACK), day_of(until + NEIGHBOURHOOD + LOOKED_AHEAD))
        ahead = [file for file in files if file.kind != SINGLE]
        return ahead if any(file.day > max(one.day for one in asked) for file in ahead) else []

    def _look_through(self, cursor: duckdb.DuckDBPyConnection, files: list[File]) -> pa.Table:
        """The hashes of the ids that several rows of these files have; remembered."""
        paths, names = {"through": self._paths(files)}, frozenset(file.name for file in files)
        found = cursor.sql(sql.repeated(sql.rows("through")), params=paths).to_arrow_table()
        self._repeated.seldom = found.num_rows <= MOST_ROWS
        if self._repeated.seldom and found.num_rows:
            cursor.register("repeated_through", found)
            rows = cursor.sql(sql.repeated_rows("through", "repeated_through"), params=paths).to_arrow_table()
            of_day = ["/".join(Path(name).parts[-2:]) for name in rows["filename"].to_pylist()]
            self._repeated.keep_rows(names, pa.table({"h": rows["h"], "file": pa.array(of_day, pa.string())}))
        else:
            self._repeated.keep(names, found)
        return found

    def _overlapping(self, cursor: duckdb.DuckDBPyConnection, unknown: list[File], single: list[File]) -> bool:
        """Whether files of which nothing is known share ids with files near them in which each is there once; the hashes are
        then in the table `overlap`. Remembered, for questions come several at a time."""
        days = {day for file in unknown for day in around(file.day)}
        close = [file for file in single if file.day in days]
        if not unknown or not close:
            return False
        key = (frozenset(file.name for file in unknown), frozenset(file.name for file in close))
        if (known := self._overlap.get(key)) is None:
            text = sql.overlap(sql.rows("close"), sql.rows("unknown"))
            paths = {"close": self._paths(close), "unknown": self._paths(unknown)}
            known = cursor.sql(text, params=paths).to_arrow_table()
            while len(self._overlap) >= OVERLAPS_KEPT:
                self._overlap.pop(next(iter(self._overlap)), None)
            self._overlap[key] = known
        cursor.register("overlap", known)
        return bool(known.num_rows)

    @staticmethod
    def _narrowed(cursor: duckdb.DuckDBPyConnection, source: str, files: Mapping[str, Any], query: EventQuery) -> bool:
        """Put all parts of the few events that can match into the table `narrowed`; False where they are not few."""
        candidates = sql.candidates(source, query)
        if candidates is None:
            return False
        text, parameters = candidates
        files = {name: value for name, value in files.items() if f"${name}" in source}
        found = cursor.execute(text, {**files, **parameters, "most": CANDIDATES_AT_MOST + 1}).fetchall()
        if len(found) > CANDIDATES_AT_MOST:
            return False
        text = f"CREATE TEMP TABLE narrowed AS {sql.parts_of(source, 'candidates', query)}"
        cursor.execute(text, {**files, "candidates": [row[0] for row in found]})
        return True

    @contextmanager
    def _cursor(self, files: list[File]) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, dict[str, Any]]]:
        cursor = self._duckdb.cursor()
        try:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.register("nothing", schema().empty_table())
            yield cursor, sql.rows("files" if files else ""), {"files": self._paths(files)} if files else {}
        finally:
            cursor.close()

    def _paths(self, files: list[File]) -> list[str]:
        return [f"{self._pattern}/{file.name}" for file in files]

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
        packed = pack(self._table, self._hours)
        self._hours.keep(self._table.files(None, None))
        return done | {"files_compacted": packed, "files_removed": self._table.tidy()}


def _pattern(path: Path) -> str:
    """DuckDB reads a pattern: names with stars must come through."""
    return re.sub(r"([*?])", r"[\1]", str(path.absolute()))


def _with_day(events: pa.Table) -> pa.Table:
    """The rows with the partition column; every event has an id and a time, or nothing could be counted."""
    try:
        table = events.select(schema().names).cast(schema())
    except (KeyError, ValueError, pa.ArrowNotImplementedError) as error:
        raise Rejected(f"rows do not have the event schema: {error}") from error
    if table["event_id"].null_count or table["timestamp"].null_count:
        raise Rejected("rows without event_id or timestamp")
    return table.append_column("day", _days(table["timestamp"]))


def _days(times: pa.ChunkedArray) -> pa.Array:
    """The UTC day of each time in words, each different day put into words once."""
    days = times.combine_chunks().cast(pa.date32()).dictionary_encode()
    return pc.strftime(days.dictionary, format="%Y-%m-%d").take(days.indices)
