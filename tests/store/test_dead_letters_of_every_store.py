"""Dead letters that became events are forgotten; notes are found by their beginning; old files are read on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store.contract import DeadLetter, Store
from store.locate import open_store

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def letter(offset: int, **fields: Any) -> DeadLetter:
    return DeadLetter(stream="s/ü", offset=offset, length=1, reason="torn", line=b"\xff", read_at=NOW, **fields)


def test_drop_dead_letters(opened: Callable[[], Store], table: Callable[..., Any]) -> None:
    """Only those that are named, and the count says how many there were."""
    opened().commit(table(), [], [letter(1, registry="main"), letter(2), letter(3)])
    found = {each.offset: each for each in opened().dead_letters()}
    assert (found[1].registry, found[2].registry) == ("main", None)
    assert opened().drop_dead_letters([letter(1), letter(3), letter(9)]) == 2
    assert [each.offset for each in opened().dead_letters()] == [2]
    assert opened().drop_dead_letters([letter(1)]) == 0


def test_notes_by_their_beginning(opened: Callable[[], Store]) -> None:
    """`%`, `_` and `*` in a key are ordinary characters."""
    for key in ("drift/a/x", "drift/b_%*/y", "driftwood", "other"):
        opened().put_note(key, {"key": key})
    assert opened().notes("drift/") == {key: {"key": key} for key in ("drift/a/x", "drift/b_%*/y")}
    assert opened().notes("drift/b_%*") == {"drift/b_%*/y": {"key": "drift/b_%*/y"}}
    assert opened().notes("none") == {}


def test_a_file_of_the_first_release_is_read_on(tmp_path: Path) -> None:
    """Its dead letters do not say which registry they are of; everything else is as it was."""
    folder = tmp_path / "store"
    first = open_store(f"delta:{folder}")
    first.close()
    with sqlite3.connect(folder / "records.db") as db:
        db.execute("DROP TABLE dead_letters")
        db.execute(
            """CREATE TABLE dead_letters (stream TEXT, "offset" INTEGER, length INTEGER NOT NULL, reason TEXT NOT NULL,
            line BLOB NOT NULL, path TEXT NOT NULL, format TEXT NOT NULL, read_at TEXT, PRIMARY KEY (stream, "offset"))"""
        )
        db.execute("INSERT INTO dead_letters VALUES ('s', 7, 1, 'torn', x'ff', 'p', 'zot', ?)", [NOW.isoformat()])
        db.execute("PRAGMA user_version = 1")
    db.close()
    for _ in range(2):
        again = open_store(f"delta:{folder}")
        (found,) = again.dead_letters()
        assert (found.offset, found.format, found.registry) == (7, "zot", None)
        again.close()
