"""The same lines again: a month once more, under two patterns, by two collectors."""

from __future__ import annotations

import pytest
from faults.bench import Bench, size


@pytest.mark.quick
@pytest.mark.fault("F30")
def test_replay_two_patterns_two_collectors(bench: Bench) -> None:
    """A copy of everything, a pattern and a path that mean one file, and a second collector on it: each line once."""
    bench.log.write_bytes(bench.truth.lines(size(2_000, 200_000)))
    with bench.collecting(bench.log, bench.folder / "access*.log") as one:
        bench.until_all(one)
        with bench.collecting(bench.log) as other:
            for _ in range(size(5, 20)):
                with bench.log.open("ab") as file:
                    file.write(bench.truth.lines(200))
                bench.until_all(one)
            copy = bench.folder / "access-copy.log"
            copy.write_bytes(bench.log.read_bytes())
            with bench.log.open("ab") as file:
                file.write(bench.truth.lines(200))
            bench.until_all(other)
            bench.until_still(2)
    with bench.collecting(bench.folder / "access*.log") as again:
        with bench.log.open("ab") as file:
            file.write(bench.truth.lines(1))
        bench.until_all(again)
        bench.until_still(2)
    bench.runs = 3
    bench.verdict()
