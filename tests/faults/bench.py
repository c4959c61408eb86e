"""Where faults are made: writers that know what they wrote, the collector as a real process, and the count at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from store.contract import EventQuery, Store
from store.errors import Unavailable
from store.locate import open_store

ROOT = Path(__file__).resolve().parents[2]
ALL = os.environ.get("REGSIGHT_FAULTS", "") in ("full", "small")  # every fault, and not only the quick ones
FULL = os.environ.get("REGSIGHT_FAULTS") == "full"
SEED = int(os.environ.get("REGSIGHT_FAULTS_SEED", "1"))
DAY = datetime(2026, 11, 24, tzinfo=UTC)
PATIENCE = 300.0


def size(small: int, full: int) -> int:
    """How much of something: little in the ordinary tests, more when all faults are run."""
    return full if FULL else small


class Truth:
    """Numbered access lines, and which numbers were written when."""

    def __init__(self) -> None:
        self.count = 0
        self.times = array("d")  # of the wall clock, per number
        self._lock = threading.Lock()

    def line(self, tag: str = "") -> bytes:
        """The next line, without newline; `tag` only fills it."""
        with self._lock:
            number, moment = self.count, DAY + timedelta(milliseconds=self.count)
            self.count += 1
            self.times.append(time.time())
        request = f"GET /v2/team/app/manifests/n{number} HTTP/1.1"
        agent = f"skopeo/1.9.3 {tag}".strip()
        return f'10.0.0.1 - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "{request}" 200 7 "-" "{agent}"'.encode()

    def lines(self, count: int) -> bytes:
        return b"".join(self.line() + b"\n" for _ in range(count))


@dataclass(slots=True)
class Count:
    """What is in the store of what was written."""

    written: int
    lost: set[int] = field(default_factory=set)
    doubled: set[int] = field(default_factory=set)
    strange: int = 0  # events that nobody wrote
    out_of_order: int = 0


def count(store: Store, truth: Truth) -> Count:
    """Each number once, and within a stream in the order of its offsets. Millions of events are no more than arrays here."""
    times_found = np.zeros(truth.count, np.uint8)
    places: dict[str, tuple[array[int], array[int]]] = {}  # stream → offsets, numbers
    strange = 0
    for event in store.events(EventQuery()):
        number = _number(event)
        if number is None or number >= truth.count:
            strange += 1
            continue
        times_found[number] = min(times_found[number] + 1, 2)
        offsets, numbers = places.setdefault(event["stream"], (array("q"), array("q")))
        offsets.append(event["offset"])
        numbers.append(number)
    turned = sum(
        int(np.count_nonzero(np.diff(np.asarray(numbers)[np.lexsort((numbers, offsets))]) < 0))
        for offsets, numbers in places.values()
    )
    lost, doubled = (set(map(int, np.flatnonzero(found))) for found in (times_found == 0, times_found > 1))
    return Count(truth.count, lost, doubled, strange, turned)


def _number(event: dict[str, Any]) -> int | None:
    text = str(event["reference"] or "")
    return int(text[1:]) if text[:1] == "n" and text[1:].isdigit() else None


class Collector:
    """`regsight collect --follow` in a process of its own, or the `command` that is given."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *patterns: str | Path,
        wrapper: tuple[str, ...] = (),
        words: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        command: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.log = folder / "collector.log"
        usual = ("collect", "--follow", "--format", "nginx-combined", "--store", url, *words, *map(str, patterns))
        self._out = self.log.open("ab")
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "regsight", *(command or usual)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            stdout=self._out,
            stderr=self._out,
        )

    def stop(self, seconds: float = 90) -> None:
        """SIGTERM; it must end by itself, with code 0, in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        assert code == 0, f"exit code {code}: {self.talk()}"
        self._out.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._out.close()

    def alive(self) -> bool:
        return self.process.poll() is None

    def resident(self) -> int:
        """Bytes of memory that it has now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def talk(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@contextmanager
def collecting(folder: Path, url: str, *patterns: str | Path, **options: Any) -> Iterator[Collector]:
    """Stopped in order at the end; killed where the test failed."""
    collector = Collector(folder, url, *patterns, **options)
    try:
        yield collector
        if collector.alive():
            collector.stop()
    finally:
        collector.kill()


def _answered(true: Callable[[], object]) -> object:
    """What it says; None while the store that it asks does not answer."""
    try:
        return true()
    except Unavailable:
        return None


class Bench:
    """One fault on one store: folder, truth, and the verdict that goes into the results."""

    def __init__(self, folder: Path, url: str, fault: str, record: Callable[[dict[str, Any]], None]) -> None:
        self.folder, self.url, self.fault, self._record = folder, url, fault, record
        self.truth = Truth()
        self.runs = 1
        self.log = folder / "access.log"
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = open_store(self.url)
        return self._store

    def collecting(self, *patterns: str | Path, url: str = "", **options: Any) -> Any:
        """The collector on these files; on another `url` where it is not to go straight to the store."""
        return collecting(self.folder, url or self.url, *(patterns or (self.log,)), **options)

    def stored(self) -> int:
        """How many events there are; 0 while the store is busy."""
        try:
            return self.store.total()
        except Unavailable:
            return 0

    def until(
        self, true: Callable[[], object], what: str, collector: Collector | None = None, seconds: float = PATIENCE
    ) -> None:
        deadline = time.monotonic() + seconds
        while not _answered(true):
            assert collector is None or collector.alive(), f"the collector ended: {collector.talk()}"
            assert time.monotonic() < deadline, f"{what} did not happen; {self.stored()} of {self.truth.count} stored"
            time.sleep(0.1)

    def until_all(self, collector: Collector | None = None) -> None:
        """Everything that was written is stored."""
        self.until(lambda: self.stored() >= self.truth.count, "storing everything", collector)

    def until_still(self, seconds: float = 3.0) -> None:
        """Nothing new has come for a while."""
        have, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            now = self.stored()
            if now != have:
                have, since = now, time.monotonic()
            time.sleep(0.2)

    def gaps(self) -> list[dict[str, Any]]:
        """What the gap report has."""
        return list(self.store.notes("gap/").values())

    def verdict(
        self, *, lost_at_most: int = 0, dead_letters: int | None = 0, said: str = "", ordered: bool = True
    ) -> Count:
        """Check the default promises, and put the figures into the results."""
        done = count(self.store, self.truth)
        letters = self.store.dead_letter_counts()
        gaps = sorted({gap["kind"] for gap in self.gaps()})
        self._record(
            {
                "fault": self.fault,
                "store": "elasticsearch" if self.url.startswith("http") else "embedded",
                "runs": self.runs,
                "written": done.written,
                "lost": len(done.lost),
                "doubled": len(done.doubled),
                "said": said or (", ".join(gaps) if gaps else "nothing missing"),
            }
        )
        assert len(done.lost) <= lost_at_most, (len(done.lost), sorted(done.lost)[:10])
        assert not done.doubled, sorted(done.doubled)[:10]
        assert done.strange == 0
        assert not (ordered and done.out_of_order), done.out_of_order
        if dead_letters is not None:
            assert sum(letters.values()) == dead_letters, letters
        log = self.folder / "collector.log"
        said = log.read_text(errors="replace") if log.exists() else ""
        assert "Traceback" not in said, said[said.index("Traceback") :][:4000]
        return done

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def forget(self) -> None:
        """Close the store; it is opened anew when it is asked."""
        self.close()
        self._store = None
