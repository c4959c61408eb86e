"""Everything at once, for a while."""

from __future__ import annotations

import gzip
import os
import random
import statistics
import time

import pytest
from faults.bench import SEED, Bench

SECONDS = float(os.environ.get("REGSIGHT_FAULTS_SOAK", "180"))
RATE = 1000
WARM_UP = 0.3  # of the time, in which caches fill


@pytest.mark.fault("F44")
def test_soak(bench: Bench) -> None:
    """Rotation, compression and `kill -9` at random moments; then the count, and memory and descriptors of the last run."""
    chance, begun, generation = random.Random(SEED), time.monotonic(), 0
    memory: list[tuple[float, int]] = []
    descriptors: list[int] = []
    kills_until = SECONDS / 3  # afterwards one process lives on, so that its memory can be watched
    while time.monotonic() - begun < SECONDS:
        with bench.collecting() as collector:
            started, life = time.monotonic(), chance.uniform(3, 15)
            file = bench.log.open("ab", buffering=0)
            while (now := time.monotonic()) - begun < SECONDS:
                file.write(bench.truth.lines(RATE // 20))
                time.sleep(0.05)
                if chance.random() < 0.02:
                    generation += 1
                    rotated = bench.log.rename(bench.folder / f"access.log.{generation}")
                    file.close()
                    file = bench.log.open("ab", buffering=0)
                    if chance.random() < 0.5:
                        packed = rotated.with_name(rotated.name + ".gz")
                        packed.write_bytes(gzip.compress(rotated.read_bytes(), 1))
                        rotated.unlink()
                if now - begun > kills_until and now - started > WARM_UP * SECONDS:
                    memory.append((now, collector.resident()))
                    descriptors.append(collector.descriptors())
                if now - begun < kills_until and now - started > life:
                    collector.kill()
                    collector.process.returncode = 0
                    bench.runs += 1
                    break
            file.close()
            if collector.alive():
                bench.until_all(collector)
                bench.until_still(2)
    slope = statistics.linear_regression(*zip(*memory, strict=True)).slope * 3600 / (1 << 20) if memory else 0.0
    bench.verdict(said=f"{bench.runs} runs; memory {slope:+.0f} MiB an hour, {max(descriptors)} descriptors at most")
    assert max(descriptors) <= 100
    # A slope over minutes is mostly what the allocator does: this only sees a leak per line.
    assert memory[-1][1] - memory[0][1] < 100 << 20
