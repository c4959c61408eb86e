"""Rotated logs that are compressed, half written, or damaged."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from faults.bench import Bench, size

PACKERS = [(".gz", gzip.compress), (".zst", zstandard.compress)]


def pack(path: Path, suffix: str, compress: Callable[[bytes], bytes]) -> Path:
    """As gzip and zstd do: the archive appears under its name while it is written, then the plain file goes."""
    packed, data = path.with_name(path.name + suffix), compress(path.read_bytes())
    with packed.open("wb", buffering=0) as file:
        for start in range(0, len(data), 4096):
            file.write(data[start : start + 4096])
    path.unlink()
    return packed


@pytest.mark.quick
@pytest.mark.fault("F07")
@pytest.mark.parametrize(("suffix", "compress"), PACKERS)
def test_compressed_at_once(bench: Bench, suffix: str, compress: Callable[[bytes], bytes]) -> None:
    """Rotated and compressed in the same moment, while it is read and while the collector is down."""
    bench.log.write_bytes(bench.truth.lines(200))
    rotations = size(2, 6)
    with bench.collecting() as collector:
        bench.until_all(collector)
        for number in range(rotations):  # some of it unread, most likely
            with bench.log.open("ab") as file:
                file.write(bench.truth.lines(size(500, 5000)))
            pack(bench.log.rename(bench.folder / f"access.log.{number}"), suffix, compress)
            bench.log.write_bytes(bench.truth.lines(20))
        bench.until_all(collector)
    for number in range(rotations, 2 * rotations):
        with bench.log.open("ab") as file:
            file.write(bench.truth.lines(100))
        pack(bench.log.rename(bench.folder / f"access.log.{number}"), suffix, compress)
        bench.log.write_bytes(bench.truth.lines(20))
    with bench.collecting() as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 2 * rotations
    bench.verdict()
    assert not bench.gaps()


@pytest.mark.fault("F08")
def test_an_archive_that_is_still_written(bench: Bench) -> None:
    """What is whole is read, and the rest when it is there."""
    bench.log.write_bytes(bench.truth.lines(100))
    with bench.collecting() as collector:
        bench.until_all(collector)
    content = bench.log.read_bytes() + bench.truth.lines(5000)
    data = gzip.compress(content)
    bench.log.unlink()
    archive = bench.folder / "access.log.1.gz"
    archive.write_bytes(data[: len(data) // 2])
    bench.log.write_bytes(bench.truth.lines(10))
    with bench.collecting() as collector:
        bench.until(lambda: bench.stored() > 1000, "reading what is whole", collector)
        with archive.open("ab") as file:
            for start in range(len(data) // 2, len(data), 1 << 14):
                file.write(data[start : start + (1 << 14)])
                file.flush()
                time.sleep(0.05)
        bench.until_all(collector)
        bench.until_still(1)
    bench.verdict()


@pytest.mark.fault("F08")
def test_an_archive_that_breaks_off(bench: Bench) -> None:
    """Members one behind the other, the last of them cut: read up to the cut, the torn line kept, the place told."""
    bench.log.write_bytes(bench.truth.lines(100))
    with bench.collecting() as collector:
        bench.until_all(collector)
    first, second = bench.log.read_bytes() + bench.truth.lines(500), bench.truth.lines(5000)
    whole = gzip.compress(second)
    bench.log.unlink()
    (bench.folder / "access.log.1.gz").write_bytes(gzip.compress(first) + whole[: len(whole) // 2])
    bench.log.write_bytes(bench.truth.lines(10))
    with bench.collecting() as collector:
        bench.until(bench.gaps, "telling of the damage", collector)
        bench.until_still(1)
    done = bench.verdict(lost_at_most=4900, dead_letters=None)
    assert done.lost and min(done.lost) > 600 and len(done.lost) == max(done.lost) - min(done.lost) + 1
    (gap,) = bench.gaps()
    assert gap["kind"] == "damaged_archive" and gap["offset"] > len(first)
    assert set(bench.store.dead_letter_counts()) <= {"damaged archive"}
