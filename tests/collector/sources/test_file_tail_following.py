"""Files that grow, are linked, deleted and created again while they are followed."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from followed_files import Following, Log, Shelf, log, once

__all__ = ["log"]


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


def test_zeros_at_the_beginning_do_not_name_the_stream(tmp_path: Path) -> None:
    """A whole file seen before its data: the stream is called by its first line, as if the zeros had never been there."""
    content = b"".join(b"line %d of the log\n" % number for number in range(200))
    (tmp_path / "plain.log").write_bytes(content)
    plain = {stream for stream, _, _ in once(tmp_path / "plain.log").rows}
    path, shelf = tmp_path / "late.log", Shelf()
    path.write_bytes(bytes(len(content)))
    with Following(shelf, path) as following:
        deadline = time.monotonic() + 30
        while following.tail.unread() != len(content):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with path.open("r+b") as file:
            file.write(content)
        following.until(200)
    assert {stream for stream, _, _ in shelf.rows} == plain


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
