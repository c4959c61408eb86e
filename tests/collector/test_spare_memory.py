"""Freed memory goes back to the system, and the pipeline sees to it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collector import spare_memory
from collector.formats import nginx_combined
from collector.pipeline import Pipeline
from collector.sources.file_tail import FileTail
from collector.spare_memory import EVERY_SECONDS, SpareMemory
from collector.telemetry import CollectorTelemetry
from store.locate import open_store

ROOT = Path(__file__).resolve().parents[2]

# Small pieces, of which one in fifty stays: no arena has a free end to give back. Prints what is resident with all of them, with
# those few, and after giving back, in MiB.
HOLES = """
import os
import pyarrow
from collector.spare_memory import EVERY_SECONDS, SpareMemory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

moments = iter((0.0, EVERY_SECONDS))
spare = SpareMemory(lambda: next(moments))
pieces = [b"x" * 100_000 for _ in range(1_000)]
found = [resident()]
pieces = pieces[::50]
found.append(resident())
assert spare.give_back()
print(*found, resident())
"""


def test_only_every_now_and_then() -> None:
    """Not before its time, then once, then not again."""
    moments = iter((0.0, EVERY_SECONDS - 1, EVERY_SECONDS, EVERY_SECONDS + 1, 2 * EVERY_SECONDS))
    spare = SpareMemory(lambda: next(moments))
    assert [spare.give_back() for _ in range(4)] == [False, True, False, True]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators keep other things")
def test_freed_memory_is_given_back() -> None:
    """What lies free between pieces that are in use is not resident any longer; without the call it stays."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(
        [sys.executable, "-c", HOLES], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    full, freed, after = map(int, done.stdout.split())
    assert freed >= full - 20, "glibc gave it back by itself: nothing is shown here"
    assert after <= freed - 60


def test_a_running_pipeline_gives_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while there is nothing to read."""
    monkeypatch.setattr(spare_memory, "EVERY_SECONDS", 0.01)
    times: list[bool] = []
    plain = SpareMemory.give_back

    def counted(self: SpareMemory) -> bool:
        times.append(plain(self))
        return times[-1]

    monkeypatch.setattr(SpareMemory, "give_back", counted)
    store = open_store(f"delta:{tmp_path}/store")
    source = FileTail("files", [str(tmp_path / "access.log")], follow=True)
    pipeline = Pipeline(store, [source], [nginx_combined.FORMAT], [], CollectorTelemetry(CollectorRegistry()))
    running = threading.Thread(target=pipeline.run)
    running.start()
    deadline = time.monotonic() + 30
    while sum(times) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    pipeline.stop()
    running.join(30)
    store.close()
    assert sum(times) >= 3
