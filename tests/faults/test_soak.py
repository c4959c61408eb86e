"""Everything at once, for a while: REGSIGHT_FAULTS_SOAK=3600 for the hour that docs/reliability.md shows."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from faults import soak_drawing
from faults.bad_server import BadServer, bad_server
from faults.bench import SEED, Bench
from faults.soak import (
    KILLS_UNTIL,
    LIFE,
    SECONDS,
    Diary,
    Refusals,
    Writer,
    figures,
    keep,
    stored_rows,
    usual_descriptors,
    watch,
)

# The hour is kept for the page; shorter ones are tests only.
KEPT = SECONDS >= 3600 or bool(os.environ.get("REGSIGHT_FAULTS_SOAK_KEEP"))

MOST_MEMORY_MIB = 800  # of a collector that takes 2,000 lines/s: it holds 300 to 500


def soak(bench: Bench, server: BadServer | None = None) -> dict[str, Any]:
    """Write, rotate, compress, refuse; kill in the first third; then count."""
    chance, diary, life = random.Random(SEED + 2), Diary(), 0
    writer = Writer(bench, diary, SECONDS)
    threads = [writer, *([Refusals(server, diary, SECONDS)] if server else [])]
    for thread in threads:
        thread.start()
    while diary.now() < SECONDS * KILLS_UNTIL:
        life += 1
        with collecting(bench, server) as collector:
            bench.until(bench.stored, "storing something", collector)
            writer.may_rotate.set()
            watch(bench, diary, collector, life, diary.now() + min(1.0, SECONDS / 600) * chance.uniform(*LIFE))
            collector.kill()
            collector.process.returncode = 0
        diary.kills.append(diary.now())
    with collecting(bench, server) as collector:
        watch(bench, diary, collector, life + 1, SECONDS)
        for thread in threads:
            thread.join()
        bench.until(lambda: stored_rows(bench) >= bench.truth.count, "storing everything", collector, 1800)
        bench.until_still(2)
    bench.runs = life + 1
    return figures(bench, diary, {"refused": dict(server.seen) if server else {}})


def collecting(bench: Bench, server: BadServer | None) -> Any:
    """The collector; behind the bad server where there is one."""
    url = f"{server.url}?{bench.url.partition('?')[2]}" if server else bench.url
    return bench.collecting(url=url)


def judge(bench: Bench, kind: str, found: dict[str, Any]) -> None:
    """The promises, and the figures onto the page."""
    per_hour, error = found["memory_mib_per_hour"], found["memory_error_mib_per_hour"]
    first, last = usual_descriptors(found)
    done = bench.verdict(
        said=f"{found['kills']} kills, {found['rotations']} rotations; memory {per_hour:+.1f} ± {error:.1f} MiB an hour, "
        f"{first:.0f} descriptors, at the end {last:.0f}"
    )
    assert not bench.gaps()
    if KEPT:
        keep(kind, found | {"lost": len(done.lost), "doubled": len(done.doubled), "out_of_order": done.out_of_order})
        soak_drawing.write()
    assert last - first <= 5 and found["descriptors"][1] <= 250
    # Over minutes a slope says nothing: caches fill. Over the hour it must be flat within what can be known.
    assert found["memory_mib"][1] <= MOST_MEMORY_MIB
    assert SECONDS < 3600 or per_hour - 2 * error <= 1


@pytest.mark.fault("F44")
@pytest.mark.timeout(4 * SECONDS + 1800)
def test_soak(bench: Bench) -> None:
    """The embedded store: rotation, compression and `kill -9` at random moments."""
    judge(bench, "embedded", soak(bench))


@pytest.mark.fault("F44")
@pytest.mark.external_service
@pytest.mark.timeout(4 * SECONDS + 1800)
def test_soak_on_elasticsearch(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """The same on Elasticsearch, which refuses with 429, whole requests and single items, every now and then."""
    with bad_server(elasticsearch_url, SEED) as server:
        judge(elastic_bench, "elasticsearch", soak(elastic_bench, server))
