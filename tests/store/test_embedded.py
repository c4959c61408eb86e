"""The Delta table under the embedded store: one truth with its position, whatever happens to the process."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import deltalake
import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from store.contract import EventQuery, Position
from store.embedded import EmbeddedStore
from store.errors import Rejected
from store.event import schema
from store.locate import open_store

WRITER = """
import sys
sys.path[:0] = [{root!r}]
from datetime import UTC, datetime, timedelta
import pyarrow as pa
from store.contract import Position
from store.embedded import EmbeddedStore
from store.event import schema

store = EmbeddedStore({path!r})
position = store.position("s1")
at = position.offset if position else 0
while at < {rows}:
    times = [datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=n) for n in range(at, at + 20)]
    rows = [dict(event_id=f"l-{{at + n}}", timestamp=moment, stream="s1", offset=at + n) for n, moment in enumerate(times)]
    at += 20
    store.commit(pa.Table.from_pylist(rows, schema=schema()), [Position(stream="s1", offset=at, detail={{"at": at}})])
    print(at, flush=True)
"""


@pytest.fixture
def embedded(tmp_path):
    store = EmbeddedStore(tmp_path / "data")
    yield store
    store.close()


@pytest.mark.slow
def test_a_killed_writer_leaves_rows_and_position_together(tmp_path, request):
    """Killed with SIGKILL at seeded moments and started again, the writer stores every row once, none without."""
    chance = random.Random(7)
    text = WRITER.format(root=str(request.config.rootpath), path=str(tmp_path / "data"), rows=2_000)
    kills = 0
    for _ in range(60):
        with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            begun = writer.stdout.readline()
            time.sleep(chance.random() * 0.1)
            if kills < 10 and begun:
                writer.send_signal(signal.SIGKILL)
                kills += 1
            code = writer.wait(60)
        store = EmbeddedStore(tmp_path / "data")
        position = store.position("s1")
        ids = DeltaTable(str(tmp_path / "data" / "events")).to_pyarrow_table(columns=["event_id"])["event_id"]
        store.close()
        assert position is not None
        assert position.detail == {"at": position.offset}
        assert sorted(ids.to_pylist()) == sorted(f"l-{n}" for n in range(position.offset))  # the raw rows: none twice
        if code == 0:
            break
    assert (kills, position.offset) == (10, 2_000)


def test_others_read_it_as_a_plain_delta_table(embedded, tmp_path, row, table):
    """The table needs nothing of ours to be read: deltalake alone gives the rows, partitioned by day."""
    embedded.commit(table(row(1), row(2)), [Position(stream="s1", offset=3)])
    plain = DeltaTable(str(tmp_path / "data" / "events"))
    frame = plain.to_pandas()
    assert sorted(frame["event_id"]) == [row(1)["event_id"], row(2)["event_id"]]
    assert set(frame["day"]) == {"2026-11-01"}
    assert plain.metadata().partition_columns == ["day"]
    assert plain.transaction_version("regsight:s1") == 3


def test_several_writers_and_readers_at_once(tmp_path, row, table):
    """Four stores on one folder append at the same time, and everything is there; readers never fail meanwhile."""
    stores = [EmbeddedStore(tmp_path / "data") for _ in range(4)]
    failed = []

    def work(place):
        try:
            for n in range(10):
                number = place * 10 + n
                rows = table(row(number, stream=f"s{place}", offset=n))
                stores[place].commit(rows, [Position(stream=f"s{place}", offset=n + 1)])
                stores[place].total()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert stores[0].total() == 40
    assert {p.offset for p in stores[1].positions()} == {10}
    for store in stores:
        store.close()


def test_two_who_read_one_stream_count_it_once(tmp_path, row, table):
    """If two processes commit the same rows of the same stream, the second one's are known."""
    one, other = EmbeddedStore(tmp_path / "data"), EmbeddedStore(tmp_path / "data")
    rows, position = table(row(1), row(2)), [Position(stream="s1", offset=300)]
    other.total()
    one.commit(rows, position)
    assert other.commit(rows, position).known == 2
    assert one.total() == 2
    one.close()
    other.close()


def test_a_cut_file_is_named_and_not_passed_over(embedded, tmp_path, row, table, caplog):
    """A Parquet file that cannot be read is named as an error, and the others are served."""
    embedded.commit(table(row(1)), [])
    (file,) = (tmp_path / "data" / "events").rglob("*.parquet")
    embedded.commit(table(row(2)), [])
    file.write_bytes(file.read_bytes()[:100])
    assert [event["event_id"] for event in embedded.events(EventQuery())] == [row(2)["event_id"]]
    assert file.name in caplog.text and "regsight store repair" in caplog.text


def test_upkeep_packs_small_files_while_another_writes(embedded, tmp_path, row, table, start):
    """Compaction by one process changes no answer and breaks no other process that has the table open."""
    other = EmbeddedStore(tmp_path / "data")
    for n in range(12):
        (embedded, other)[n % 2].commit(table(row(n)), [Position(stream="s1", offset=n + 1)])
    assert embedded.maintain(start, None)["files_compacted"] == 12
    other.commit(table(row(50)), [Position(stream="s1", offset=51)])
    assert (embedded.total(), other.total()) == (13, 13)
    assert embedded.position("s1").offset == 51
    other.close()


@pytest.mark.parametrize("name", ["a b", "ü日", "q?x*", "it's", "ha#sh"])
def test_a_folder_may_be_named_almost_any_way(tmp_path, row, table, name):
    """Spaces, quotes and pattern signs in the folder's name come through both libraries."""
    for number in (1, 2):
        store = EmbeddedStore(tmp_path / name)
        store.commit(table(row(number)), [])
        assert store.total() == number
        store.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a[b]", "a%20b", "a^b"])
def test_a_name_that_delta_cannot_take_is_refused(tmp_path, name):
    """Better a sentence at the start than a panic at the first commit."""
    with pytest.raises(Rejected, match="in its name"):
        EmbeddedStore(tmp_path / name)


def test_a_strangers_files_are_refused(tmp_path, row, table):
    """A folder with another Delta table, a file for a folder, or a text for the records is not written over."""
    import pyarrow as pa
    from deltalake import write_deltalake

    (tmp_path / "file").write_text("x")
    with pytest.raises(Rejected, match="cannot make"):
        EmbeddedStore(tmp_path / "file")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "records.db").write_text("no database at all, but long enough to be looked at" * 9)
    with pytest.raises(Rejected, match=r"records\.db"):
        EmbeddedStore(tmp_path / "text")
    write_deltalake(tmp_path / "other" / "events", pa.table({"x": [1]}))
    store = EmbeddedStore(tmp_path / "other")
    with pytest.raises(Rejected, match="not of Regsight"):
        store.commit(table(row(1)), [])
    store.close()


def test_the_files_are_zstd_and_need_no_extension(embedded, tmp_path, row, table):
    """The table is compressed with zstd."""
    embedded.commit(table(row(1)), [])
    (file,) = (tmp_path / "data" / "events").rglob("*.parquet")
    with duckdb.connect() as plain:
        found = plain.execute("SELECT DISTINCT compression FROM parquet_metadata(?)", [str(file)]).fetchall()
    assert found == [("ZSTD",)]


def test_a_table_of_an_earlier_release_is_extended(tmp_path, row, table):
    """Fields that an earlier release did not know are added when somebody writes; its rows say nothing in them."""
    new = {
        "actor_session",
        "ci_system",
        "ci_project",
        "ci_ref",
        "ci_run",
        "ci_commit",
        "peer_ip",
        "forwarded_for",
        "traffic_class",
    }
    old = pa.schema([field for field in schema() if field.name not in new]).append(pa.field("day", pa.string()))
    before = {name: value for name, value in row(1, actor="ann").items() if name not in new}
    folder = tmp_path / "events"
    deltalake.write_deltalake(
        str(folder), pa.Table.from_pylist([before | {"day": "2026-11-01"}], schema=old), partition_by=["day"]
    )
    store = open_store(f"delta:{tmp_path}")
    assert [(one["actor"], one["traffic_class"]) for one in store.events(EventQuery())] == [("ann", None)]
    store.commit(table(row(2, actor="bob", traffic_class="ci", ci_system="gitlab")), [])
    found = [(one["actor"], one["traffic_class"], one["ci_system"]) for one in store.events(EventQuery())]
    assert found == [("ann", None, None), ("bob", "ci", "gitlab")]
    start = row(1)["timestamp"]
    counted = store.counts(start, start + timedelta(hours=1), ("traffic_class",))
    assert dict(zip(counted["traffic_class"], counted["events"], strict=True)) == {None: 1, "ci": 1}
    store.maintain(start + timedelta(days=1), None)  # files of both shapes are packed into one
    assert [one["traffic_class"] for one in store.events(EventQuery())] == [None, "ci"]
    store.close()
