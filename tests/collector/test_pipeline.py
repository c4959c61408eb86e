"""The loop: nothing lost while the store is away, positions only with data, orderly stop, bad lines kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from collector.backoff import Backoff
from collector.errors import CollectorError, UnknownFormat
from collector.feed import Feed
from collector.formats import distribution_json, nginx_combined
from collector.pipeline import Pipeline
from collector.readers import QUEUED_BLOCKS
from collector.sources.file_tail import FileTail
from collector.stages import Block, Parsed
from collector.telemetry import CollectorTelemetry
from store.contract import Committed, DeadLetter, Position
from store.errors import Rejected, Unavailable

FORMATS = [distribution_json.FORMAT, nginx_combined.FORMAT]
ACCESS = b'127.0.0.1 - - [24/Nov/2026:10:00:%02d +0000] "GET /v2/app/manifests/v%d HTTP/1.1" 200 7 "-" "skopeo/1.9.3"\n'


class MemoryStore:
    """An EventWriter that keeps everything; `failures` are raised by the next commits, one each."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []
        self.dead: list[DeadLetter] = []
        self.kept: dict[str, Position] = {}
        self.failures: list[Exception] = []
        self.away = False
        self.attempts = 0

    def commit(self, events: pa.Table, positions: Sequence[Position], dead: Sequence[DeadLetter] = ()) -> Committed:
        self.attempts += 1
        if self.away:
            raise Unavailable("away")
        if self.failures:
            raise self.failures.pop(0)
        for position in positions:
            assert position.stream not in self.kept or self.kept[position.stream].offset <= position.offset
            self.kept[position.stream] = position
        self.tables.append(events)
        self.dead.extend(dead)
        return Committed(rows=events.num_rows)

    def position(self, stream: str) -> Position | None:
        return self.kept.get(stream)

    def positions(self) -> list[Position]:
        return list(self.kept.values())

    def column(self, name: str) -> list[object]:
        return [value for table in self.tables for value in table[name].to_pylist()]


class ListSource:
    """Gives the blocks it was made of, after raising what it was told to."""

    follow = True

    def __init__(self, name: str, blocks: list[Block], failures: Sequence[Exception] = ()) -> None:
        self.name, self._blocks, self._failures = name, blocks, list(failures)
        self.given = 0
        self.stopped = 0

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        for block in self._blocks:
            known = committed(block.stream)
            if self._failures and self.given == 2:
                raise self._failures.pop(0)
            if known is None or known.offset < block.after.offset:
                self.given += 1
                yield block

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def make(store: MemoryStore, registry: CollectorRegistry, *sources: object, **options: object) -> Pipeline:
    options.setdefault("backoff", lambda: Backoff(first=0.01, ceiling=0.05))
    options.setdefault("batch_seconds", 0.05)
    return Pipeline(store, sources, options.pop("formats", FORMATS), [], CollectorTelemetry(registry), **options)


def some_blocks(stream: str, count: int) -> list[Block]:
    blocks, offset = [], 0
    for number in range(count):
        data = ACCESS % (number % 60, number)
        after = Position(stream=stream, offset=offset + len(data))
        blocks.append(Block(stream=stream, offset=offset, data=data, registry="r1", after=after))
        offset += len(data)
    return blocks


@contextmanager
def running(pipeline: Pipeline) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    try:
        yield thread
    finally:
        pipeline.stop()
        thread.join(15)
        assert not thread.is_alive()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_file_goes_in_and_is_summed_up(tmp_path: Path, store: MemoryStore, registry: CollectorRegistry) -> None:
    """Events, a dead letter with its bytes and reason, and the position are stored; the summary and metrics agree."""
    path = tmp_path / "access.log"
    path.write_bytes(ACCESS % (1, 1) + b"\x00\xff garbage\n" + ACCESS % (2, 2))
    told: list[int] = []
    pipeline = make(
        store,
        registry,
        FileTail("file", [str(path)], registry="r1"),
        on_progress=lambda summary: told.append(summary.lines),
    )
    summary = pipeline.run()
    assert (summary.lines, summary.events, summary.dead_letters, summary.ignored) == (3, 2, 1, 0)
    assert summary.by_action == {"pull": 2} and told == [3] and summary.read_bytes == path.stat().st_size
    assert store.column("action") == ["pull", "pull"]
    assert all(store.column("read_at")) and all(store.column("stored_at"))
    (letter,) = store.dead
    assert letter.line == b"\x00\xff garbage" and letter.offset == len(ACCESS % (1, 1)) and letter.reason
    (position,) = store.kept.values()
    assert position.offset == path.stat().st_size and position.detail["format"] == nginx_combined.FORMAT.name
    value = registry.get_sample_value
    assert value("regsight_collector_lines_total", {"source": "file", "result": "event"}) == 2
    assert value("regsight_collector_dead_letters_total", {"source": "file", "reason": letter.reason}) == 1
    assert value("regsight_collector_lag_bytes", {"source": "file"}) == 0
    labels = {"registry": "r1", "action": "pull", "outcome": "success", "client_class": ""}
    assert value("regsight_collector_events_total", labels) == 2


def test_nothing_is_lost_while_the_store_is_away(
    store: MemoryStore, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store does not answer no position moves and reading stops at one more batch and a full queue;
    afterwards all is stored once.
    """
    source = ListSource("list", some_blocks("s", 500))
    store.away = True
    pipeline = make(store, registry, source, batch_rows=5, batch_seconds=5)
    with running(pipeline):
        until(lambda: store.attempts >= 5)
        assert not store.kept and source.given <= 2 * 5 + QUEUED_BLOCKS + 2
        store.away = False
        until(lambda: len(store.column("reference")) == 500)
    assert sorted(store.column("reference")) == sorted(f"v{n}" for n in range(500))
    assert [record.message for record in caplog.records if "does not answer" in record.message] == [
        "the store does not answer; reading waits, nothing is lost"
    ]
    value = registry.get_sample_value
    assert value("regsight_collector_store_errors_total", {"kind": "unavailable"}) >= 5
    assert value("regsight_collector_commits_total", {"result": "ok"}) == len(store.tables)


def test_a_store_that_refuses_ends_the_run(store: MemoryStore, registry: CollectorRegistry) -> None:
    """Rejected is not retried: the run ends with it and no position moved."""
    store.failures = [Rejected("no")]
    with pytest.raises(Rejected):
        make(store, registry, ListSource("list", some_blocks("s", 3))).run()
    assert store.attempts == 1 and not store.kept


def test_stop_stores_what_was_read(tmp_path: Path, store: MemoryStore, registry: CollectorRegistry) -> None:
    """A stop, said twice, ends the run soon, with everything that was read stored and its position kept."""
    path = tmp_path / "access.log"
    path.write_bytes(ACCESS % (1, 1))
    pipeline = make(store, registry, FileTail("log", [str(path)], follow=True, watch=False), batch_seconds=60)
    with running(pipeline) as thread:
        until(lambda: pipeline.summary.events == 1)
        assert not store.tables
        pipeline.stop()
        pipeline.stop()
        thread.join(5)
        assert not thread.is_alive()
    assert store.column("reference") == ["v1"] and store.positions()[0].offset == path.stat().st_size


def test_stop_does_not_wait_for_a_dead_store(store: MemoryStore, registry: CollectorRegistry) -> None:
    """A stop while the store is away ends within its deadline and leaves the position where it was."""
    store.away = True
    pipeline = make(store, registry, ListSource("list", some_blocks("s", 500)), stop_seconds=0.3)
    with running(pipeline) as thread:
        until(lambda: store.attempts > 2)
        begun = time.monotonic()
        pipeline.stop()
        thread.join(5)
        assert time.monotonic() - begun < 3
    assert not store.kept


def test_a_failing_source_is_started_again_and_others_go_on(store: MemoryStore, registry: CollectorRegistry) -> None:
    """A source that raises goes on behind what it had handed over; the other source is not touched."""
    weak = ListSource("weak", some_blocks("a", 5), [OSError("broken"), ValueError("again")])
    make(store, registry, weak, ListSource("well", some_blocks("b", 5))).run()
    assert sorted(store.column("reference")) == sorted([f"v{n}" for n in range(5)] * 2)
    assert registry.get_sample_value("regsight_collector_source_failures_total", {"source": "weak"}) == 2


def test_positions_are_committed_for_blocks_without_events(store: MemoryStore, registry: CollectorRegistry) -> None:
    """Lines that are no event move the position too."""
    data = b"\n\n"
    block = Block(stream="s", offset=0, data=data, after=Position(stream="s", offset=2))
    summary = make(store, registry, Feed(source=ListSource("list", [block]), format=nginx_combined.FORMAT.name)).run()
    assert summary.ignored == 2 and store.kept["s"].offset == 2


def test_an_unknown_format_ends_a_single_read_and_not_a_followed_one(
    tmp_path: Path, store: MemoryStore, registry: CollectorRegistry
) -> None:
    """Named on the command line it is an error that names each such file, behind what the others gave; in a followed log
    each line is kept.
    """
    good, bad, worse, last = (tmp_path / f"{name}.log" for name in "abcd")
    good.write_bytes(ACCESS % (1, 1))
    bad.write_bytes(b"hello\nworld\n")
    worse.write_bytes(b"{\n" * 200_000)
    last.write_bytes(ACCESS % (2, 2))
    pipeline = make(store, registry, FileTail("files", [str(path) for path in (good, bad, worse, last)]))
    with pytest.raises(UnknownFormat, match=r"b\.log, \S+c\.log: no known format.*hello"):
        pipeline.run()
    assert store.column("reference") == ["v1", "v2"] and pipeline.summary.lines == 2
    assert len(store.kept) == 2 and not store.dead  # the others are looked at anew, once a format knows them
    pipeline = make(store, CollectorRegistry(), FileTail("log", [str(bad)], follow=True, watch=False))
    with running(pipeline):
        until(lambda: len(store.dead) == 2)
    assert [(letter.line, letter.reason) for letter in store.dead] == [
        (b"hello", "unknown format"),
        (b"world", "unknown format"),
    ]


@pytest.mark.parametrize("raises", [True, False])
def test_a_broken_format_loses_no_line(store: MemoryStore, registry: CollectorRegistry, raises: bool) -> None:
    """A format that raises, or does not account for every line, makes dead letters of them; a strict read ends."""

    class Broken:
        name, title, registry_kind = "broken", "", ""

        def claims(self, head: bytes) -> float:
            return 1.0

        def parse(self, block: Block) -> Parsed:
            if raises:
                raise RuntimeError("bug")
            from store.event import schema

            return Parsed(events=schema().empty_table())

    make(store, registry, ListSource("list", some_blocks("s", 3)), formats=[Broken()]).run()
    assert [letter.reason for letter in store.dead] == ["format failed"] * 3 and store.kept["s"].offset > 0
    strict = Feed(source=ListSource("list", some_blocks("t", 3)), strict=True)
    with pytest.raises(CollectorError):
        make(MemoryStore(), CollectorRegistry(), strict, formats=[Broken()]).run()


def test_a_line_without_end_is_one_dead_letter(tmp_path: Path, store: MemoryStore, registry: CollectorRegistry) -> None:
    """10 MiB without newline are one dead letter with the true length and a cut line; the lines
    around it are events.
    """
    path = tmp_path / "access.log"
    path.write_bytes(ACCESS % (1, 1) + b"x" * (10 << 20) + b"\n" + ACCESS % (2, 2))
    summary = make(store, registry, FileTail("file", [str(path)])).run()
    assert (summary.lines, summary.events, summary.dead_letters) == (3, 2, 1)
    assert store.dead[0].length == (10 << 20) + 1 and len(store.dead[0].line) == 64 << 10


def test_the_format_of_a_stream_is_remembered_over_restarts(
    tmp_path: Path, store: MemoryStore, registry: CollectorRegistry
) -> None:
    """A stream that was recognised once keeps its format, even when nothing readable stands around the new lines."""
    path = tmp_path / "access.log"
    path.write_bytes(ACCESS % (1, 1) + b"?" * 70_000 + b"\n")
    make(store, registry, FileTail("file", [str(path)])).run()
    with path.open("ab") as file:
        file.write(b"garbage\n")
    summary = make(store, CollectorRegistry(), FileTail("file", [str(path)])).run()
    assert (summary.lines, summary.dead_letters) == (1, 1) and store.dead[-1].format == nginx_combined.FORMAT.name


def test_the_first_batches_are_small(tmp_path: Path) -> None:
    """So that a run that is killed soon has stored something; then each is a few times as large, up to what is set."""
    (tmp_path / "access.log").write_bytes(b"".join(ACCESS % (number % 60, number) for number in range(120_000)))
    store = MemoryStore()
    pipeline = make(store, CollectorRegistry(), FileTail("log", [str(tmp_path / "access.log")]), batch_seconds=60)
    assert not pipeline.begun
    pipeline.run()
    rows = [table.num_rows for table in store.tables]
    assert pipeline.begun and sum(rows) == 120_000
    assert rows[0] < 2_000 and max(rows) > 20_000
    assert all(after < 5 * before for before, after in pairwise(rows)), rows
