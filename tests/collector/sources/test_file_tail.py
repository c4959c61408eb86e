"""Files that are read once: whole lines, archives, beginnings that are alike."""

from __future__ import annotations

import gzip
import io
import os
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from followed_files import Following, Log, Shelf, log, once

from collector.lines import MAX_LINE_BYTES
from collector.whole_lines import oversize

__all__ = ["log"]


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


def test_a_missing_file_is_an_error_only_when_it_is_read_once(tmp_path: Path) -> None:
    """A file named to be read once must be there; a followed one may come later."""
    with pytest.raises(FileNotFoundError):
        once(tmp_path / "none.log")
    shelf = Shelf()
    with Following(shelf, tmp_path / "none.log") as following, Log(tmp_path / "none.log") as late:
        late.write(1)
        following.until(late.written)
