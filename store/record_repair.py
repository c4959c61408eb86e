"""A broken `records.db`: told by name, and its readable rows carried over into a new one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from store.contract import Damage
from store.records import SCHEMA, SCHEMA_VERSION

TABLES = ("findings", "incidents", "outbox", "runs", "leases", "dead_letters", "positions", "notes")


def record_damage(path: Path, attic: Path, repair: bool) -> list[Damage]:
    """What SQLite itself finds wrong with the file; with `repair` a new one stands in its place, the old one in `attic`.

    Nobody else may have the file open while it is mended.
    """
    if not path.exists() or (wrong := _wrong(path)) is None:
        return []
    damage = Damage(path=str(path), wrong=wrong, lost="findings, incidents, notes: what stands on the broken pages")
    if not repair:
        return [damage]
    attic.mkdir(exist_ok=True)
    old = attic / path.name
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            shutil.move(f"{path}{suffix}", f"{old}{suffix}")
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    kept = _carried_over(old, fresh)
    fresh.replace(path)
    told = ", ".join(f"{count:,} {name}" for name, count in kept.items() if count) or "nothing could be read"
    return [Damage(path=damage.path, wrong=wrong, lost=damage.lost, mended=f"made anew ({told}); the old one is {old}")]


def _wrong(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(path, timeout=10)) as db:
            said = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        return None if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if said == "ok" else said


def _carried_over(old: Path, fresh: Path) -> dict[str, int]:
    """Rows by table; a table is read up to its first broken page, forwards and then backwards."""
    kept: dict[str, int] = {}
    with closing(sqlite3.connect(fresh)) as into:
        for statement in SCHEMA.split(";"):
            into.execute(statement)
        into.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for table in TABLES:
            for way in ("ASC", "DESC"):
                with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(old)) as broken:
                    for row in broken.execute(f"SELECT * FROM {table} ORDER BY rowid {way}"):  # noqa: S608 (our names)
                        marks = ", ".join("?" * len(row))
                        into.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608
            kept[table] = into.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 (our names)
        into.commit()
    return kept
