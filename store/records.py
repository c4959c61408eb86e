"""The few things that change, in SQLite beside the event table: findings, outbox, job runs, leases, dead letters,
notes, and what a source needs to find its streams again.

Write-ahead logging lets the page read while a job writes; full synchronisation, because a dead letter has to be on the
disk before the position behind it is.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from store.contract import DeadLetter, Delivery, JobRun, Position
from store.errors import Rejected, Unavailable
from store.event import iso
from store.finding import Finding, Severity
from store.incident import Incident

WAIT_SECONDS = 10
LOCKED = (
    f"is locked by another program (a backup, a sqlite3 shell, a job that hangs) for more than {WAIT_SECONDS} s: "
    "`fuser` on the file names it; nothing is lost, it goes on when the lock is gone"
)
SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS findings (id TEXT PRIMARY KEY, rank INTEGER NOT NULL, start TEXT NOT NULL,
    "end" TEXT NOT NULL, detected_at TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS findings_by_time ON findings (detected_at);
CREATE TABLE IF NOT EXISTS incidents (id TEXT PRIMARY KEY, start TEXT NOT NULL, "end" TEXT NOT NULL,
    detected_at TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (finding_id TEXT, channel TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    created_at TEXT NOT NULL, due_at TEXT NOT NULL, sent_at TEXT, error TEXT NOT NULL,
    PRIMARY KEY (finding_id, channel));
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (state, due_at);
CREATE TABLE IF NOT EXISTS runs (job TEXT, due_at TEXT, started_at TEXT NOT NULL, finished_at TEXT,
    state TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (job, due_at));
CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letters (stream TEXT, "offset" INTEGER, length INTEGER NOT NULL, reason TEXT NOT NULL,
    line BLOB NOT NULL, path TEXT NOT NULL, format TEXT NOT NULL, read_at TEXT, registry TEXT, PRIMARY KEY (stream, "offset"));
CREATE TABLE IF NOT EXISTS positions (stream TEXT, "offset" INTEGER, detail TEXT NOT NULL,
    PRIMARY KEY (stream, "offset"));
CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class SqliteRecords:
    """`store.contract.Records` in one SQLite file. Several processes may open it; one object serves all threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        try:
            self._sqlite = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise Rejected(f"cannot open {path}: {error}") from error
        try:
            self._prepare()
        except BaseException:
            self._sqlite.close()
            raise

    def _prepare(self) -> None:
        with self._change() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise Rejected(f"{self._path} was written by a newer Regsight: use that one, or another folder")
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            if version == 1:  # written before dead letters said which registry they are of
                db.execute("ALTER TABLE dead_letters ADD COLUMN registry TEXT")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with self._guard():
            self._sqlite.execute("PRAGMA journal_mode = WAL")
            self._sqlite.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """One thread at a time, and SQLite's errors in the words of `store.errors`."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:  # locked, disk full, I/O
                if "locked" in str(error):
                    raise Unavailable(f"{self._path} {LOCKED}") from error
                raise Unavailable(f"{self._path}: {error}") from error
            except sqlite3.DatabaseError as error:
                mend = "`regsight store repair` saves what can be read"
                raise Rejected(f"{self._path} is not a usable SQLite file ({error}): {mend}") from error

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; the write lock is taken at once, so that what was read stays true."""
        with self._guard():
            self._sqlite.execute("BEGIN IMMEDIATE")
            try:
                yield self._sqlite
            except BaseException:
                self._sqlite.execute("ROLLBACK")
                raise
            self._sqlite.execute("COMMIT")

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._guard():
            return self._sqlite.execute(sql, values).fetchall()

    def _write(self, sql: str, values: Sequence[Any]) -> int:
        with self._guard():
            return self._sqlite.execute(sql, values).rowcount

    def close(self) -> None:
        with self._lock:
            self._sqlite.close()

    # findings

    def put_finding(self, finding: Finding) -> bool:
        with self._change() as db:
            row = db.execute("SELECT body FROM findings WHERE id = ?", [finding.id]).fetchone()
            if row is not None:
                finding = replace(finding, detected_at=Finding.from_json(json.loads(row[0])).detected_at)
            shown = finding.as_json()
            db.execute(
                "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?)",
                [
                    finding.id,
                    finding.severity.rank,
                    shown["start"],
                    shown["end"],
                    shown["detected_at"],
                    json.dumps(shown),
                ],
            )
        return row is None

    def finding(self, id: str) -> Finding | None:
        found = self._rows("SELECT body FROM findings WHERE id = ?", [id])
        return Finding.from_json(json.loads(found[0][0])) if found else None

    def findings(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        min_severity: Severity = Severity.INFO,
        limit: int | None = None,
    ) -> list[Finding]:
        found = self._rows(
            """SELECT body FROM findings WHERE rank >= ? AND (? IS NULL OR "end" >= ?) AND (? IS NULL OR start < ?)
            ORDER BY detected_at DESC, id LIMIT ?""",
            [min_severity.rank, *[_iso(since)] * 2, *[_iso(until)] * 2, -1 if limit is None else limit],
        )
        return [Finding.from_json(json.loads(row[0])) for row in found]

    # incidents

    def incident(self, id: str) -> Incident | None:
        found = self._rows("SELECT body FROM incidents WHERE id = ?", [id])
        return Incident.from_json(json.loads(found[0][0])) if found else None

    def incidents(
        self, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> list[Incident]:
        found = self._rows(
            """SELECT body FROM incidents WHERE (? IS NULL OR "end" >= ?) AND (? IS NULL OR start < ?)
            ORDER BY detected_at DESC, id LIMIT ?""",
            [*[_iso(since)] * 2, *[_iso(until)] * 2, -1 if limit is None else limit],
        )
        return [Incident.from_json(json.loads(row[0])) for row in found]

    def change_incident(self, id: str, change: Callable[[Incident | None], Incident | None]) -> Incident | None:
        with self._change() as db:
            row = db.execute("SELECT body FROM incidents WHERE id = ?", [id]).fetchone()
            before = None if row is None else Incident.from_json(json.loads(row[0]))
            after = change(before)
            if after is None:
                return before
            shown = after.as_json()
            db.execute(
                "INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?, ?)",
                [id, shown["start"], shown["end"], shown["detected_at"], json.dumps(shown)],
            )
        return after

    # outbox

    def enqueue(self, finding_id: str, channels: Iterable[str], now: datetime) -> int:
        with self._change() as db:
            return sum(
                db.execute(
                    "INSERT OR IGNORE INTO outbox VALUES (?, ?, 'pending', 0, ?, ?, NULL, '')",
                    [finding_id, channel, iso(now), iso(now)],
                ).rowcount
                for channel in channels
            )

    def due(self, now: datetime, limit: int = 100) -> list[Delivery]:
        return self._deliveries(
            "WHERE state = 'pending' AND due_at <= ? ORDER BY due_at, created_at, finding_id, channel LIMIT ?",
            [iso(now), limit],
        )

    def mark_sent(self, delivery: Delivery, now: datetime) -> None:
        self._write(
            """UPDATE outbox SET state = 'sent', attempts = attempts + 1, sent_at = ?, error = ''
            WHERE finding_id = ? AND channel = ? AND state != 'sent'""",
            [iso(now), delivery.finding_id, delivery.channel],
        )

    def mark_failed(self, delivery: Delivery, now: datetime, error: str, retry_at: datetime | None) -> None:
        # What another process has sent meanwhile stays sent.
        self._write(
            """UPDATE outbox SET state = ?, attempts = attempts + 1, due_at = ?, error = ?
            WHERE finding_id = ? AND channel = ? AND state != 'sent'""",
            [
                "failed" if retry_at is None else "pending",
                iso(retry_at or now),
                error,
                delivery.finding_id,
                delivery.channel,
            ],
        )

    def deliveries(self, finding_id: str | None = None) -> list[Delivery]:
        return self._deliveries(
            "WHERE (? IS NULL OR finding_id = ?) ORDER BY created_at, finding_id, channel", [finding_id, finding_id]
        )

    def _deliveries(self, rest: str, values: Sequence[Any]) -> list[Delivery]:
        columns = "finding_id, channel, state, attempts, created_at, due_at, sent_at, error"
        return [
            Delivery(
                finding_id=row[0],
                channel=row[1],
                state=row[2],
                attempts=row[3],
                created_at=datetime.fromisoformat(row[4]),
                due_at=datetime.fromisoformat(row[5]),
                sent_at=_time(row[6]),
                error=row[7],
            )
            for row in self._rows(f"SELECT {columns} FROM outbox {rest}", values)  # noqa: S608 (constant text)
        ]

    # job runs and leases

    def start_run(self, run: JobRun) -> None:
        self._write(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
            [run.job, iso(run.due_at), iso(run.started_at), _iso(run.finished_at), run.state, run.note],
        )

    def finish_run(self, run: JobRun) -> None:
        self.start_run(run)

    def runs(self, job: str | None = None, limit: int = 50) -> list[JobRun]:
        return self._runs("WHERE (? IS NULL OR job = ?) ORDER BY due_at DESC, job LIMIT ?", [job, job, limit])

    def last_ok(self, job: str) -> JobRun | None:
        found = self._runs("WHERE job = ? AND state = 'ok' ORDER BY due_at DESC LIMIT 1", [job])
        return found[0] if found else None

    def _runs(self, rest: str, values: Sequence[Any]) -> list[JobRun]:
        columns = "job, due_at, started_at, finished_at, state, note"
        return [
            JobRun(
                job=row[0],
                due_at=datetime.fromisoformat(row[1]),
                started_at=datetime.fromisoformat(row[2]),
                finished_at=_time(row[3]),
                state=row[4],
                note=row[5],
            )
            for row in self._rows(f"SELECT {columns} FROM runs {rest}", values)  # noqa: S608 (constant text)
        ]

    def take_lease(self, name: str, holder: str, now: datetime, span: timedelta) -> bool:
        taken = self._write(
            """INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,
            until = excluded.until WHERE leases.holder = excluded.holder OR leases.until <= ?""",
            [name, holder, iso(now + span), iso(now)],
        )
        return taken == 1

    def release_lease(self, name: str, holder: str) -> None:
        self._write("DELETE FROM leases WHERE name = ? AND holder = ?", [name, holder])

    # dead letters, notes, positions

    def dead_letters(self, limit: int = 100, stream: str | None = None) -> list[DeadLetter]:
        """Newest first."""
        columns = 'stream, "offset", length, reason, line, path, format, read_at, registry'
        found = self._rows(
            f"SELECT {columns} FROM dead_letters WHERE (? IS NULL OR stream = ?)"  # noqa: S608 (constant text)
            ' ORDER BY read_at DESC, stream, "offset" LIMIT ?',
            [stream, stream, limit],
        )
        return [
            DeadLetter(
                stream=row[0],
                offset=row[1],
                length=row[2],
                reason=row[3],
                line=row[4],
                path=row[5],
                format=row[6],
                read_at=_time(row[7]),
                registry=row[8],
            )
            for row in found
        ]

    def drop_dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        with self._change() as db:
            return sum(
                db.execute(
                    'DELETE FROM dead_letters WHERE stream = ? AND "offset" = ?', [letter.stream, letter.offset]
                ).rowcount
                for letter in letters
            )

    def dead_letter_counts(self) -> dict[str, int]:
        return dict(self._rows("SELECT reason, count(*) FROM dead_letters GROUP BY reason ORDER BY 2 DESC, 1"))

    def put_note(self, key: str, value: Mapping[str, Any]) -> None:
        self._write("INSERT OR REPLACE INTO notes VALUES (?, ?)", [key, json.dumps(dict(value))])

    def note(self, key: str) -> dict[str, Any] | None:
        found = self._rows("SELECT value FROM notes WHERE key = ?", [key])
        return dict(json.loads(found[0][0])) if found else None

    def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        found = self._rows("SELECT key, value FROM notes WHERE substr(key, 1, ?) = ?", [len(prefix), prefix])
        return {key: dict(json.loads(value)) for key, value in found}

    def prepare_commit(self, positions: Iterable[Position], dead: Iterable[DeadLetter]) -> None:
        """Keep dead letters, and the details of positions that count only once the event table has their offset."""
        with self._change() as db:
            db.executemany(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(d.stream, d.offset, d.length, d.reason, d.line),
                        *(_writable(d.path), d.format, _iso(d.read_at), d.registry),
                    )
                    for d in dead
                ],
            )
            db.executemany(
                "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
                [(p.stream, p.offset, json.dumps(dict(p.detail))) for p in positions],
            )

    def position_detail(self, stream: str, offset: int) -> dict[str, Any]:
        found = self._rows('SELECT detail FROM positions WHERE stream = ? AND "offset" = ?', [stream, offset])
        return dict(json.loads(found[0][0])) if found else {}

    def position_streams(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT DISTINCT stream FROM positions ORDER BY stream")]

    def forget_positions_before(self, stream: str, offset: int) -> None:
        self._write('DELETE FROM positions WHERE stream = ? AND "offset" < ?', [stream, offset])

    def prune(self, before: datetime) -> dict[str, int]:
        """Drop dead letters and job runs older than `before`. Findings and deliveries are few and stay."""
        return {
            "dead_letters_dropped": self._write("DELETE FROM dead_letters WHERE read_at < ?", [iso(before)]),
            "job_runs_dropped": self._write("DELETE FROM runs WHERE due_at < ?", [iso(before)]),
        }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _writable(path: str) -> str:
    """File names that are no UTF-8 come with lone surrogates, which SQLite refuses."""
    return path.encode("utf-8", "replace").decode()
