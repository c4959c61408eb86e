"""Followed files that are rotated, compressed, copied and truncated: the truth is what was written."""

from __future__ import annotations

import gzip
import os
import random
import time
from collections.abc import Callable

import pytest
import zstandard
from followed_files import Following, Log, Shelf, log

__all__ = ["log"]


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


def test_a_rotated_file_that_was_overlooked_is_read_after_a_newer_one(log: Log) -> None:
    """A file that was not seen, since it came and went between two looks, is read also if minutes of the next were read first."""
    shelf, overlooked, aside = Shelf(), log.path.with_name("registry.log.1"), log.path.with_name("aside")
    with Following(shelf, log.path) as following:
        log.write(20)
        following.until(log.written)
    log.rotate()
    log.write(7)
    log.rotate()
    overlooked.rename(aside)
    log.write(3)
    os.utime(log.path, (time.time() + 600, time.time() + 600))
    with Following(shelf, log.path) as following:
        following.until(23)
    aside.rename(overlooked)
    with Following(shelf, log.path) as following:
        following.until(log.written)
    assert set(shelf.rows.values()) == {1}


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


def test_a_log_with_the_inode_of_an_archive_that_was_read(log: Log) -> None:
    """A file system gives inodes out again: what was an archive once is a new log now."""
    shelf = Shelf()
    with Following(shelf, log.path) as following:
        log.write(20)
        following.until(log.written)
        log.rotate()
        rotated = log.path.with_name(log.path.name + ".1")
        archive = rotated.with_name(rotated.name + ".gz")
        archive.write_bytes(gzip.compress(rotated.read_bytes()))
        rotated.unlink()
        log.write(3)
        following.until(log.written)
        time.sleep(1)  # the archive is read, and known to be
        log.handle.close()
        archive.write_bytes(b"")
        archive.replace(log.path)
        log.handle = log.path.open("ab", buffering=0)
        log.write(5)
        following.until(log.written)


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
