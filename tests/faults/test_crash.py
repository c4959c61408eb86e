"""The collector is killed, stopped, starved of disk and of descriptors."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.bench import SEED, Bench, size

from collector.ledger import read_so_far
from store.locate import open_store


@contextmanager
def writing(bench: Bench, rate: int, rotate: bool = False) -> Iterator[None]:
    """Lines at this pace, with a rotation now and then, until the end of the block."""
    ended, chance = threading.Event(), random.Random(SEED)

    def run() -> None:
        file, generation = bench.log.open("ab", buffering=0), 0
        while not ended.wait(0.02):
            file.write(bench.truth.lines(max(1, rate // 50)))
            if rotate and chance.random() < 0.02:
                generation += 1
                bench.log.rename(bench.folder / f"access.log.{generation}")
                file.close()
                file = bench.log.open("ab", buffering=0)
        file.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.quick
@pytest.mark.fault("F20")
def test_kill_at_any_moment(bench: Bench) -> None:
    """`kill -9` at seeded moments of start, reading and storing, while the log is written and rotated."""
    chance, kills = random.Random(SEED), size(4, 100)
    with writing(bench, size(300, 200), rotate=True):
        # A collector that never stored anything knows nothing of files that were rotated away before it.
        with bench.collecting() as collector:
            bench.until(bench.stored, "storing something", collector)
            collector.kill()
            collector.process.returncode = 0
        for _ in range(kills):
            with bench.collecting() as collector:
                time.sleep(chance.uniform(0.3, 2.5))
                collector.kill()
                collector.process.returncode = 0
    with bench.collecting() as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = kills
    bench.verdict()
    (read,) = read_so_far(bench.store.positions()).values()
    assert read["lines"] == read["events"] == bench.truth.count


@pytest.mark.fault("F22")
@pytest.mark.parametrize("harm", ["empty", "cut", "newer"])
def test_a_store_that_cannot_be_trusted(bench: Bench, harm: str) -> None:
    """Records that are empty, cut or of a newer release: refused in a sentence, or read again without doubling; never a
    silent beginning from 0 that counts twice."""
    bench.log.write_bytes(bench.truth.lines(200))
    with bench.collecting() as collector:
        bench.until_all(collector)
    bench.close()
    bench._store = None
    records = bench.folder / "data" / "records.db"
    for name in ("records.db-wal", "records.db-shm"):
        (records.parent / name).unlink(missing_ok=True)
    data = records.read_bytes()
    if harm == "empty":
        records.write_bytes(b"")
    elif harm == "cut":
        records.write_bytes(data[: len(data) // 2 - 100])
    else:
        records.write_bytes(data[:60] + (99).to_bytes(4, "big") + data[64:])
    words = [sys.executable, "-m", "regsight", "collect", str(bench.log), "--format", "nginx-combined"]
    done = subprocess.run(
        [*words, "--store", bench.url],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=bench.folder,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert str(records) in done.stderr
        records.write_bytes(data)  # what the operator does: the copy is put back
    bench.verdict(said="refused, with the file's name" if done.returncode else "read on")


@pytest.mark.fault("F22")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
def test_a_store_of_somebody_else(bench: Bench) -> None:
    """Files that another account made and keeps to itself: refused with their name, and nothing is begun anew elsewhere."""
    bench.log.write_bytes(bench.truth.lines(200))
    with bench.collecting() as collector:
        bench.until_all(collector)
    bench.forget()
    data = bench.folder / "data"
    files = [data, *data.rglob("*")]
    for path in files:
        path.chmod(0o700 if path.is_dir() else 0o600)
        shutil.chown(path, "nobody")
    # Root without the capabilities that let it pass over rights is an account like any other.
    plain = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    words = [sys.executable, "-m", "regsight", "collect", str(bench.log), "--store", bench.url]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([*plain, *words], env=environment, cwd=bench.folder, capture_output=True, text=True)
    assert done.returncode == 1 and str(data) in done.stderr and "Traceback" not in done.stderr, done.stderr
    for path in files:
        shutil.chown(path, "root")
    bench.verdict(said="refused, with the file's name")


@pytest.mark.fault("F23")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_disk_that_is_full(bench: Bench) -> None:
    """A store on a disk of some megabytes: it waits, and goes on by itself once there is room."""
    small = bench.folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        bench.url = f"delta:{small / 'data'}"
        bench.log.write_bytes(bench.truth.lines(100))
        with bench.collecting() as collector:
            bench.until_all(collector)
            filler = small / "filler"
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"x" * 4096)
                except OSError:
                    pass
            with bench.log.open("ab") as log:
                log.write(bench.truth.lines(5000))
            bench.until(
                lambda: "does not answer" in collector.talk() or "did not take" in collector.talk(),
                "waiting",
                collector,
            )
            assert bench.stored() == 100
            filler.unlink()
            bench.until_all(collector)
        bench.verdict()
    finally:
        bench.close()
        bench._store = None
        subprocess.run(["umount", "-l", str(small)], check=False)


@pytest.mark.fault("F24")
def test_few_descriptors(bench: Bench) -> None:
    """200 files under a limit of 100 open files, written in turns."""
    logs = bench.folder / "logs"
    logs.mkdir()
    limited = ("prlimit", "--nofile=100:100")
    with bench.collecting(logs / "*.log", wrapper=limited) as collector:
        for _ in range(5):
            for number in range(200):
                with (logs / f"{number}.log").open("ab") as file:
                    file.write(bench.truth.lines(5))
            bench.until_all(collector)
            assert collector.descriptors() <= 100
        bench.until_still(1)
    bench.runs = 200
    bench.verdict()


@pytest.mark.quick
@pytest.mark.fault("F37")
def test_sigterm_while_it_stores(bench: Bench) -> None:
    """Once, and twice: it ends with code 0 within ten seconds; nothing is lost or doubled over the restarts."""
    chance, stops = random.Random(SEED), size(2, 12)
    with writing(bench, size(500, 2000)):
        for number in range(stops):
            with bench.collecting() as collector:
                wanted = bench.stored() + 1
                bench.until(lambda wanted=wanted: bench.stored() >= wanted, "storing", collector)
                time.sleep(chance.uniform(0, 0.5))
                begun = time.monotonic()
                collector.process.send_signal(signal.SIGTERM)
                if number % 2:
                    time.sleep(0.05)
                    collector.process.send_signal(signal.SIGTERM)
                assert collector.process.wait(12) == 0, collector.talk()
                assert time.monotonic() - begun <= 10
    with bench.collecting() as collector:
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = stops
    bench.verdict()


@pytest.mark.fault("F43")
def test_a_cut_file_of_the_store(bench: Bench) -> None:
    """One Parquet file cut: reading names it and serves the rest; `store verify` says so with its exit code."""
    bench.log.write_bytes(bench.truth.lines(100))
    with bench.collecting() as collector:
        bench.until_all(collector)
        with bench.log.open("ab") as log:
            log.write(bench.truth.lines(100))
        bench.until_all(collector)
    victim = max((bench.folder / "data" / "events").rglob("*.parquet"), key=lambda path: path.stat().st_size)
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    words = [sys.executable, "-m", "regsight", "status", "--store", bench.url]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0 and victim.name in done.stderr and "Traceback" not in done.stderr
    words[3:4] = ["store", "verify"]
    assert subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True).returncode == 3
    victim.write_bytes(whole)
    bench.close()
    bench._store = open_store(bench.url)
    bench.verdict(said="the file is named, the rest is served")


@pytest.mark.fault("F43")
def test_a_byte_that_changed(bench: Bench) -> None:
    """One byte in the middle of a Parquet file, where decompression may not notice: a deep look at the store finds it."""
    bench.log.write_bytes(bench.truth.lines(2000))
    with bench.collecting() as collector:
        bench.until_all(collector)
    victim = max((bench.folder / "data" / "events").rglob("*.parquet"), key=lambda path: path.stat().st_size)
    whole, chance, found, flips = victim.read_bytes(), random.Random(SEED), 0, size(4, 20)
    words = [sys.executable, "-m", "regsight", "store", "verify", "--store", bench.url]
    for _ in range(flips):
        # Behind the first page's header, and in front of the index at the end, which a reader checks by itself.
        at = chance.randrange(200, int(len(whole) * 0.7))
        victim.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True)
        found += done.returncode == 3 and victim.name in done.stdout + done.stderr
    victim.write_bytes(whole)
    bench.runs = flips
    bench.forget()
    bench.verdict(said=f"{found} of {flips} changed bytes found")
    assert found == flips
