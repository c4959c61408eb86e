"""What a tail tells of losses: real files under a tail in its own thread, the gaps as the store would have them."""

from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.gaps import GapLog
from collector.sources.file_tail import FileTail
from store.contract import Position
from store.errors import Unavailable


class Notes:
    """As much of a store as gaps and tails ask for."""

    def __init__(self) -> None:
        self.notes: dict[str, dict[str, Any]] = {}
        self.positions: dict[str, Position] = {}
        self.lines: list[bytes] = []
        self.problems: list[str] = []
        self.away = False

    def put_note(self, key: str, value: Mapping[str, Any]) -> None:
        if self.away:
            raise Unavailable("away")
        self.notes[key] = dict(value)

    def note(self, key: str) -> dict[str, Any] | None:
        return self.notes.get(key)

    def gaps(self) -> dict[str, dict[str, Any]]:
        return {note["kind"]: note for note in self.notes.values()}


@contextmanager
def following(notes: Notes, *patterns: Path, most_open: int = 64, quiet: float = 0.3) -> Iterator[None]:
    tail = FileTail(
        "log",
        [str(pattern) for pattern in patterns],
        follow=True,
        poll_seconds=0.02,
        quiet_seconds=quiet,
        most_open=most_open,
        watch=False,
        known=lambda: list(notes.positions.values()),
        gaps=GapLog(notes),
    )

    def run() -> None:
        for block in tail.blocks(notes.positions.get):
            notes.lines += block.data.splitlines()
            notes.problems += [block.problem] if block.problem else []
            notes.positions[block.after.stream] = block.after

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        tail.stop()
        thread.join(10)
    assert not thread.is_alive()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def numbered(first: int, count: int) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(first, first + count))


def test_a_cut_without_a_copy(tmp_path: Path) -> None:
    """Told with the place, and again in the next run with the same id: one gap."""
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 50))
    with following(notes, log):
        until(lambda: len(notes.lines) == 50)
        log.write_bytes(numbered(100, 10))
        until(lambda: len(notes.lines) == 60)
        until(lambda: "truncated" in notes.gaps())
    gap = notes.gaps()["truncated"]
    assert (gap["offset"], gap["path"], gap["source"]) == (50 * 12, str(log), "log")
    assert gap["start"] <= gap["end"] and gap["resolved_at"] is None


def test_the_copy_is_read_on(tmp_path: Path) -> None:
    """What the collector had not read when the log was cut is taken from the copy beside it."""
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 50))
    with following(notes, log):
        until(lambda: len(notes.lines) == 50)
    log.write_bytes(numbered(0, 80))  # the collector sees the rest only in the copy
    (tmp_path / "a.log.1").write_bytes(log.read_bytes())
    log.write_bytes(numbered(200, 10))
    with following(notes, log):
        until(lambda: len(notes.lines) == 90)
    assert sorted(notes.lines) == sorted((numbered(0, 80) + numbered(200, 10)).splitlines())
    assert notes.gaps() == {}


def test_a_cut_between_two_looks(tmp_path: Path) -> None:
    """Written, copied and cut before the collector looked at all: the copy is found because the folder changed."""
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 5))
    with following(notes, log):
        until(lambda: len(notes.lines) == 5)
        # In one go, so that the second content is never in the log when anybody looks.
        copy = tmp_path / "a.log.1"
        copy.write_bytes(numbered(100, 20))
        until(lambda: len(notes.lines) == 25)
    assert len(set(notes.lines)) == 25


def test_half_a_line_is_told_after_a_minute_and_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the minute is short; when the newline comes nothing is missing any more."""
    monkeypatch.setattr("collector.open_tails.PARTIAL_SECONDS", 0.3)
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 2) + b"half")
    with following(notes, log):
        until(lambda: "unfinished_line" in notes.gaps())
        assert notes.gaps()["unfinished_line"]["bytes"] == 4
        assert len(notes.lines) == 2
        with log.open("ab") as file:
            file.write(b" and half\n")
        until(lambda: len(notes.lines) == 3)
        until(lambda: notes.gaps()["unfinished_line"]["resolved_at"])
    assert notes.lines[-1] == b"half and half"


def test_a_file_that_was_compressed_while_it_was_not_open(tmp_path: Path) -> None:
    """With few descriptors a quiet log is closed; rotated and compressed meanwhile, its rest is read in the archive."""
    notes = Notes()
    logs = [tmp_path / f"{number}.log" for number in range(6)]
    for number, log in enumerate(logs):
        log.write_bytes(numbered(number * 1000, 10))
    with following(notes, tmp_path / "*.log", most_open=2):
        until(lambda: len(notes.lines) == 60)
        time.sleep(0.2)
        for number, log in enumerate(logs):
            with log.open("ab") as file:
                file.write(numbered(number * 1000 + 10, 5))
            (tmp_path / f"{number}.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
            log.unlink()
        until(lambda: len(notes.lines) == 90)
    assert len(set(notes.lines)) == 90
    assert notes.gaps() == {}


def test_a_file_that_went_away_while_it_was_not_open(tmp_path: Path) -> None:
    """Nothing beside it holds its content: told."""
    notes = Notes()
    for number in range(6):
        (tmp_path / f"{number}.log").write_bytes(numbered(number * 1000, 10))
    with following(notes, tmp_path / "*.log", most_open=1):
        until(lambda: len(notes.lines) == 60)
        time.sleep(0.2)
        for path in tmp_path.glob("*.log"):
            path.unlink()
        until(lambda: "file_gone" in notes.gaps())


def test_what_was_read_last_is_gone_at_the_next_start(tmp_path: Path) -> None:
    """Only of this machine's files: another one's log of that path says nothing."""
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 20))
    with following(notes, log):
        until(lambda: len(notes.lines) == 20)
    log.write_bytes(numbered(500, 5))
    elsewhere = Notes()
    elsewhere.positions = {
        stream: Position(stream=stream, offset=each.offset, detail={**each.detail, "host": "another"})
        for stream, each in notes.positions.items()
    }
    with following(notes, log):
        until(lambda: "file_gone" in notes.gaps())
    with following(elsewhere, log):
        until(lambda: len(elsewhere.lines) == 5)
        time.sleep(0.2)
    assert notes.gaps()["file_gone"]["offset"] == 20 * 12 and elsewhere.gaps() == {}


def test_a_generation_between_others_is_not_there(tmp_path: Path) -> None:
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 20))
    with following(notes, log):
        until(lambda: len(notes.lines) == 20)
    log.rename(tmp_path / "a.log.4")
    for generation in (3, 1):
        (tmp_path / f"a.log.{generation}").write_bytes(numbered(generation * 100, 5))
    log.write_bytes(numbered(900, 5))
    with following(notes, log):
        until(lambda: len(notes.lines) == 35)
    assert notes.gaps()["missing_generation"]["path"] == f"{log}.2"


@pytest.mark.parametrize("cut", [5, 60, 400])
def test_an_archive_that_grows_is_waited_for(tmp_path: Path, cut: int) -> None:
    """Whatever of it is there at first, header, first line or more; no torn line comes of it."""
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 1))
    with following(notes, log):
        until(lambda: len(notes.lines) == 1)
    lines = [b"%d %s" % (number, os.urandom(9).hex().encode()) for number in range(1, 200)]
    data = gzip.compress(numbered(0, 1) + b"\n".join(lines) + b"\n")
    log.unlink()
    archive = tmp_path / "a.log.1.gz"
    archive.write_bytes(data[:cut])
    log.write_bytes(numbered(900, 1))
    with following(notes, log, quiet=10):
        until(lambda: numbered(900, 1).strip() in notes.lines)
        with archive.open("ab", buffering=0) as file:
            for start in range(cut, len(data), 1000):
                file.write(data[start : start + 1000])
                time.sleep(0.02)
        until(lambda: len(notes.lines) == 201)
    assert set(lines) < set(notes.lines) and notes.problems == [] and notes.gaps() == {}


def test_an_archive_that_grows_after_it_was_given_up(tmp_path: Path) -> None:
    """A copy that stood still for long: what was told as damaged is read on, and taken back."""
    log, notes = tmp_path / "a.log", Notes()
    log.write_bytes(numbered(0, 1))
    with following(notes, log):
        until(lambda: len(notes.lines) == 1)
    data = gzip.compress(numbered(0, 1) + b"".join(b"%s\n" % os.urandom(9).hex().encode() for _ in range(2000)))
    log.unlink()
    archive = tmp_path / "a.log.1.gz"
    archive.write_bytes(data[: len(data) // 2])
    log.write_bytes(numbered(900, 1))
    with following(notes, log):
        until(lambda: "damaged_archive" in notes.gaps())
        archive.write_bytes(data)
        until(lambda: len(notes.lines) >= 2002)
        until(lambda: notes.gaps()["damaged_archive"]["resolved_at"])


def test_gaps_wait_for_a_store_that_is_away() -> None:
    """Nothing is forgotten, and nothing raises."""
    notes = Notes()
    log = GapLog(notes)
    notes.away = True
    log.lost_messages("syslog", None, "kernel", 5)
    log.lost_messages("syslog", None, "kernel", 7)
    log.save()
    notes.away = False
    log.save()
    (gap,) = notes.notes.values()
    assert gap["lines"] == 12 and "kernel" in gap["text"]
