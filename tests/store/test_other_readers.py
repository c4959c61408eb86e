"""The event table is a plain Delta table: what else reads one reads ours, and a second collector writes beside the first."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import duckdb
import polars
import pytest
from deltalake import DeltaTable

from store.contract import EventQuery
from store.embedded import EmbeddedStore
from store.event import schema

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, row, table, start):
    """Two days, several commits, one of them packed."""
    store = EmbeddedStore(tmp_path / "data")
    for n in range(6):
        store.commit(table(row(n, timestamp=start.replace(day=1 + n % 2), actor="ann" if n else None)), [])
    store.maintain(start, None)
    store.commit(table(row(9, actor="日本")), [])
    store.close()
    return tmp_path / "data" / "events"


def expected(start, row):
    return sorted([row(n)["event_id"] for n in range(6)] + [row(9)["event_id"]])


def test_pandas_reads_it(folder, start, row):
    frame = DeltaTable(str(folder)).to_pandas()
    assert sorted(frame["event_id"]) == expected(start, row)
    assert set(frame.columns) == {*schema().names, "day"}
    assert str(frame["timestamp"].dtype) == "datetime64[us, UTC]"


def test_polars_reads_it(folder, start, row):
    frame = polars.scan_delta(str(folder)).filter(polars.col("day") == "2026-11-01").collect()
    whole = polars.read_delta(str(folder))
    assert sorted(whole["event_id"]) == expected(start, row)
    assert whole["timestamp"].dtype == polars.Datetime("us", "UTC")
    assert set(frame["day"]) == {"2026-11-01"} and 0 < frame.height < whole.height
    assert whole.filter(polars.col("actor") == "日本").height == 1


def test_duckdb_reads_it(folder, start, row):
    """Over Arrow, which needs no extension that is downloaded."""
    events = DeltaTable(str(folder)).to_pyarrow_dataset()
    with duckdb.connect() as plain:
        plain.register("events", events)
        found = plain.execute("SELECT event_id FROM events ORDER BY 1").fetchall()
        counted = plain.execute("SELECT day, count(*) FROM events GROUP BY 1 ORDER BY 1").fetchall()
    assert [one[0] for one in found] == expected(start, row)
    assert sum(count for _, count in counted) == 7


def test_questions_about_values_are_answered(folder):
    """Readers pass over files by statistics: what has none must not be passed over."""
    table = DeltaTable(str(folder))
    assert table.to_pandas(filters=[("actor", "=", "ann")]).shape[0] == 5
    assert table.to_pyarrow_table(filters=[("actor", "=", "日本")]).num_rows == 1
    assert polars.scan_delta(str(folder)).filter(polars.col("actor") == "ann").collect().height == 5
    with duckdb.connect() as plain:
        plain.register("events", table.to_pyarrow_dataset())
        assert plain.execute("SELECT count(*) FROM events WHERE actor = 'ann' AND action IS NOT NULL").fetchone() == (
            5,
        )


def collectors(tmp_path, store, *logs):
    """`regsight collect` on each log at once, as processes of their own; their exit codes."""
    words = [sys.executable, "-m", "regsight", "collect", "--format", "nginx-combined", "--store", f"delta:{store}"]
    with ExitStack() as open_files:
        errors = [open_files.enter_context((tmp_path / f"errors{n}").open("wb")) for n in range(len(logs))]
        begun = [
            subprocess.Popen([*words, str(log)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=out)
            for log, out in zip(logs, errors, strict=True)
        ]
        return [process.wait(300) for process in begun]


def lines(first, count):
    text = '10.0.0.1 - - [24/Nov/2026:02:17:{:02} +0000] "GET /v2/a/manifests/n{} HTTP/1.1" 200 7 "-" "skopeo/1.9.3"\n'
    return "".join(text.format(n % 60, n) for n in range(first, first + count))


def references(store):
    opened = EmbeddedStore(store)
    found = sorted(int(event["reference"][1:]) for event in opened.events(EventQuery()))
    opened.close()
    return found


def test_two_collectors_write_into_one_store(tmp_path):
    """Each its own file, at once: everything once."""
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    for place, log in enumerate(logs):
        log.write_text(lines(place * 2_000, 2_000))
    assert collectors(tmp_path, tmp_path / "s", *logs) == [0, 0]
    assert references(tmp_path / "s") == list(range(4_000))


def test_two_collectors_on_one_file_are_harmless(tmp_path):
    """Ids and positions are made of the content: what the second one reads is known, and counts once."""
    log = tmp_path / "a.log"
    log.write_text(lines(0, 3_000))
    assert collectors(tmp_path, tmp_path / "s", log, log) == [0, 0]
    assert references(tmp_path / "s") == list(range(3_000))
    assert "Traceback" not in (tmp_path / "errors0").read_text() + (tmp_path / "errors1").read_text()
