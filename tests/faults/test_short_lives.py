"""A collector that is killed again and again moves on in each of its lives, however much waits for it."""

from __future__ import annotations

import json
from itertools import count

import pytest
from faults.bad_server import BadServer, bad_server
from faults.bench import SEED, Bench, Collector, size

FIRST_ROWS = 5_000  # that the first commit of a life may have at most; a chunk of a file has seven times as many


def leave_behind(bench: Bench, files: int, lines: int) -> None:
    """A log that was read once, and since then rotated so often."""
    bench.log.write_bytes(bench.truth.lines(50))
    with bench.collecting() as collector:
        bench.until_all(collector)
    bench.log.rename(bench.folder / f"access.log.{files + 1}")
    for number in range(files, 0, -1):
        (bench.folder / f"access.log.{number}").write_bytes(bench.truth.lines(lines))
    bench.log.write_bytes(bench.truth.lines(50))


def reached(bench: Bench) -> int:
    """Bytes before all positions."""
    return sum(position.offset for position in bench.store.positions())


def live(bench: Bench) -> None:
    """One life, which ends when a position was saved."""
    before = reached(bench)
    with bench.collecting() as collector:
        bench.until(lambda: reached(bench) > before, "saving a position", collector)
        end(collector)


def end(collector: Collector) -> None:
    collector.kill()
    collector.process.returncode = 0


def versions(bench: Bench) -> list[int]:
    """Of the embedded store's table, oldest first."""
    log = bench.folder / "data" / "events" / "_delta_log"
    return sorted(int(path.stem) for path in log.glob("*.json") if path.stem.isdigit())


def rows_of(bench: Bench, version: int) -> int:
    """How many rows a commit brought."""
    entry = bench.folder / "data" / "events" / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in entry.read_text().splitlines()]
    return sum(json.loads(action["add"]["stats"])["numRecords"] for action in actions if "add" in action)


@pytest.mark.quick
@pytest.mark.fault("F20")
def test_each_life_moves_on(bench: Bench) -> None:
    """Killed as soon as it has saved a position, each life saves one, and its first commit is small enough for any store."""
    leave_behind(bench, files=size(8, 40), lines=size(20_000, 50_000))
    lives = 0
    while lives < size(4, 30) and bench.stored() < bench.truth.count:
        newest = versions(bench)[-1]
        live(bench)
        first = next(version for version in versions(bench) if version > newest)
        assert 0 < rows_of(bench, first) <= FIRST_ROWS
        lives += 1
    assert lives > 1
    with bench.collecting() as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = lives
    bench.verdict(said=f"{lives} lives with one saved position or few")


class Trap:
    """Kills the collector when it saves its position for the `at`th time in a life, before the server hears of it."""

    def __init__(self, server: BadServer) -> None:
        self.collector: Collector | None = None
        self.at, self._saved = 1, count(1)
        server.before = self._told

    def live(self, bench: Bench, url: str, at: int) -> None:
        self.at, self._saved = at, count(1)
        with bench.collecting(url=url) as self.collector:
            bench.until(lambda: not self.collector.alive(), "saving a position")
            end(self.collector)

    def _told(self, method: str, path: str) -> None:
        # Only positions are written with versions of their own.
        if method == "PUT" and "version_type=external" in path and next(self._saved) >= self.at:
            assert self.collector is not None
            self.collector.process.kill()
            raise OSError("the one who asks is dead")


@pytest.mark.quick
@pytest.mark.external_service
@pytest.mark.fault("F20")
def test_killed_between_rows_and_position(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """Elasticsearch has the rows, and never hears of the position: the next lives find them known, and then move on."""
    bench = elastic_bench
    leave_behind(bench, files=size(8, 40), lines=size(5_000, 20_000))
    start, lives = reached(bench), size(2, 10)
    with bad_server(elasticsearch_url, SEED) as server:
        trap, url = Trap(server), f"{server.url}?{bench.url.partition('?')[2]}"
        for _ in range(lives):
            trap.live(bench, url, at=1)
        assert reached(bench) == start
        bench.until(lambda: bench.stored() > 100, "storing rows")
        for _ in range(lives):
            before = reached(bench)
            trap.live(bench, url, at=2)
            assert reached(bench) > before
        server.before = lambda _method, _path: None
    with bench.collecting() as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 2 * lives
    bench.verdict(said=f"{lives} lives without a saved position, {lives} with one")
