"""The parts of the soak: a writer that rotates its log, a server that refuses for a while, and what is measured meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from faults.bad_server import BadServer
from faults.bench import SEED, Bench, Collector

SECONDS = float(os.environ.get("REGSIGHT_FAULTS_SOAK", "180"))
RATE = int(os.environ.get("REGSIGHT_FAULTS_SOAK_RATE", "2000"))  # lines a second
TICK = 0.05
ROTATE_EVERY = (5.0, 35.0)  # seconds, between two rotations
KEPT = 60  # generations; the oldest is deleted
LIFE = (3.0, 40.0)  # seconds that a collector lives before it is killed
KILLS_UNTIL = 1 / 3  # of the time: afterwards one process lives on, so that its memory can be watched
WARM_UP = 0.3  # of that life, in which caches fill
RESULTS = Path(__file__).with_name("soak.json")
REFUSALS = (("429", 0.1), ("429", 0.5), ("429", 1.0), ("item429", 1.0))  # what, and to which share of the requests
QUIET, SPELL = (20.0, 90.0), (3.0, 15.0)  # seconds between spells, and of a spell
MIB = 1 << 20


@dataclass(slots=True)
class Sample:
    """What the collector looked like `at` so many seconds after the beginning; `life` counts its processes."""

    at: float
    life: int
    resident: int
    descriptors: int
    waiting: int  # lines that were written and are not stored


@dataclass(slots=True)
class Diary:
    """When what was done, in seconds after the beginning."""

    begun: float = field(default_factory=time.monotonic)
    rotations: list[float] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    refusals: list[tuple[float, float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def now(self) -> float:
        return time.monotonic() - self.begun


class Writer(threading.Thread):
    """Lines at an even pace; the log is renamed now and then, and every other generation compressed at once."""

    def __init__(self, bench: Bench, diary: Diary, seconds: float) -> None:
        super().__init__(daemon=True)
        self._bench, self._diary, self._seconds = bench, diary, seconds
        self._chance, self._generation = random.Random(SEED), 0
        # A collector that never stored anything knows nothing of files that were rotated away before it.
        self.may_rotate = threading.Event()

    def run(self) -> None:
        file = self._bench.log.open("ab", buffering=0)
        rotate_at = self._chance.uniform(*ROTATE_EVERY)
        while (now := self._diary.now()) < self._seconds:
            owed = int(now * RATE) - self._bench.truth.count
            file.write(self._bench.truth.lines(max(0, owed)))
            if now >= rotate_at and self.may_rotate.is_set():
                file.close()
                self._rotate()
                file = self._bench.log.open("ab", buffering=0)
                rotate_at = now + self._chance.uniform(*ROTATE_EVERY)
            time.sleep(TICK)
        file.close()

    def _rotate(self) -> None:
        self._diary.rotations.append(self._diary.now())
        self._generation += 1
        rotated = self._bench.log.rename(self._bench.folder / f"access.log.{self._generation}")
        if self._chance.random() < 0.5:
            packed = rotated.with_name(rotated.name + ".gz")
            packed.write_bytes(gzip.compress(rotated.read_bytes(), 1))
            rotated.unlink()
        for name in (f"access.log.{self._generation - KEPT}", f"access.log.{self._generation - KEPT}.gz"):
            (self._bench.folder / name).unlink(missing_ok=True)


class Refusals(threading.Thread):
    """Spells in which the server in front of Elasticsearch has too many requests."""

    def __init__(self, server: BadServer, diary: Diary, seconds: float) -> None:
        super().__init__(daemon=True)
        self._server, self._diary, self._seconds = server, diary, seconds
        self._chance = random.Random(SEED + 1)

    def run(self) -> None:
        scale = min(1.0, self._seconds / 600)  # a short soak has short spells
        while True:
            time.sleep(scale * self._chance.uniform(*QUIET))
            if (start := self._diary.now()) > self._seconds:
                return
            self._server.mode, self._server.share = self._chance.choice(REFUSALS)
            time.sleep(scale * self._chance.uniform(*SPELL))
            self._server.mode = "ok"
            self._diary.refusals.append((start, self._diary.now()))


def stored_rows(bench: Bench) -> int:
    """Cheaper than counting distinct events, and the same unless something is doubled."""
    return sum(day.rows for day in bench.store.days())


def watch(bench: Bench, diary: Diary, collector: Collector, life: int, until: float) -> None:
    """Measure the collector until that moment."""
    pause = min(5.0, SECONDS / 120)
    while (left := until - diary.now()) > 0:
        time.sleep(min(pause, left))
        assert collector.alive(), collector.talk()
        waiting = bench.truth.count - stored_rows(bench)
        sample = Sample(diary.now(), life, collector.resident(), collector.descriptors(), max(0, waiting))
        diary.samples.append(sample)


def last_life(diary: Diary) -> list[Sample]:
    """The samples of the last process after its warm-up."""
    life = [sample for sample in diary.samples if sample.life == diary.samples[-1].life]
    warm_at = life[0].at + WARM_UP * (life[-1].at - life[0].at)
    return [sample for sample in life if sample.at >= warm_at]


def slope(samples: Sequence[Sample]) -> tuple[float, float]:
    """MiB an hour by least squares, and its standard error; samples that follow one another are alike, so the error is
    taken from ten parts of the time (the spread of their deviations), not from the single samples."""
    at = np.array([sample.at for sample in samples]) / 3600
    resident = np.array([sample.resident for sample in samples]) / MIB
    per_hour, start = np.polyfit(at, resident, 1)
    parts = np.array_split(np.arange(len(at)), 10)
    off = np.array([np.mean(resident[part] - start - per_hour * at[part]) for part in parts if len(part)])
    middles = np.array([np.mean(at[part]) for part in parts if len(part)])
    error = np.sqrt(np.sum(off**2) / max(1, len(off) - 2) / np.sum((middles - middles.mean()) ** 2))
    return float(per_hour), float(error)


def usual_descriptors(found: dict[str, Any]) -> tuple[float, float]:
    """The median in the first and in the last quarter of what is judged; reading many Parquet files opens many for a moment."""
    held = [sample[2] for sample in found["samples"] if sample[0] >= found["watched_from"]]
    quarter = max(1, len(held) // 4)
    return float(np.median(held[:quarter])), float(np.median(held[-quarter:]))


def figures(bench: Bench, diary: Diary, said: dict[str, Any]) -> dict[str, Any]:
    """What goes to soak.json: the measured numbers, and the samples for the drawing."""
    steady = last_life(diary)
    per_hour, error = slope(steady)
    return {
        "seconds": round(diary.samples[-1].at),
        "rate": RATE,
        "seed": SEED,
        "written": bench.truth.count,
        "rotations": len(diary.rotations),
        "kills": len(diary.kills),
        "refusal_spells": len(diary.refusals),
        **said,
        "watched_seconds": round(steady[-1].at - steady[0].at),
        "memory_mib_per_hour": round(per_hour, 2),
        "memory_error_mib_per_hour": round(error, 2),
        "memory_mib": [round(f(sample.resident for sample in steady) / MIB, 1) for f in (min, max)],
        "descriptors": [f(sample.descriptors for sample in steady) for f in (min, max)],
        "waiting_at_most": max(sample.waiting for sample in diary.samples),
        "killed_at": [round(at) for at in diary.kills],
        "refused_at": [[round(start), round(end)] for start, end in diary.refusals],
        "watched_from": round(steady[0].at),
        "samples": [[round(s.at), round(s.resident / MIB, 1), s.descriptors, s.waiting] for s in diary.samples],
    }


def keep(kind: str, found: dict[str, Any]) -> None:
    """Put the figures of one kind of store into soak.json, one line a kind's samples; the other kinds stay."""
    there = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kinds = {kind: found} | {name: value for name, value in there.items() if name != kind}
    RESULTS.write_text(json.dumps(dict(sorted(kinds.items())), separators=(",", ":")).replace('],"', '],\n"') + "\n")
