"""Logs that are renamed, copied and truncated under the collector."""

from __future__ import annotations

import os
import random
import shutil
import time
from datetime import datetime

import pytest
from faults.bench import SEED, Bench, size


def shift(bench: Bench, keep: int = 99) -> None:
    """Rename the generations one up and the log to `.1`, as logrotate does; those beyond `keep` are deleted."""
    generations = sorted(bench.folder.glob("access.log.*"), key=lambda path: -int(path.suffix[1:]))
    for path in generations:
        number = int(path.suffix[1:]) + 1
        if number > keep:
            path.unlink()
        else:
            path.rename(path.with_suffix(f".{number}"))
    bench.log.rename(bench.folder / "access.log.1")


@pytest.mark.quick
@pytest.mark.fault("F01")
def test_rename_and_create_at_speed(bench: Bench) -> None:
    """20 rotations while 5,000 lines a second are written; the old file is written on for a while."""
    chance = random.Random(SEED)
    rotations, rate = size(6, 20), size(1000, 5000)
    with bench.collecting() as collector:
        file = bench.log.open("ab", buffering=0)
        file.write(bench.truth.lines(1))
        bench.until_all(collector)
        for _ in range(rotations):
            file.write(bench.truth.lines(rate // 4))
            shift(bench)
            late, file = file, bench.log.open("ab", buffering=0)
            until = time.monotonic() + (chance.uniform(0.5, 2) if bench.runs and rate > 1000 else 0.2)
            while time.monotonic() < until:
                file.write(bench.truth.lines(rate // 50))
                late.write(bench.truth.lines(3))
                time.sleep(0.02)
            late.close()
        file.write(bench.truth.lines(rate))
        file.close()
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = rotations
    bench.verdict()


@pytest.mark.fault("F02")
@pytest.mark.parametrize("generations", [1, 3, 10])
def test_rotation_while_the_collector_is_stopped(bench: Bench, generations: int) -> None:
    """Every generation that is still there is read at the next start."""
    bench.log.write_bytes(bench.truth.lines(200))
    with bench.collecting() as collector:
        bench.until_all(collector)
    for _ in range(generations):
        with bench.log.open("ab") as file:
            file.write(bench.truth.lines(size(100, 1000)))
        shift(bench)
    bench.log.write_bytes(bench.truth.lines(100))
    with bench.collecting() as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = generations
    bench.verdict()
    assert not bench.gaps()


@pytest.mark.fault("F02")
def test_generations_that_are_gone_are_named(bench: Bench) -> None:
    """With three of ten kept, what is there is read, and the report says up to where the lost one was read."""
    bench.log.write_bytes(bench.truth.lines(200))
    with bench.collecting() as collector:
        bench.until_all(collector)
    first = bench.truth.count
    for _ in range(10):
        with bench.log.open("ab") as file:
            file.write(bench.truth.lines(100))
        shift(bench, keep=3)
    kept = 3 * 100
    gone = set(range(first, bench.truth.count - kept))
    bench.log.write_bytes(bench.truth.lines(100))
    with bench.collecting() as collector:
        bench.until(lambda: bench.stored() >= bench.truth.count - len(gone), "storing what is there", collector)
        bench.until(bench.gaps, "telling of the gap", collector)
    done = bench.verdict(lost_at_most=len(gone))
    assert done.lost == gone
    (gap,) = bench.gaps()
    assert gap["kind"] == "file_gone" and gap["path"] == str(bench.log) and gap["offset"] > 0


@pytest.mark.quick
@pytest.mark.fault("F03")
def test_copytruncate_with_append(bench: Bench) -> None:
    """Nothing twice; every lost line lies in a span that the report names, and the report's estimate covers them."""
    rotations = size(5, 20)
    with bench.collecting() as collector:
        file = bench.log.open("ab", buffering=0)
        file.write(bench.truth.lines(50))
        bench.until_all(collector)
        for number in range(rotations):
            for _ in range(20):
                file.write(bench.truth.lines(size(5, 20)))
                time.sleep(0.01)
            shutil.copyfile(bench.log, bench.folder / f"access.log.{number}")
            file.write(bench.truth.lines(3))  # in neither file, unless the collector was quick
            os.truncate(bench.log, 0)
            time.sleep(0.2)
            file.write(bench.truth.lines(1))
            bench.until(lambda wanted=number + 1: len(bench.gaps()) >= wanted, "telling of the cut", collector)
        file.close()
        bench.until_still(2)
    bench.runs = rotations
    gaps = bench.gaps()
    done = bench.verdict(
        lost_at_most=3 * rotations, said=f"{len(gaps)} cuts, {sum(g['lines'] for g in gaps)} lines at most"
    )
    assert {gap["kind"] for gap in gaps} == {"copytruncate"}
    spans = [
        (datetime.fromisoformat(g["start"]).timestamp(), datetime.fromisoformat(g["end"]).timestamp()) for g in gaps
    ]
    outside = [n for n in done.lost if not any(a - 0.01 <= bench.truth.times[n] <= b + 0.01 for a, b in spans)]
    assert not outside
    assert len(done.lost) <= sum(gap["lines"] for gap in gaps)


@pytest.mark.fault("F04")
def test_copytruncate_without_append(bench: Bench) -> None:
    """A writer that goes on at its old offset leaves zeros: they are in no event, and each hole is told once."""
    with bench.log.open("wb", buffering=0) as file, bench.collecting() as collector:
        file.write(bench.truth.lines(200))
        bench.until_all(collector)
        for number in range(5):
            shutil.copyfile(bench.log, bench.folder / f"access.log.{number}")
            os.truncate(bench.log, 0)
            file.write(bench.truth.lines(100))
            bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 5
    bench.verdict()
    assert sum(gap["kind"] == "hole" for gap in bench.gaps()) == 5


@pytest.mark.fault("F05")
def test_copytruncate_across_a_restart(bench: Bench) -> None:
    """The rest is taken from the copy, the new content from its start, nothing twice."""
    bench.log.write_bytes(bench.truth.lines(300))
    for number in range(3):
        with bench.collecting() as collector:
            bench.until_all(collector)
        with bench.log.open("ab") as file:
            file.write(bench.truth.lines(100))
        shutil.copyfile(bench.log, bench.folder / f"access.log.{number}")
        os.truncate(bench.log, 0)
        with bench.log.open("ab") as file:
            file.write(bench.truth.lines(80))
    with bench.collecting() as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 3
    bench.verdict()
    assert not bench.gaps()


@pytest.mark.quick
@pytest.mark.fault("F06")
@pytest.mark.parametrize("kept", [0, 7])
def test_truncation_to_less_and_past_the_old_offset(bench: Bench, kept: int) -> None:
    """Cut to nothing or to its first lines, and written past the old offset in one go: read from its start, nothing twice."""
    bench.log.write_bytes(bench.truth.lines(100))
    with bench.collecting() as collector:
        bench.until_all(collector)
        for _ in range(size(2, 10)):
            lines = bench.log.read_bytes().splitlines(keepends=True)
            new = b"".join(lines[:kept]) + bench.truth.lines(len(lines) * 2)
            with bench.log.open("r+b", buffering=0) as file:  # one write between two looks
                file.write(new)
                file.truncate(len(new))
            bench.until_all(collector)
        bench.until_still(1)
    bench.runs = size(2, 10)
    bench.verdict(ordered=not kept)  # with the same first line, offsets of old and new content are those of one stream
    assert {gap["kind"] for gap in bench.gaps()} == {"truncated"}
