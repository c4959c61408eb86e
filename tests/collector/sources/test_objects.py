"""Objects in a folder: each read once, over rounds, restarts, late ones, and documents of any size."""

from __future__ import annotations

import gzip
import json
import os
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from collecting import collect, embedded, events, pipeline, until
from format_samples import SAMPLES

from collector.formats import ecr_cloudtrail
from collector.objects import FolderBucket
from collector.sources import objects
from collector.sources.file_tail import FileTail
from collector.sources.objects import ObjectSource
from collector.stages import Block
from store.contract import Position, Store

PUT_IMAGE = json.loads((SAMPLES / "ecr-cloudtrail" / "put-image.json").read_bytes())
ACCESS = (
    (SAMPLES / "distribution-live" / "v3-json" / "nginx-access.combined.log").read_bytes().splitlines(keepends=True)
)
FORMAT = "ecr-cloudtrail"


def document(first: int, count: int, padding: int = 0) -> bytes:
    """What CloudTrail puts into one object: one line."""
    records = [PUT_IMAGE | {"eventID": f"event-{first + n}", "padding": "x" * padding} for n in range(count)]
    return json.dumps({"Records": records}).encode()


def key(days_ago: int, number: int, region: str = "eu-west-1") -> str:
    day = datetime.now(UTC) - timedelta(days=days_ago)
    name = f"123456789012_CloudTrail_{region}_{day:%Y%m%d}T0000Z_{number:04d}.json.gz"
    return f"AWSLogs/123456789012/CloudTrail/{region}/{day:%Y/%m/%d}/{name}"


def put(folder: Path, name: str, content: bytes, modified: float | None = None) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if modified is not None:
        os.utime(path, (modified, modified))


def source(folder: Path, **options: Any) -> ObjectSource:
    bucket = FolderBucket("trail", folder, settle_seconds=0)
    return ObjectSource("trail", bucket, **({"registry": "ecr", "once": True, "interval_seconds": 0.05} | options))


def ids(store: Store) -> int:
    return len({event["event_id"] for event in events(store)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "objects").mkdir()
    return tmp_path / "objects"


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with embedded(tmp_path / "store") as opened:
        yield opened


def test_a_document_of_many_megabytes_gives_its_records(folder: Path, store: Store) -> None:
    """One line of 16 MB in one object, and the same given to `collect` as a file: each record an event, no dead letter."""
    put(folder, key(1, 1), gzip.compress(document(0, 1_000, padding=8_000), 1))
    summary = collect(store, source(folder), FORMAT)
    assert (summary.lines, summary.events, summary.dead_letters) == (1_000, 1_000, 0)
    assert summary.read_bytes > 12 << 20
    again = collect(store, FileTail("file", [str(folder / key(1, 1))], registry="ecr"), FORMAT)
    assert (again.events, again.dead_letters, len(events(store))) == (1_000, 0, 1_000)


def test_a_plain_document_given_to_collect_is_read_too(tmp_path: Path, store: Store) -> None:
    """Not compressed, 3 MB in one line, recognised by its first record."""
    (tmp_path / "trail.json").write_bytes(document(0, 300, padding=2_000))
    summary = collect(store, FileTail("file", [str(tmp_path / "trail.json")], registry="ecr"))
    assert (summary.events, summary.dead_letters) == (300, 0)


def test_memory_does_not_grow_with_the_document(folder: Path) -> None:
    """A document of 80 MB is never in memory as a whole."""
    compressor = zstandard.ZstdCompressor().compressobj()
    record = json.dumps(PUT_IMAGE | {"padding": "x" * 20_000}).encode()
    with (folder / "big.json.zst").open("wb") as file:
        file.write(compressor.compress(b'{"Records":['))
        for number in range(3_000):
            file.write(compressor.compress((b"," if number else b"") + record))
        file.write(compressor.compress(b"]}") + compressor.flush())
    tracemalloc.start()
    try:
        total = sum(len(block.data) for block in source(folder).blocks(lambda _: None))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 60 << 20 and peak < 40 << 20


def test_each_object_is_read_once(folder: Path, store: Store) -> None:
    """Over rounds and restarts only what is new is read; other names and empty objects are left out."""
    for number in range(5):
        put(folder, key(1, number), gzip.compress(document(10 * number, 10)))
    put(folder, "AWSLogs/123456789012/CloudTrail-Digest/x.json.gz", gzip.compress(b'{"digest": 1}'))
    put(folder, key(1, 9), b"")
    put(folder, ".hidden.json.gz", b"half a copy")
    (folder / "link.json.gz").symlink_to(folder / key(1, 0))
    wanted = {"match": "*/CloudTrail/*.json.gz"}
    assert collect(store, source(folder, **wanted), FORMAT).lines == 50
    assert collect(store, source(folder, **wanted), FORMAT).lines == 0
    put(folder, key(1, 2), gzip.compress(document(20, 12)))  # written anew, with two of another's
    put(folder, key(0, 1), gzip.compress(document(100, 10)))
    assert collect(store, source(folder, **wanted), FORMAT).lines == 22
    assert ids(store) == 60 and not store.dead_letters()


@pytest.mark.parametrize("by_day", [False, True])
def test_a_late_object_in_front_of_those_read_is_found(folder: Path, store: Store, by_day: bool) -> None:
    """Its name sorts before theirs, in another region and in the day before; with `by_day` older days are not listed."""
    settings = {"prefix": "AWSLogs/", "by_day": by_day, "late_days": 2}
    put(folder, key(0, 5), gzip.compress(document(0, 3)))
    assert collect(store, source(folder, **settings), FORMAT).events == 3
    put(folder, key(0, 1), gzip.compress(document(10, 3)))
    put(folder, key(1, 1), gzip.compress(document(20, 3)))
    put(folder, key(2, 7, region="ap-south-1"), gzip.compress(document(30, 3)))
    assert collect(store, source(folder, **settings), FORMAT).events == 9
    put(folder, key(9, 1), gzip.compress(document(40, 3)))
    assert collect(store, source(folder, **settings), FORMAT).events == (0 if by_day else 3)


def test_a_copy_that_keeps_an_old_time_is_new(folder: Path, store: Store) -> None:
    """What counts is when it came here, not what `cp -p` says."""
    put(folder, "b.log", b"".join(ACCESS[:5]))
    assert collect(store, source(folder, overlap_seconds=0)).lines == 5
    put(folder, "a.log", b"".join(ACCESS[5:9]), modified=1_000_000_000)
    assert collect(store, source(folder, overlap_seconds=0)).lines == 4


def test_a_restart_in_the_middle_goes_on_there(folder: Path) -> None:
    """From whatever block a run was broken off, the next gives the rest, byte for byte, and then the objects behind."""
    for number in range(3):
        put(folder, f"{number}.json.gz", gzip.compress(document(1_000 * number, 600, padding=3_000), 1))
    put(folder, "3.log", b"".join(ACCESS))
    whole = list(source(folder).blocks(lambda _: None))
    assert len(whole) >= 7 and len({block.stream for block in whole}) == 4

    def told(blocks: list[Block]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for block in blocks:
            assert len(found.get(block.stream, b"")) <= block.offset
            found[block.stream] = found.get(block.stream, b"") + block.data
        return found

    def joined(blocks: list[Block]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}  # how much is read at once depends on when a run began
        for block in blocks:
            found[block.stream] = found.get(block.stream, b"") + block.data
        return found

    for cut in range(1, len(whole)):
        position = whole[cut - 1].after
        rest = list(source(folder).blocks(lambda stream, known=position: known if stream == known.stream else None))
        assert joined(rest) == joined(whole[cut:]), cut
        assert (rest[0].stream, rest[0].offset) == (whole[cut].stream, whole[cut].offset), cut
        assert rest[0].after.offset > position.offset
    assert told(whole)["objects:trail/3.log"] == b"".join(ACCESS)


def test_objects_that_come_while_it_runs(folder: Path, store: Store) -> None:
    """Found within the interval, also when they are older by name than all before."""
    run = pipeline(store, source(folder, once=False))
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        for number in reversed(range(4)):
            put(folder, f"{number}.log", b"".join(ACCESS[10 * number : 10 * number + 10]))
            until(lambda count=40 - 10 * number: run.summary.lines == count)
    finally:
        run.stop()
        thread.join(20)
    assert not thread.is_alive() and len(events(store)) == 40


def test_a_file_that_is_being_written_waits(folder: Path, store: Store) -> None:
    """Until it was still for a while."""
    put(folder, "a.log", b"".join(ACCESS[:3]))
    bucket = FolderBucket("trail", folder, settle_seconds=3600)
    assert collect(store, ObjectSource("trail", bucket, once=True)).lines == 0


def test_what_is_remembered_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of small objects within the overlap: the position stays small, and nothing is missed for it."""
    monkeypatch.setattr("collector.recent.MOST_KEPT", 50)
    for number in range(300):
        put(folder, f"{number:04d}.log", ACCESS[number % len(ACCESS)])
    positions: dict[str, Position] = {}
    for block in source(folder).blocks(positions.get):
        positions[block.after.stream] = block.after
    (position,) = positions.values()
    assert len(json.dumps(position.detail)) < 200_000
    again = {block.stream for block in source(folder).blocks(positions.get)}
    assert len(again) <= 300
    put(folder, "0000a.log", ACCESS[0])
    assert "objects:trail/0000a.log" in {block.stream for block in source(folder).blocks(positions.get)}


def test_dead_letters_of_different_objects_are_kept_apart(folder: Path, store: Store) -> None:
    """Both stand at the first byte of their object; each is kept, with the path to look at."""
    for name in ("a.json", "b.json"):
        put(folder, name, b'{"Records":[{"eventSource":')
    collect(store, source(folder), FORMAT)
    letters = store.dead_letters()
    assert sorted(Path(letter.path).name for letter in letters) == ["a.json", "b.json"]
    assert {letter.offset for letter in letters} == {0}


def test_by_day_says_when_there_are_no_days(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Instead of finding nothing for ever in silence."""
    put(folder, "plain/a.log", ACCESS[0])
    assert not list(source(folder, by_day=True).blocks(lambda _: None))
    assert "no folders of years" in caplog.text


def test_the_format_accepts_single_records() -> None:
    """What the splitting relies on."""
    record = json.dumps(PUT_IMAGE).encode()
    assert ecr_cloudtrail.FORMAT.claims(record) > 0.9
    assert objects.DEEPEST >= 7  # AWSLogs/<organisation>/<account>/CloudTrail/<region>/ and two more
