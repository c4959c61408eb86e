"""What a disk does to the embedded store: named, the rest served, and mended by a command."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import deltalake
import pyarrow.parquet as pq
import pytest

from store import records
from store.contract import EventQuery, Position
from store.embedded import EmbeddedStore
from store.errors import Rejected, Unavailable
from store.finding import Finding, Severity
from store.locate import mend_records

DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path, row, table):
    """Four commits of a day each, with positions."""
    store = EmbeddedStore(tmp_path / "data")
    for n in range(4):
        event = row(n, timestamp=row(0)["timestamp"] + n * DAY, actor="ann")
        store.commit(table(event), [Position(stream="s1", offset=n * 100 + 100)])
    store.close()
    return tmp_path / "data"


@pytest.fixture
def reopened(folder):
    stores = []

    def again():
        stores.append(EmbeddedStore(folder))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


def entry(folder: Path, version: int) -> Path:
    return folder / "events" / "_delta_log" / f"{version:020}.json"


def cut(path: Path, to: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * to)])


@pytest.mark.parametrize("how", ["cut", "emptied", "gone"])
def test_a_file_is_named_left_out_and_taken_out(folder, reopened, row, table, how, caplog):
    """Three of four days are served with the file's name in the log; behind the repair all is quiet, and writing goes on."""
    (victim,) = (folder / "events" / "day=2026-11-02").iterdir()
    cut(victim, {"cut": 0.5, "emptied": 0, "gone": 0}[how])
    if how == "gone":
        victim.unlink()
    store = reopened()
    assert [event["timestamp"].day for event in store.events(EventQuery())] == [1, 3, 4]
    assert store.total() == 3
    assert caplog.text.count(victim.name) == 1
    (damage,) = store.damage()
    assert (damage.path, damage.lost, damage.mended) == (str(victim), "1 rows of 2026-11-02", "")
    (damage,) = store.damage(repair=True)
    assert "goes on without it" in damage.mended
    assert (folder / "damaged" / victim.name).exists() == (how != "gone")
    store.commit(table(row(9)), [Position(stream="s1", offset=900)])
    assert store.maintain(row(9)["timestamp"], None)["files_compacted"] >= 0
    assert reopened().damage(deep=True) == []
    assert reopened().total() == 4
    assert reopened().position("s1").offset == 900


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5])
def test_one_changed_byte_is_found(folder, reopened, place):
    """Whatever it decompresses to: pages carry checksums."""
    (victim,) = (folder / "events" / "day=2026-11-02").iterdir()
    metadata = pq.ParquetFile(victim).metadata.row_group(0)
    columns = [metadata.column(number) for number in range(metadata.num_columns)]
    ends = [(column.data_page_offset, column.total_compressed_size) for column in columns]
    data = bytearray(victim.read_bytes())
    start, size = ends[int(place * len(ends))]
    data[start + size - 1] ^= 1  # the last byte of a column's last page
    victim.write_bytes(data)
    assert [damage.path for damage in reopened().damage(deep=True)] == [str(victim)]


def test_a_file_that_rots_is_found_by_reading_it(folder, reopened):
    """As long as it was, with other bytes in it: an error names it, verify finds it, repair takes it out."""
    (victim,) = (folder / "events" / "day=2026-11-02").iterdir()
    data = bytearray(victim.read_bytes())
    data[-200:] = os.urandom(200)
    victim.write_bytes(data)
    store = reopened()
    with pytest.raises(Unavailable, match=victim.name):
        list(store.events(EventQuery()))
    assert store.damage() == []
    assert [damage.path for damage in store.damage(repair=True, deep=True)] == [str(victim)]
    assert store.total() == 3


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("to", [0.0, 0.3, 0.97])
def test_a_log_entry_is_written_anew(folder, reopened, row, table, version, to, caplog):
    """Cut at any place, in the middle or at the end: told, what was before is served, and behind the repair every event
    is there; the position may be behind, so that lines are read again and known."""
    cut(entry(folder, version), to)
    store = reopened()
    (damage,) = store.damage()
    assert damage.path == str(entry(folder, version))
    if to:
        assert store.total() == version - 1
        assert entry(folder, version).name in caplog.text
        with pytest.raises(Rejected, match="store repair"):
            store.commit(table(row(9)), [])
    (damage,) = store.damage(repair=True)
    assert "written anew" in damage.mended
    assert (folder / "damaged" / entry(folder, version).name).exists()
    store = reopened()
    assert store.damage(deep=True) == []
    assert store.total() == 4
    assert store.position("s1").offset in (300, 400)
    again = row(3, timestamp=row(0)["timestamp"] + 3 * DAY, actor="ann")
    store.commit(table(again, row(9)), [Position(stream="s1", offset=500)])
    assert (store.total(), store.position("s1").offset) == (5, 500)
    assert deltalake.DeltaTable(str(folder / "events")).version() == 5


def test_a_repair_leaves_out_what_was_replaced_before_the_log_begins(folder, reopened, row, table):
    """Entries are kept for minutes, replaced files for hours: what only a checkpoint knows of is no file that was lost."""
    store = reopened()
    store.maintain(row(0)["timestamp"], None)
    for number in (5, 6):
        store.commit(table(row(number)), [Position(stream="s1", offset=100 * number)])
    files, log = store._table.days(), folder / "events" / "_delta_log"
    newest = store._table.current().version()
    for old in [path for path in log.glob("*.json") if int(path.stem) < newest - 1]:
        old.unlink()
    cut(entry(folder, newest), 0.3)
    (damage,) = reopened().damage(repair=True)
    assert damage.mended.endswith(" 1 files taken in again")
    store = reopened()
    assert store._table.days() == files
    assert store.total() == 6


def test_entries_behind_a_checkpoint_are_nobodys_business(folder, reopened, row):
    """What is broken there is never read."""
    store = reopened()
    store.maintain(row(0)["timestamp"], None)
    if (old := entry(folder, 2)).exists():
        cut(old)
    assert reopened().damage(deep=True) == []
    assert reopened().total() == 4


def test_a_locked_file_says_who_may_hold_it(folder, reopened, monkeypatch):
    """Another program holds the lock: a sentence, no stack; when it is gone, all goes on."""
    monkeypatch.setattr(records, "WAIT_SECONDS", 0.2)
    store = reopened()
    other = sqlite3.connect(folder / "records.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match=r"records\.db is locked by another program"):
        store.put_note("a", {})
    with pytest.raises(Unavailable, match="locked"):
        EmbeddedStore(folder)
    other.execute("ROLLBACK")
    other.close()
    store.put_note("a", {"b": 1})
    assert store.note("a") == {"b": 1}


def test_broken_records_are_carried_over(folder, start):
    """Pages of records.db are overwritten: opening names it, the repair keeps what can be read, the events stay."""
    store = EmbeddedStore(folder)
    for n in range(400):
        store.put_finding(
            Finding(
                id=f"f-{n}", detector="d", kind="k", severity=Severity.LOW, title="t" * 300, detected_at=start, start=start,
                end=start, subjects={}, score=1.0, expected="", observed="",
            )
        )  # fmt: skip
    store.put_note("kept", {"a": 1})
    store.close()
    with sqlite3.connect(folder / "records.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = bytearray((folder / "records.db").read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 8192] = b"\xa5" * 8192
    (folder / "records.db").write_bytes(data)
    (damage,) = mend_records(f"delta:{folder}")
    assert "made anew" in damage.mended
    assert (folder / "damaged" / "records.db").read_bytes() == data
    store = EmbeddedStore(folder)
    assert 200 < len(store.findings()) < 400
    assert store.note("kept") == {"a": 1}
    assert (store.total(), store.position("s1").offset) == (4, 400)
    store.close()
    assert mend_records(f"delta:{folder}") == []


def test_a_text_for_records_is_told_with_the_way_out(folder):
    """No SQLite at all."""
    for path in folder.glob("records.db*"):
        path.unlink()
    (folder / "records.db").write_text("not a database, and long enough to be looked at " * 30)
    with pytest.raises(Rejected, match="store repair"):
        EmbeddedStore(folder)
    assert mend_records(f"delta:{folder}")[0].mended
    store = EmbeddedStore(folder)
    assert store.total() == 4
    store.close()


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_the_commands(folder, relative):
    """`store verify` names it with exit code 3, `store repair` mends it, then verify is content; the store that is used where none
    is named has a relative path.
    """
    name = folder.name if relative else folder

    def regsight(*words):
        command = [sys.executable, "-m", "regsight", "store", *words, "--store", f"delta:{name}"]
        paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(command, capture_output=True, text=True, cwd=folder.parent, env=paths, timeout=120)

    (victim,) = (folder / "events" / "day=2026-11-02").iterdir()
    cut(victim)
    told = regsight("verify")
    assert (told.returncode, victim.name in told.stdout) == (3, True)
    assert regsight("repair").returncode == 0
    assert regsight("verify", "--json").returncode == 0
    shutil.rmtree(folder / "damaged")


def test_a_running_store_sees_what_happens_to_its_files(folder, reopened):
    """Cut while the store is open: an error once, then the rest."""
    store = reopened()
    assert store.total() == 4
    (victim,) = (folder / "events" / "day=2026-11-02").iterdir()
    cut(victim)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if store.total() == 3:
                break
        except Unavailable as error:
            assert victim.name in str(error)
    assert [event["timestamp"].day for event in store.events(EventQuery())] == [1, 3, 4]
