"""Logs on a network file system: no notice of changes, late sizes and times, zeros before data, handles that go stale."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults import network_files
from faults.bench import Bench, size


@contextmanager
def mounted(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The folder at the server, and as it is seen from elsewhere."""
    server, seen = folder / "server", folder / "seen"
    server.mkdir()
    seen.mkdir()
    process = subprocess.Popen(
        [sys.executable, network_files.__file__, str(server), str(seen)], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while not seen.is_mount():
            if process.poll() is not None:
                pytest.skip(f"FUSE is not to be had here: {process.communicate()[1].strip()}")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server, seen
    finally:
        subprocess.run(["umount", "-l", str(seen)], check=False)
        process.kill()
        process.communicate()


def seen_as_promised(server: Path, seen: Path) -> None:
    """The layer does what it is there for: zeros before data, old sizes, steps of time, stale handles."""
    (server / "probe").write_bytes(b"x" * 10)
    with (seen / "probe").open("rb", buffering=0) as held:
        assert held.read(10) == bytes(10)
        status = (seen / "probe").stat()
        assert status.st_mtime % network_files.TIME_STEP == 0
        (server / "probe").write_bytes(b"x" * 20)
        assert (seen / "probe").stat().st_size == 10
        time.sleep(2 * network_files.DATA_LATE)
        held.seek(0)
        assert held.read(10) == b"x" * 10
        (server / "probe").unlink()
        with pytest.raises(OSError) as stale:
            held.read(10)
        assert stale.value.errno == errno.ESTALE


@pytest.mark.fault("F14")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_network_file_system(bench: Bench) -> None:
    """Grown, renamed, compressed and deleted at the server, copied and cut: everything once, zeros are in no event."""
    with mounted(bench.folder) as (server, seen):
        seen_as_promised(server, seen)
        log = server / "access.log"
        with log.open("ab", buffering=0) as file:
            file.write(bench.truth.lines(20))
        rounds = size(2, 8)
        with bench.collecting(seen / "access.log") as collector:
            bench.until_all(collector)
            for number in range(rounds):
                for _ in range(size(10, 60)):  # grows
                    with log.open("ab", buffering=0) as file:
                        file.write(bench.truth.lines(5))
                    time.sleep(0.05)
                rotated = log.rename(server / f"access.log.{3 * number}")  # renamed, written on for a moment
                with rotated.open("ab") as file:
                    file.write(bench.truth.lines(3))
                log.write_bytes(bench.truth.lines(30))
                time.sleep(0.2)
                rotated = log.rename(
                    server / f"access.log.{3 * number + 1}"
                )  # compressed at once: what is held goes stale
                log.write_bytes(bench.truth.lines(30))
                rotated.with_suffix(rotated.suffix + ".gz").write_bytes(gzip.compress(rotated.read_bytes()))
                rotated.unlink()
                bench.until_all(collector)
                shutil.copyfile(log, server / f"access.log.{3 * number + 2}")  # copied and cut
                os.truncate(log, 0)
                with log.open("ab") as file:
                    file.write(bench.truth.lines(10))
                bench.until_all(collector)
            bench.until_still(2)
        bench.runs = rounds
        bench.verdict(said="cuts are told")
    assert {gap["kind"] for gap in bench.gaps()} <= {
        "copytruncate",
        "truncated",
    }  # the copy may be seen too late to be one


@pytest.mark.fault("F14")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_file_that_goes_stale_unread(bench: Bench) -> None:
    """Deleted at the server with lines that nobody could read: the report says up to where it was read, and the new log is
    read."""
    with mounted(bench.folder) as (server, seen):
        log = server / "access.log"
        log.write_bytes(bench.truth.lines(100))
        with bench.collecting(seen / "access.log") as collector:
            bench.until_all(collector)
            first = bench.truth.count
            with log.open("ab") as file:
                file.write(bench.truth.lines(50))
            log.unlink()
            gone = set(range(first, bench.truth.count))
            log.write_bytes(bench.truth.lines(100))
            bench.until(lambda: bench.stored() >= bench.truth.count - len(gone), "storing the new log", collector)
            bench.until(bench.gaps, "telling of the gap", collector)
        done = bench.verdict(lost_at_most=len(gone))
    assert done.lost <= gone
    assert {gap["kind"] for gap in bench.gaps()} == {"file_gone"}
