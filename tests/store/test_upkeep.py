"""Upkeep changes where rows lie, and no answer: files of ids that are there once, of ids with several rows, and of unknown ones."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from store.contract import EventQuery, Position
from store.delta import KEPT_HOURS, TABLE_SETTINGS
from store.delta_gather import MANY_FILES, MOST_FILES, SmallFiles
from store.delta_upkeep import around
from store.errors import Unavailable
from store.locate import open_store

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def answers(store, start):
    """Everything that is asked of events, in a form that can be compared."""
    since, until = start - 3 * DAY, start + 5 * DAY
    found = {"events": list(store.events(EventQuery())), "total": store.total(), "span": store.span()}
    found["parts"] = sorted(map(repr, store.parts(EventQuery())))
    for name, query in {
        "day": EventQuery(since=start, until=start + DAY),
        "actor": EventQuery(actor="a1"),
        "glob": EventQuery(actor="a*", since=start + HOUR),
        "ids": EventQuery(ids=[event["event_id"] for event in found["events"][::3]]),
        "newest": EventQuery(newest_first=True, limit=5),
    }.items():
        found[name] = list(store.events(query))
    for by, width in ((["action"], None), (["actor"], HOUR), (["status", "actor"], None), ([], DAY)):
        found[f"counts {by}"] = sorted(map(repr, store.counts(since, until, by, width).to_dict("records")))
    found["hour"] = store.counts(start + DAY - HOUR, start + DAY + HOUR, ["action"]).to_dict("records")
    odd = timedelta(minutes=25)  # cuts through hours, and through what upkeep counted
    found["odd"] = store.counts(start + HOUR + odd, start + DAY + odd, ["actor"], HOUR).to_dict("records")
    found["windows"] = store.windows(since, until, HOUR, "actor").to_dict()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_upkeep_changes_no_answer(tmp_path, row, table, start, seed):
    """Lines read twice, requests told of by two logs, around midnight and late: two stores, one with upkeep in between."""
    chance = random.Random(seed)
    kept, plain = open_store(f"delta:{tmp_path / 'kept'}"), open_store(f"delta:{tmp_path / 'plain'}")
    numbers = list(range(60))
    for step in range(1, 5):
        rows = []
        for number in chance.choices(numbers, k=12):
            at = start + timedelta(minutes=71 * number)
            moment = at + timedelta(seconds=chance.choice([0, 0, 40]))
            voice = chance.choice(["access", "application"])
            names = {"actor": chance.choice([None, f"a{number % 4}"]), "status": chance.choice([None, 200])}
            rows.append(
                row(
                    number,
                    timestamp=moment,
                    channel=voice,
                    stream=voice,
                    response_bytes=number,
                    duration_ns=number or None,
                    **names,
                )
            )
        for store in (kept, plain):
            store.commit(table(*rows), [Position(stream=f"s{step}", offset=1)])
        if step % 2:
            kept.maintain(start, None)
        assert answers(kept, start) == answers(plain, start)
    kept.close()
    plain.close()


def test_what_is_there_once_lies_apart_and_is_found(tmp_path, row, table, start):
    """Also when a second row of it comes later: then upkeep moves both."""
    store = open_store(f"delta:{tmp_path}")
    store.commit(table(*(row(n) for n in range(20)), row(3, channel="application")), [])

    def kinds() -> Counter[str]:
        return Counter(file.kind for file in store._table.files(None, None))

    store.maintain(start, None)
    assert kinds() == {"single": 1, "several": 1}
    assert len(list((tmp_path / "hours").iterdir())) == 2
    store.commit(table(row(7, channel="application", actor="ann")), [])
    assert kinds() == {"single": 1, "several": 1, "part": 1}
    assert (store.total(), [event["actor"] for event in store.events(EventQuery(ids=[row(7)["event_id"]]))]) == (
        20,
        ["ann"],
    )
    store.maintain(start, None)
    assert kinds() == {"single": 1, "several": 1}
    assert (store.total(), len(list(store.parts(EventQuery())))) == (20, 22)
    assert store.maintain(start, None)["files_compacted"] == 0
    store.close()


def test_a_followed_log_keeps_few_files_and_every_row(tmp_path: Path, row, table, start):
    """A commit a second adds a file; questions would open them all. Large files and other days are let be."""
    store, plain = open_store(f"delta:{tmp_path / 'kept'}"), open_store(f"delta:{tmp_path / 'plain'}")
    plain._small_files.added = lambda *_: 0  # type: ignore[method-assign]
    seen = []
    for number in range(3 * MANY_FILES):
        rows = table(row(number % 50, actor=f"a{number % 4}", stream=f"s{number % 3}", offset=number))
        for one in (store, plain):
            one.commit(rows, [Position(stream=f"s{number % 3}", offset=number + 1)])
        seen.append(len(store._table.files(None, None)))
    store.commit(table(row(1, timestamp=start + 2 * DAY)), [])
    plain.commit(table(row(1, timestamp=start + 2 * DAY)), [])
    assert max(seen) < 2 * MANY_FILES < len(plain._table.files(None, None))
    assert answers(store, start) == answers(plain, start)
    assert {p.stream: p.offset for p in store.positions()} == {p.stream: p.offset for p in plain.positions()}
    store.maintain(start, None)
    plain.maintain(start, None)
    assert answers(store, start) == answers(plain, start)
    store.close()
    plain.close()


def test_no_more_is_put_together_at_once_than_a_large_commit_has(tmp_path: Path, row, table, start, monkeypatch):
    """A busy log's files soon hold enough: each group of them becomes a file, and is not read again by the next gathering."""
    monkeypatch.setattr("store.delta_gather.SMALL_ROWS", 60)
    store = open_store(f"delta:{tmp_path}")
    for number in range(2 * MANY_FILES + 1):
        store.commit(table(*(row(20 * number + n) for n in range(20))), [])
    assert sorted(file.rows for file in store._table.files(None, None)) == [40, *[60] * 21]
    assert store.total() == 20 * (2 * MANY_FILES + 1)
    store.close()


def test_small_files_of_processes_that_live_for_a_moment(tmp_path: Path, row, table, start):
    """A collector that a clock starts every minute, or that is killed again and again, never adds many itself. What has come
    together is put together bit by bit, for somebody waits for the commit."""
    late = open_store(f"delta:{tmp_path}")
    late._small_files.added = lambda *_: 0  # type: ignore[method-assign]
    for number in range(MOST_FILES + MANY_FILES):
        late.commit(table(row(number)), [])
    late.close()
    left = []
    for number in range(3):
        store = open_store(f"delta:{tmp_path}")
        store.commit(table(row(1000 + number)), [])
        left.append(len(store._table.files(None, None)))
        store.close()
    assert left == [MANY_FILES + 2, 1, 2]


def test_a_commit_counts_even_if_its_small_files_cannot_be_gathered(tmp_path: Path, row, table, start, monkeypatch):
    store = open_store(f"delta:{tmp_path}")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("store.delta_gather.write_file", full)
    for number in range(MANY_FILES + 1):
        assert store.commit(table(row(number)), []).rows == 1
    assert (store.total(), len(store._table.files(None, None))) == (MANY_FILES + 1, MANY_FILES + 1)
    store.close()


def test_upkeep_tries_again_where_another_process_was_faster(tmp_path: Path, row, table, start, monkeypatch):
    """Two collectors and one timetable on one store: what upkeep was about to replace is gathered meanwhile."""
    store, other = open_store(f"delta:{tmp_path}"), open_store(f"delta:{tmp_path}")
    for number in range(3):
        store.commit(table(row(number)), [])
    monkeypatch.setattr("store.delta_gather.MANY_FILES", 2)
    exchange, calls = store._table.exchange, []

    def slower(old, new):
        calls.append(len(old))
        if len(calls) == 1:
            assert SmallFiles()._gather(other._table, start.date().isoformat()) == 3
        return exchange(old, new)

    monkeypatch.setattr(store._table, "exchange", slower)
    store.maintain(start, None)
    assert calls == [3, 1]
    assert (store.total(), [file.kind for file in store._table.files(None, None)]) == (3, ["single"])
    store.close()
    other.close()


def test_files_that_were_replaced_are_there_for_hours(tmp_path: Path, row, table, start):
    """Who listed them before goes on reading; nobody is kept waiting while they are written."""
    store = open_store(f"delta:{tmp_path}")
    for number in range(3):
        store.commit(table(row(number)), [])
    before = {path.name for path in tmp_path.rglob("*.parquet")}
    assert store.maintain(start, None)["files_compacted"] == 3
    after = {path.name for path in tmp_path.rglob("day=*/*.parquet")}
    assert before < after and len(after) == 4
    store.close()


def test_a_followed_log_of_a_day_leaves_a_short_log_of_the_table(tmp_path: Path, row, table, start, monkeypatch):
    """Each commit lists the log's folder: a day of them, one a second, made a commit last longer than a second. Who has not looked
    for so long finds everything; files that were replaced go, also where nobody lets upkeep run."""
    monkeypatch.setitem(TABLE_SETTINGS, "delta.checkpointInterval", "10")
    monkeypatch.setitem(TABLE_SETTINGS, "delta.logRetentionDuration", "interval 0 seconds")
    monkeypatch.setattr("store.delta_gather.DROP_EVERY_SECONDS", 0.0)
    store, idle = open_store(f"delta:{tmp_path}"), open_store(f"delta:{tmp_path}")
    for number in range(3 * MANY_FILES):
        store.commit(table(row(number)), [Position(stream="s", offset=number + 1)])
        if number < 2:
            assert idle.total() == number + 1
        for path in tmp_path.rglob("day=*/*.parquet"):
            os.utime(path, times=2 * (path.stat().st_mtime - 60,))
        monkeypatch.setattr("store.delta.KEPT_HOURS", 0)
    log = list((tmp_path / "events" / "_delta_log").glob("*.json"))
    assert len(log) <= 30
    assert len(list(tmp_path.rglob("day=*/*.parquet"))) < 2 * MANY_FILES
    assert (store.total(), idle.total(), idle.position("s").offset) == (96, 96, 96)
    store.close()
    idle.close()


def test_entries_stay_until_their_checkpoint_is_on_the_disk(tmp_path: Path, row, table, start, monkeypatch):
    """The power goes while the checkpoint is written: of that nothing may be left but its name."""
    monkeypatch.setitem(TABLE_SETTINGS, "delta.checkpointInterval", "10")
    monkeypatch.setitem(TABLE_SETTINGS, "delta.logRetentionDuration", "interval 0 seconds")
    store, log = open_store(f"delta:{tmp_path}"), tmp_path / "events" / "_delta_log"

    def power_cut(*_: object) -> None:
        for checkpoint in log.glob("*.checkpoint.parquet"):
            checkpoint.write_bytes(b"")
            raise OSError("power cut")

    monkeypatch.setattr("store.delta.settle_entry", power_cut)
    with pytest.raises(Unavailable, match="power cut"):
        for number in range(20):
            store.commit(table(row(number)), [])
    monkeypatch.undo()
    store = open_store(f"delta:{tmp_path}")
    store.commit(table(row(90)), [])
    assert store.total() == number + 2
    store.close()


def test_what_a_killed_process_left_goes_with_upkeep(tmp_path: Path, row, table, start):
    """A file that was written and never committed: not while somebody may be about to."""
    store = open_store(f"delta:{tmp_path}")
    store.commit(table(row(1)), [])
    (kept,) = tmp_path.rglob("day=*/*.parquet")
    young, old = (Path(shutil.copy(kept, kept.with_name(f"{name}.parquet"))) for name in ("young", "old"))
    os.utime(old, times=2 * (time.time() - (KEPT_HOURS + 1) * 3600,))
    store.maintain(start, None)
    assert young.exists() and not old.exists() and store.total() == 1
    store.close()


def test_a_table_of_an_earlier_release_is_told_what_it_needs(tmp_path: Path, row, table, start):
    store = open_store(f"delta:{tmp_path}")
    store.commit(table(row(1)), [])
    store._table.current().alter.set_table_properties({"delta.logRetentionDuration": "interval 2 days"})
    store.close()
    store = open_store(f"delta:{tmp_path}")
    store.commit(table(row(2)), [])
    assert TABLE_SETTINGS.items() <= store._table.current().metadata().configuration.items()
    assert store.total() == 2
    store.close()


def test_the_days_around() -> None:
    assert around("2026-03-01") == ("2026-02-28", "2026-03-01", "2026-03-02")
    assert around("0001-01-01") == ("0001-01-01", "0001-01-02")
    assert around("9999-12-31") == ("9999-12-30", "9999-12-31")
