"""Kill -9 at seeded moments while a log is written and rotated: each line is in the store once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store.errors import Unavailable
from store.locate import open_store

KILLS = 50
ROOT = Path(__file__).resolve().parents[2]

# A collector as `regsight collect --follow` runs it, without the command line around it.
COLLECTOR = """
import signal, sys
from prometheus_client import CollectorRegistry
from collector.formats import nginx_combined
from collector.pipeline import Pipeline
from collector.sources.file_tail import FileTail
from collector.telemetry import CollectorTelemetry
from store.locate import open_store

store = open_store(sys.argv[1])
tail = FileTail("log", [sys.argv[2]], registry="r1", follow=True, poll_seconds=0.02, known=store.positions)
pipeline = Pipeline(
    store, [tail], [nginx_combined.FORMAT], [], CollectorTelemetry(CollectorRegistry()), batch_seconds=0.1,
    batch_rows=500
)
signal.signal(signal.SIGTERM, lambda *_: pipeline.stop())
print("collecting", flush=True)
pipeline.run()
store.close()
"""


class Writer:
    """Appends numbered access lines at some 1,500 a second and renames the log now and then; never
    waits for anybody.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.written, self.rotations = path, 0, 0
        self._chance, self._ended = random.Random(seed), threading.Event()
        self._begin = datetime(2026, 11, 24, tzinfo=UTC)
        self._thread = threading.Thread(target=self._run)
        self.may_rotate = threading.Event()

    def _run(self) -> None:
        next_rotation = time.monotonic() + 1
        file = self.path.open("ab", buffering=0)
        while not self._ended.wait(0.02):
            file.write(b"".join(self._line() for _ in range(self._chance.randrange(1, 16))))
            if self.may_rotate.is_set() and time.monotonic() > next_rotation:
                self.rotations += 1
                old = file
                self.path.rename(self.path.with_name(f"{self.path.name}.{self.rotations}"))
                file = self.path.open("ab", buffering=0)
                if self._chance.random() < 0.5:  # a writer that is slow to notice
                    old.write(self._line() + self._line())
                old.close()
                next_rotation = time.monotonic() + self._chance.uniform(0.2, 1.5)
        file.close()

    def _line(self) -> bytes:
        moment = self._begin + timedelta(milliseconds=self.written)
        request = f"GET /v2/team/app/manifests/n{self.written} HTTP/1.1"
        self.written += 1
        return f'10.0.0.1 - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "{request}" 200 7 "-" "skopeo/1.9.3"\n'.encode()

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@contextmanager
def collector(url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", COLLECTOR, url, str(log)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_again_and_again(url: str, log: Path, seed: int, life: float) -> tuple[int, int]:
    """Run collectors and kill each within `life` seconds; the last may finish. How many lines and
    rotations there were.
    """
    chance = random.Random(seed)
    with Writer(log, seed) as writer:
        with collector(url, log) as process:
            wait_until(lambda: stored(url) > 0, process)
            writer.may_rotate.set()
        for number in range(KILLS - 1):
            with collector(url, log) as process:
                if number % 5:  # else: at some moment of the start
                    process.stdout.readline()
                time.sleep(chance.uniform(0.0, life))
    with collector(url, log) as process:
        wait_until(lambda: stored(url) >= writer.written, process)
        time.sleep(0.5)  # for what would come a second time
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    return writer.written, writer.rotations


def stored(url: str) -> int:
    """How many events the store has; 0 while it is busy (Elasticsearch, with an index made just now)."""
    store = open_store(url)
    try:
        return store.total()
    except Unavailable:
        return 0
    finally:
        store.close()


def wait_until(condition: object, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the collector ended by itself"
        assert time.monotonic() < deadline, "the collector does not get there"
        time.sleep(0.2)


def check(url: str, written: int) -> None:
    """Each line once: none missing, none double, none put together with another."""
    store = open_store(url)
    try:
        day = datetime(2026, 11, 24, tzinfo=UTC)
        counts = store.counts(day, day + timedelta(days=1), by=["reference"])
        doubled = counts[counts["events"] != 1]
        lost = {f"n{number}" for number in range(written)} - set(counts["reference"])
        assert (len(lost), len(doubled)) == (0, 0), (sorted(lost)[:10], doubled.head(10))
        assert store.total() == written == len(counts)
        assert store.dead_letter_counts() == {}
    finally:
        store.close()


@pytest.mark.slow
def test_kill_at_any_moment_on_delta(tmp_path: Path) -> None:
    """50 kills at seeded moments, with rotation going on: every line is in the Delta table once."""
    (tmp_path / "log").mkdir()
    url = f"delta:{tmp_path / 'data'}"
    written, rotations = kill_again_and_again(url, tmp_path / "log" / "access.log", seed=4, life=0.35)
    print(f"delta: {KILLS} kills, {written} lines, {rotations} rotations")
    assert rotations > 10
    check(url, written)


@pytest.mark.slow
@pytest.mark.external_service
def test_kill_at_any_moment_on_elasticsearch(tmp_path: Path, elasticsearch_url: str) -> None:
    """50 kills at seeded moments, with rotation going on: every line is in Elasticsearch once."""
    url = f"{elasticsearch_url}?namespace=kill"
    written, rotations = kill_again_and_again(url, tmp_path / "access.log", seed=5, life=0.7)
    print(f"elasticsearch: {KILLS} kills, {written} lines, {rotations} rotations")
    assert rotations > 10
    check(url, written)
