"""Files read once and followed: rotation, truncation, restarts. Real files, real threads; the
truth is what was written.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from collector.sources.file_tail import FileTail
from collector.stages import Block
from collector.whole_lines import MAX_LINE_BYTES, oversize
from store.contract import Position


class Shelf:
    """Keeps what a store would: one row for each (stream, offset, line), and the newest position of each stream."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, bytes], int] = {}
        self.positions: dict[str, Position] = {}
        self.blocks: list[Block] = []

    def take(self, block: Block) -> None:
        offset = block.offset
        for line in block.data.splitlines(keepends=True):
            row = (block.stream, offset, line)
            self.rows[row] = self.rows.get(row, 0) + 1
            offset += len(line)
        self.positions[block.after.stream] = block.after
        self.blocks.append(block)

    def lines(self) -> Counter[bytes]:
        return Counter(line.rstrip(b"\r\n") for _, _, line in self.rows)


class Following:
    """A tail in its own thread, as the pipeline runs it."""

    def __init__(self, shelf: Shelf, *patterns: Path, watch: bool = False, quiet: float = 0.3, most_open: int = 64):
        self.shelf = shelf
        self.tail = FileTail(
            "log",
            [str(pattern) for pattern in patterns],
            registry="r1",
            follow=True,
            poll_seconds=0.02,
            quiet_seconds=quiet,
            watch=watch,
            most_open=most_open,
            known=lambda: list(shelf.positions.values()),
        )
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            for block in self.tail.blocks(self.shelf.positions.get):
                self.shelf.take(block)
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.tail.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def until(self, lines: Counter[bytes] | int, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            have = self.shelf.lines()
            if (have.total() >= lines) if isinstance(lines, int) else (have == lines):
                return
            time.sleep(0.01)
        missing = lines - have if isinstance(lines, Counter) else lines
        raise AssertionError(f"after {seconds} s: {have.total()} lines, missing {missing}")


class Log:
    """A writer that numbers its lines and knows what it wrote."""

    def __init__(self, path: Path) -> None:
        self.path, self.number, self.written = path, 0, Counter[bytes]()
        self.handle = path.open("ab", buffering=0)

    def write(self, count: int = 1, end: bytes = b"\n") -> None:
        for _ in range(count):
            line = b"line %06d of the log" % self.number
            self.handle.write(line + end)
            self.written[line] += 1
            self.number += 1

    def rotate(self) -> None:
        """Rename and create: the oldest goes up by one, as logrotate does."""
        generations = sorted(
            (path for path in self.path.parent.glob(self.path.name + ".*")), key=lambda p: -int(p.suffix[1:])
        )
        for path in generations:
            path.rename(path.with_suffix(f".{int(path.suffix[1:]) + 1}"))
        self.handle.close()
        self.path.rename(self.path.with_name(self.path.name + ".1"))
        self.handle = self.path.open("ab", buffering=0)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()


@pytest.fixture
def log(tmp_path: Path):
    with Log(tmp_path / "registry.log") as log:
        yield log


def once(*paths: Path | str, shelf: Shelf | None = None) -> Shelf:
    shelf = shelf or Shelf()
    for block in FileTail("files", [str(path) for path in paths]).blocks(shelf.positions.get):
        shelf.take(block)
    return shelf


def test_a_finished_file_is_read_to_its_last_byte(tmp_path: Path) -> None:
    """Whole lines and the last line without newline arrive, and the position is the length of the file."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\r\ntwo\n\nthree")
    shelf = once(path)
    assert b"".join(block.data for block in shelf.blocks) == path.read_bytes()
    assert shelf.blocks[-1].final
    assert shelf.blocks[-1].after.offset == path.stat().st_size


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025])
def test_no_file_is_too_small(tmp_path: Path, size: int) -> None:
    """A file is read whatever its size; an empty one gives nothing."""
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * size)
    assert sum(len(block.data) for block in once(path).blocks) == size


def test_blocks_are_whole_lines_with_what_stands_before(tmp_path: Path) -> None:
    """A file larger than a block is cut between lines, and each block brings up to 64 KiB of whole lines before it."""
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(b"line %08d %s\n" % (n, b"x" * 80) for n in range(100_000)))
    blocks = once(path).blocks
    assert len(blocks) > 1 and b"".join(block.data for block in blocks) == path.read_bytes()
    for earlier, later in pairwise(blocks):
        assert earlier.data.endswith(b"\n") and not earlier.final
        assert earlier.data.endswith(later.before) and later.before.startswith(b"line ")
        assert 64_000 < len(later.before) <= 65_536


def test_the_same_content_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a copy, a compressed copy, a beginning, and a pipe of a file that was read add no line."""
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(b"%d\n" % n for n in range(1000)))
    shelf = once(path)
    (tmp_path / "link.log").symlink_to(path)
    (tmp_path / "copy.log").write_bytes(path.read_bytes())
    (tmp_path / "half.log").write_bytes(path.read_bytes()[:490])
    with gzip.open(tmp_path / "a.log.gz", "wb") as packed:
        packed.write(path.read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    once(tmp_path / "*.log", tmp_path / "*", "-", shelf=shelf)
    assert set(shelf.lines().values()) == {1} and len(shelf.lines()) == 1000


def test_documents_of_records_are_lines_wherever_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain file, archives, and standard input give the same lines, and so the same stream; a followed file is left as it
    is, since its document may not be whole yet."""
    records = [b'{"n":%d,"x":"%s"}' % (number, b"x" * 3_000) for number in range(600)]
    document = b'{"Records":[' + b",".join(records) + b"]}\n"
    (tmp_path / "trail.json").write_bytes(document)
    (tmp_path / "trail.json.gz").write_bytes(gzip.compress(document))
    (tmp_path / "trail.json.zst").write_bytes(zstandard.compress(document))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(document)))
    for name in ("trail.json", "trail.json.gz", "trail.json.zst"):
        assert once(tmp_path / name).lines() == Counter(records)
    shelf = once(tmp_path / "trail.json", tmp_path / "trail.json.zst", "-")
    assert shelf.lines() == Counter(records)
    following = Shelf()
    with Following(following, tmp_path / "trail.json"):
        deadline = time.monotonic() + 10
        while not following.blocks and time.monotonic() < deadline:
            time.sleep(0.02)
    assert following.blocks[0].data.startswith(b'{"Records":[') and oversize(following.blocks[0].data)


def test_what_was_added_is_read_from_the_position(tmp_path: Path) -> None:
    """Reading a grown file again gives only the new lines, with the old ones in front of them."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo\n")
    shelf = once(path)
    path.write_bytes(b"one\ntwo\nthree\n")
    once(path, shelf=shelf)
    assert shelf.blocks[-1].data == b"three\n"
    assert shelf.blocks[-1].before == b"one\ntwo\n"


def test_two_files_with_one_beginning_are_both_read(tmp_path: Path) -> None:
    """Files whose first 4 KiB are the same and that differ behind are two streams."""
    banner = b"banner\n" * 600
    (tmp_path / "a.log").write_bytes(banner + b"a\n" * 50)
    (tmp_path / "b.log").write_bytes(banner + b"b\n" * 40)
    shelf = once(tmp_path / "*.log")
    assert shelf.lines()[b"a"] == 50 and shelf.lines()[b"b"] == 40


def test_two_growing_files_with_one_beginning_are_both_followed(tmp_path: Path) -> None:
    """Two files that begin alike and part ways while they are followed both arrive."""
    shelf = Shelf()
    for name in "ab":
        (tmp_path / f"{name}.log").write_bytes(b"banner\n")
    with Following(shelf, tmp_path / "*.log") as following:
        for number in range(20):
            for name in "ab":
                with (tmp_path / f"{name}.log").open("ab") as file:
                    file.write(b"%s %d\n" % (name.encode(), number))
        following.until(41)
    assert all(shelf.lines()[b"%s %d" % (name, number)] == 1 for name in (b"a", b"b") for number in range(20))


@pytest.mark.parametrize("newline", [True, False])
def test_a_line_without_end_is_one_short_block(tmp_path: Path, newline: bool) -> None:
    """A line of 20 MiB gives its first 1 MiB once, its true length in the position, and the lines around it arrive."""
    path = tmp_path / "a.log"
    path.write_bytes(b"before\n" + b"x" * (20 << 20) + (b"\nbehind\n" if newline else b""))
    blocks = once(path).blocks
    (long,) = (block for block in blocks if oversize(block.data))
    assert len(long.data) == MAX_LINE_BYTES + 1
    assert long.after.offset - long.offset == (20 << 20) + newline
    assert [block.data for block in blocks if block is not long] == [b"before\n"] + [b"behind\n"] * newline


def test_a_compressed_file_that_is_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    """The readable part of a damaged archive arrives, and nothing raises."""
    content = b"".join(b"%d %s\n" % (n, os.urandom(20).hex().encode()) for n in range(10_000))
    packed = gzip.compress(content)
    (tmp_path / "a.log.gz").write_bytes(packed + packed[: len(packed) // 2])
    read = b"".join(block.data for block in once(tmp_path / "a.log.gz").blocks)
    assert read.startswith(content) and (content + content).startswith(read) and len(read) > len(content)


@pytest.mark.parametrize("watch", [False, True])
def test_a_growing_file_is_followed(log: Log, watch: bool) -> None:
    """Lines arrive as they are written; half a line waits for its other half; CRLF and empty lines stay as they are."""
    shelf = Shelf()
    with Following(shelf, log.path, watch=watch) as following:
        log.write(3)
        following.until(3)
        log.handle.write(b"half")
        time.sleep(0.15)
        assert shelf.lines().total() == 3
        log.handle.write(b" and half\n\r\n")
        following.until(5)
    assert shelf.lines()[b"half and half"] == 1 and shelf.lines()[b""] == 1


def test_half_a_line_at_stop_is_read_whole_by_the_next_run(log: Log) -> None:
    """What had no newline when the collector stopped is one line after the restart."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(1)
        log.handle.write(b"ha")
        following.until(1)
    log.handle.write(b"lf\n")
    with Following(shelf, log.path) as following:
        following.until(2)
    assert shelf.lines()[b"half"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_rotation_at_any_moment_loses_and_doubles_nothing(log: Log, seed: int) -> None:
    """Rename-and-create at seeded moments, with the old file still written after its rename: each
    line once, in order.
    """
    chance, shelf = random.Random(seed), Shelf()
    with Following(shelf, log.path, quiet=0.5, watch=seed == 2) as following:
        log.write(1)
        following.until(1)
        for _ in range(12):
            log.write(chance.randrange(40))
            keep = os.dup(log.handle.fileno())
            log.rotate()
            late = b"late %06d" % log.number
            os.write(keep, late + b"\n")
            os.close(keep)
            log.written[late] += 1
            log.number += 1
            time.sleep(chance.random() * 0.08)
        log.write(5)
        following.until(log.written)
    for stream in {stream for stream, _, _ in shelf.rows}:
        offsets = [block.offset for block in shelf.blocks if block.stream == stream]
        assert offsets == sorted(offsets)


@pytest.mark.parametrize("generations", [1, 3, 10])
def test_rotation_while_stopped_loses_nothing(log: Log, generations: int) -> None:
    """Lines written before and between rotations while the collector was down are found in the rotated files."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(20)
        following.until(log.written)
    for _ in range(generations):
        log.write(7)
        log.rotate()
    log.write(3)
    with Following(shelf, log.path) as following:
        following.until(log.written)
    with Following(shelf, log.path):
        time.sleep(0.2)
    assert shelf.lines() == log.written and set(shelf.rows.values()) == {1}


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_the_rest_is_taken_from_an_archive(log: Log, suffix: str, compress: Callable[[bytes], bytes]) -> None:
    """A log that was rotated and compressed while the collector was down is read on inside the archive."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(20)
        following.until(log.written)
    log.write(7)
    log.rotate()
    rotated = log.path.with_name(log.path.name + ".1")
    rotated.with_name(rotated.name + suffix).write_bytes(compress(rotated.read_bytes()))
    rotated.unlink()
    log.write(3)
    with Following(shelf, log.path) as following:
        following.until(log.written)
    assert set(shelf.rows.values()) == {1}


def test_old_rotated_files_are_not_read_at_the_first_start(log: Log) -> None:
    """Only what the pattern names is read when nothing was read before; the archives of years are not."""
    old = log.path.with_name("registry.log.1")
    old.write_bytes(b"old\n")
    os.utime(old, (1_600_000_000, 1_600_000_000))
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(2)
        following.until(log.written)
        log.rotate()
        log.write(2)
        following.until(log.written)


def test_truncation_starts_anew(log: Log) -> None:
    """After copytruncate the new lines are read from the start, and the copy beside it adds none and loses none."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(50)
        following.until(log.written)
        for generation in range(3):
            copy = log.path.with_name(f"registry.log.{generation}")
            copy.write_bytes(log.path.read_bytes())
            os.truncate(log.path, 0)
            log.write(30)
            following.until(log.written)
    assert set(shelf.rows.values()) == {1}


def test_truncation_while_stopped_takes_the_rest_from_the_copy(log: Log) -> None:
    """Lines that only the copy of a copytruncate still holds are read from it at the next start."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(50)
        following.until(log.written)
    log.write(10)
    log.path.with_name("registry.log.1").write_bytes(log.path.read_bytes())
    os.truncate(log.path, 0)
    log.write(30)
    with Following(shelf, log.path) as following:
        following.until(log.written)
    assert set(shelf.rows.values()) == {1}


@pytest.mark.parametrize("rest", [0, 60])
def test_truncation_that_grows_past_the_old_offset_is_seen(log: Log, rest: int) -> None:
    """Cut to nothing or to a part and written past the old length before anybody looked: no line is lost or doubled."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(20)
        following.until(log.written)
    content = log.path.read_bytes()
    new = b"".join(b"new %d\n" % n for n in range(500))
    log.path.write_bytes(content[: content.find(b"\n", rest) + 1 if rest else 0] + new)
    log.written.update(new.splitlines())
    with Following(shelf, log.path) as following:
        following.until(log.written)


def test_a_hole_of_zeros_is_no_text(log: Log) -> None:
    """A writer that goes on at its old offset after a truncation leaves zeros: they are in no
    line, and lines follow.
    """
    shelf = Shelf()
    log.handle.close()
    log.handle = log.path.open("wb", buffering=0)
    with Following(shelf, log.path) as following:
        log.write(50)
        following.until(log.written)
        os.truncate(log.path, 0)
        log.write(30)
        following.until(log.written)
    assert not any(b"\0" in line for line in shelf.lines())


def test_zeros_at_the_end_are_read_again(log: Log) -> None:
    """A size seen before its data (network file systems) shows zeros; they are waited out, never handed on."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(2)
        following.until(log.written)
        end = log.path.stat().st_size
        os.truncate(log.path, end + 5)
        time.sleep(0.15)
        with log.path.open("r+b") as file:
            file.seek(end)
            file.write(b"text\n")
        log.written[b"text"] += 1
        following.until(log.written)


def test_a_link_is_followed_to_each_target(tmp_path: Path) -> None:
    """A symbolic link that is pointed elsewhere again and again loses no line; link and target matched count once."""
    shelf, written, link = Shelf(), Counter[bytes](), tmp_path / "current.log"
    with Following(shelf, link, tmp_path / "part-*.log") as following:
        for part in range(15):
            target = tmp_path / f"part-{part:02}.log"
            lines = [b"part %d line %d" % (part, number) for number in range(50)]
            target.write_bytes(b"\n".join(lines) + b"\n")
            written.update(lines)
            (tmp_path / "next").symlink_to(target)
            (tmp_path / "next").rename(link)
            time.sleep(0.03)
        (tmp_path / "part-dangling.log").symlink_to(tmp_path / "nowhere")
        (tmp_path / "part-loop.log").symlink_to(tmp_path / "part-loop.log")
        following.until(written)


def test_a_deleted_file_is_read_to_its_end_and_a_new_one_is_found(log: Log, tmp_path: Path) -> None:
    """Deleting a log, and its folder with it, ends that stream only; what is created later is read."""
    shelf = Shelf()
    folder = tmp_path / "folder"
    folder.mkdir()
    with Following(shelf, folder / "*.log") as following:
        for _ in range(3):
            with Log(folder / "a.log") as inner:
                inner.number = log.number
                inner.write(10)
                following.until(log.written + inner.written)
                (folder / "a.log").unlink()
                folder.rmdir()
                inner.write(5)
                log.number, log.written = inner.number, log.written + inner.written
                following.until(log.written)
            folder.mkdir()


def test_many_files_need_few_descriptors(tmp_path: Path) -> None:
    """200 files, written in turns with rotation between, are followed while only 20 are held open."""
    shelf, written = Shelf(), Counter[bytes]()

    def write(turn: int) -> None:
        for number in range(200):
            line = b"file %d turn %d" % (number, turn)
            with (tmp_path / f"{number}.log").open("ab") as file:
                file.write(line + b"\n")
            written[line] += 1

    with Following(shelf, tmp_path / "*.log", most_open=20) as following:
        write(0)
        following.until(written)
        time.sleep(0.2)
        held = sum(tail.content is not None for tail in list(following.tail._open.tails.values()))
        assert held <= 20
        for number in range(0, 200, 10):
            (tmp_path / f"{number}.log").rename(tmp_path / f"{number}.log.1")
        write(1)
        following.until(written)


def test_a_missing_file_is_an_error_only_when_it_is_read_once(tmp_path: Path) -> None:
    """A file named to be read once must be there; a followed one may come later."""
    with pytest.raises(FileNotFoundError):
        once(tmp_path / "none.log")
    shelf = Shelf()
    with Following(shelf, tmp_path / "none.log") as following, Log(tmp_path / "none.log") as late:
        late.write(1)
        following.until(late.written)


def test_unread_is_what_is_written_and_not_handed_on(log: Log) -> None:
    """The lag in bytes is the half line that waits, and nothing once it is complete."""
    shelf: Shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(1)
        log.handle.write(b"half")
        following.until(1)
        assert following.tail.unread() == 4
        log.handle.write(b"\n")
        following.until(2)
        assert following.tail.unread() == 0
