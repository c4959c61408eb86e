"""Sealed bytes: a log, an archive, a row or a seal that was changed afterwards is found; what is as it was is not."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from collecting import embedded
from format_samples import formats
from prometheus_client import CollectorRegistry

from collector.feed import Feed
from collector.gaps import GapLog
from collector.ledger import Ledger
from collector.pipeline import Pipeline
from collector.sources.file_tail import FileTail
from collector.telemetry import CollectorTelemetry
from collector.verify import tell, verify
from store.contract import EventQuery, Store
from store.locate import open_store

SEGMENT = 5_000
DAY = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.ledger.SEGMENT_BYTES", SEGMENT)
    monkeypatch.setattr("collector.ledger.SEGMENTS_IN_NOTE", 4)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with embedded(tmp_path / "store") as opened:
        yield opened


def lines(first: int, count: int) -> bytes:
    made = []
    for number in range(first, first + count):
        moment = f"{DAY + timedelta(seconds=number):%d/%b/%Y:%H:%M:%S} +0000"
        made.append(f'10.0.0.1 - - [{moment}] "GET /v2/a/manifests/n{number} HTTP/1.1" 200 7 "-" "x/1"\n')
    return "".join(made).encode()


def collect(store: Store, *paths: Path) -> None:
    """As one run of the collector."""
    gaps = GapLog(store)
    source = FileTail("files", [str(path) for path in paths], registry="main", gaps=gaps)
    Pipeline(
        store,
        [Feed(source=source, format="nginx-combined")],
        list(formats().values()),
        [],
        CollectorTelemetry(CollectorRegistry()),
        ledger=Ledger(store, gaps),
    ).run()


@pytest.fixture(params=[None, 4_000], ids=["chained", "some alone"])
def log(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A log of many segments, read in twelve runs; some of its blocks may be hashed by the threads that interpret."""
    if request.param:
        monkeypatch.setattr("collector.ledger.ALONE_BYTES", request.param)
    path, chance, written = tmp_path / "access.log", random.Random(5), 0
    for _ in range(12):
        count = chance.randrange(20, 200)
        with path.open("ab") as file:
            file.write(lines(written, count))
        written += count
        collect(store, path)
    assert path.stat().st_size > 6 * SEGMENT
    return path


def test_what_was_not_changed_is_good(store: Store, log: Path) -> None:
    """Read in many runs, renamed and compressed: every byte is as it was, and nothing is told."""
    (checked,) = verify(store)
    assert checked.good and checked.same == log.stat().st_size and checked.gone == 0
    assert len(checked.segments) > 8
    packed = log.with_name("access.log.1.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    (checked,) = verify(store)
    assert checked.good and checked.found == str(packed) and checked.gone == 0
    assert tell(store, [checked], datetime.now(UTC)) == 0 and store.notes("gap/") == {}


def test_a_file_that_is_gone_is_no_change(store: Store, log: Path) -> None:
    """Its bytes cannot be compared; the rows still can."""
    size = log.stat().st_size
    log.unlink()
    (checked,) = verify(store)
    assert checked.good and (checked.same, checked.gone) == (0, size)
    log.write_bytes(lines(90_000, 1000))  # another log under its name
    (checked,) = verify(store)
    assert checked.good and checked.gone == size


@pytest.mark.parametrize(
    ("where", "packed"),  # an archive is found by its first line only
    [("first line", False), ("middle", False), ("last line", False), ("middle", True), ("last line", True)],
)
def test_a_rewritten_line_is_found(store: Store, log: Path, where: str, packed: bool) -> None:
    """One byte, in the log or in its archive: the segment around it is named, and no other."""
    data = bytearray(log.read_bytes())
    at = {"first line": 3, "middle": len(data) // 2, "last line": len(data) - 10}[where]
    data[at] ^= 1
    if packed:
        log.with_name("access.log.1.gz").write_bytes(gzip.compress(data))
        log.unlink()
    else:
        with log.open("r+b") as file:
            file.write(data)
    (checked,) = verify(store)
    (changed,) = checked.changed
    assert changed.start <= at < changed.end
    assert tell(store, [checked], datetime.now(UTC)) == 1
    (gap,) = store.notes("gap/").values()
    assert (gap["kind"], gap["offset"], gap["bytes"]) == ("rewritten", changed.start, changed.end - changed.start)
    assert tell(store, [checked], datetime.now(UTC)) == 1 and len(store.notes("gap/")) == 1  # told twice, kept once


def test_another_log_that_begins_alike_is_not_this_one(store: Store, tmp_path: Path) -> None:
    """Where every log has the same first line, the next one is not taken for the one that is gone."""
    log = tmp_path / "access.log"
    log.write_bytes(lines(0, 1) + lines(100, 60))
    collect(store, log)
    log.unlink()
    log.write_bytes(lines(0, 1) + lines(500, 80))
    collect(store, log)
    assert [(checked.good, bool(checked.gone)) for checked in verify(store)] == [(True, True), (True, False)]


def test_a_small_archive_that_was_rewritten(store: Store, tmp_path: Path) -> None:
    """Of one segment only, and compressed: found by its first line."""
    log = tmp_path / "access.log"
    log.write_bytes(lines(0, 40))
    collect(store, log)
    (tmp_path / "access.log.1.gz").write_bytes(gzip.compress(log.read_bytes().replace(b"n20 ", b"n21 ")))
    log.unlink()
    (checked,) = verify(store)
    assert [(segment.start, segment.end) for segment in checked.changed] == [(0, len(lines(0, 40)))]


def test_a_log_that_shrank_is_found(store: Store, log: Path) -> None:
    """Cut at its end after it was read."""
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size // 2)
    (checked,) = verify(store)
    assert not checked.good and checked.changed[-1].end == checked.segments[-1].end


def test_rows_that_are_gone_are_counted(store: Store, log: Path, tmp_path: Path) -> None:
    """Events deleted from the table are missed; dropped days are not."""
    import deltalake

    deltalake.DeltaTable(str(tmp_path / "store" / "events")).delete('"offset" > 30000 and "offset" < 31000')
    (checked,) = verify(store)
    size = len(lines(0, 1))
    assert sum(checked.missing.values()) == pytest.approx(1000 / size, abs=2) and not checked.changed
    assert verify(store, rows=False)[0].good


def test_a_seal_that_was_changed_or_taken_away_is_found(store: Store, log: Path, tmp_path: Path) -> None:
    """Whoever rewrites the log and its seal must rewrite the whole chain, and the position too."""
    connection = sqlite3.connect(tmp_path / "store" / "records.db")
    key, value = connection.execute("SELECT key, value FROM notes WHERE key LIKE 'seal/%/000001'").fetchone()
    note = json.loads(value)
    note["segments"][1]["digest"] = "0" * 32
    connection.execute("UPDATE notes SET value = ? WHERE key = ?", [json.dumps(note), key])
    connection.commit()
    (checked,) = verify(store)
    assert "was changed" in checked.torn
    connection.execute("DELETE FROM notes WHERE key = ?", [key])
    connection.commit()
    connection.close()
    (checked,) = verify(store)
    assert "not there" in checked.torn
    assert tell(store, [checked], datetime.now(UTC)) >= 1


def test_a_line_that_is_too_long_interrupts_the_seal(store: Store, tmp_path: Path) -> None:
    """It was not kept whole, so it is not sealed; what is around it is."""
    path = tmp_path / "long.log"
    path.write_bytes(lines(0, 100) + b"x" * (2 << 20) + b"\n" + lines(100, 100))
    collect(store, path)
    (checked,) = verify(store)
    assert checked.good and checked.same == len(lines(0, 100)) + len(lines(100, 100))


def test_only_what_was_sealed_since(store: Store, log: Path) -> None:
    assert verify(store, since=datetime.now(UTC) + timedelta(minutes=1)) == []


@pytest.mark.external_service
def test_on_elasticsearch(tmp_path: Path, elasticsearch_url: str) -> None:
    """Seals, rows and gaps in the other store: good as read, then a changed byte, then rows that are gone."""
    store = open_store(f"{elasticsearch_url}?namespace=verify")
    try:
        log, written = tmp_path / "access.log", 0
        for _ in range(3):
            with log.open("ab") as file:
                file.write(lines(written, 80))
            written += 80
            collect(store, log)
        (checked,) = verify(store)
        assert checked.good and checked.same == log.stat().st_size and len(checked.segments) >= 3
        log.write_bytes(log.read_bytes().replace(b"n100 ", b"n101 "))
        (checked,) = verify(store)
        assert len(checked.changed) == 1 and not checked.missing
        assert tell(store, [checked], datetime.now(UTC)) == 1 and len(store.notes("gap/")) == 1
        index = f"{elasticsearch_url}/regsight-events-verify-2026.11.24"
        ids = [event["event_id"] for event in store.events(EventQuery(until=DAY + timedelta(seconds=10)))]
        for event_id in ids:
            request = urllib.request.Request(f"{index}/_doc/{quote(event_id, safe='')}?refresh=true", method="DELETE")
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer)["result"] == "deleted"
        assert len(ids) == 10
        assert sum(verify(store)[0].missing.values()) == 10
    finally:
        store.close()
