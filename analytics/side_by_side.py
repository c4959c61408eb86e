"""A long past, judged by several processes: each suspects for some of the detectors, one judges what all suspect.

Detectors know nothing of each other and nothing of findings, so it is all one which process asks them. What they suspect is
taken in the order of the steps: the findings are those of one process. Detectors that read the same go to the same process,
which reads it once.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection, wait
from typing import Any

from analytics.daily import each_day
from analytics.detector import Detector, Suspicion
from analytics.errors import ProcessEnded
from analytics.replay import floor
from analytics.steps import Step, equip, read_from, reader_of, steps_of
from analytics.windows import DAY
from store.contract import EventReader, Store

# Seconds of CPU a judged day of 119,000 events in 10,000 repositories, of what takes more than the others.
COSTS = {
    "supply_chain": 1.8,
    "pull_volume": 1.7,
    "rules": 1.6,
    "tag_ledger": 1.5,
    "account_life": 1.3,
    "isolation_forest": 1.0,
    "credential_probe": 0.9,
    "new_reach": 0.7,
    "old_versions": 0.7,
    "unusual_hands": 0.6,
    "new_place": 0.5,
}
USUAL_COST = 0.35
# What these read is shared within a process: the day's pulls and pushes as numbers, or its events one by one.
TOGETHER = (
    (
        "pull_volume",
        "new_reach",
        "old_versions",
        "push_volume",
        "look_alike",
        "through_cache",
        "same_again",
        "off_timetable",
    ),
    (
        "supply_chain",
        "tag_ledger",
        "unusual_hands",
        "release_hands",
        "fleeting_images",
        "tag_piles",
        "young_deletes",
        "dead_drop",
        "unfinished_uploads",
        "layer_soundings",
        "removed_images",
    ),
)


@dataclass(frozen=True, slots=True)
class Processes:
    """How many there are to be, and how each opens the store for itself: a function that can be pickled."""

    many: int
    open_store: Callable[[], Store]


def shared_out(detectors: Sequence[Detector], many: int) -> list[list[Detector]]:
    """The detectors in `many` parts (fewer where there are not as many groups) that take about as long."""
    groups: dict[str, list[Detector]] = {}
    for detector in detectors:
        name = next((names[0] for names in TOGETHER if detector.name in names), detector.name)
        groups.setdefault(name, []).append(detector)
    parts: list[list[Detector]] = [[] for _ in range(min(many, len(groups)))]
    for group in sorted(groups.values(), key=_cost, reverse=True):
        min(parts, key=_cost).extend(group)
    return parts


def _cost(detectors: Sequence[Detector]) -> float:
    return sum(COSTS.get(one.name, USUAL_COST) for one in detectors)


class Alone:
    """All detectors asked here, in this process."""

    def __init__(self, detectors: Iterable[Detector], reader: EventReader) -> None:
        self.seconds = dict.fromkeys((one.name for one in detectors), 0.0)  # that each has spent
        self._reader = reader

    def suspicions(self, detector: Detector, start: datetime, step: datetime) -> Sequence[Suspicion]:
        """What the detector suspects of [start, step)."""
        began = time.perf_counter()
        suspicions = detector.detect(self._reader, start, step)
        self.seconds[detector.name] += time.perf_counter() - began
        return suspicions


@contextmanager
def asked_by(
    detectors: Sequence[Detector],
    since: datetime,
    until: datetime,
    store: Store,
    reader: EventReader,
    processes: Processes | None,
) -> Iterator[Alone | SideBySide]:
    """Whom to ask for what is suspected at each step of [since, until)."""
    if processes is None or processes.many < 2 or len(detectors) < 2:
        equip(detectors, store)
        yield Alone(detectors, reader)
        return
    beside = SideBySide(detectors, since, until, processes)
    try:
        yield beside
    finally:
        beside.close()


@dataclass(slots=True)
class _Day:
    """What a process has to say of the steps of one day."""

    suspected: dict[tuple[str, datetime], Sequence[Suspicion]]
    seconds: dict[str, float]  # that each detector has spent so far


@dataclass(slots=True)
class _Worker:
    """One of the processes: how many days it has still to tell of, and those that were not asked for yet."""

    names: list[str]
    process: Any
    pipe: Connection
    left: int
    told: deque[_Day | Exception] = field(default_factory=deque)

    def hear(self) -> None:
        self.left -= 1
        try:
            heard = self.pipe.recv()
        except EOFError:
            self.process.join()
            heard = ProcessEnded(self.names, self.process.exitcode)
        self.left = 0 if isinstance(heard, Exception) else self.left
        self.told.append(heard)


class SideBySide:
    """The processes of one span, until they are closed. Steps are asked for in order."""

    def __init__(self, detectors: Sequence[Detector], since: datetime, until: datetime, processes: Processes) -> None:
        self.seconds = dict.fromkeys((one.name for one in detectors), 0.0)  # that each has spent
        self._workers: list[_Worker] = []
        self._next = floor(since, DAY)
        self._suspected: dict[tuple[str, datetime], Sequence[Suspicion]] = {}
        first, days = read_from(since, detectors), len([*each_day(since, until)])
        # A process of its own from the start: a fork would take over locks that our threads hold.
        context = multiprocessing.get_context("spawn")
        equip(detectors, None)  # theirs are those of the store that they open
        for part in shared_out(detectors, processes.many):
            here, there = context.Pipe(duplex=False)
            task = _Task(part, since, until, first, processes.open_store, gc.get_threshold())
            process = context.Process(target=_work, args=(task, there), daemon=True)
            process.start()
            there.close()  # or the end of the process could not be heard
            self._workers.append(_Worker([one.name for one in part], process, here, days))

    def close(self) -> None:
        """End them, whatever they are at."""
        for worker in self._workers:
            if worker.left:
                worker.process.terminate()  # it only reads
        for worker in self._workers:
            worker.pipe.close()
            worker.process.join()

    def suspicions(self, detector: Detector, start: datetime, step: datetime) -> Sequence[Suspicion]:
        """What the detector suspects of [start, step).

        Raises:
            ProcessEnded: a process ended before it had said all.
            Exception: whatever a detector raised on that day.
        """
        while self._next <= _day_of(step):
            self._next_day()
            self._next += DAY
        return self._suspected.pop((detector.name, step), ())

    def _next_day(self) -> None:
        while not all(worker.told for worker in self._workers):
            # All are heard: one that is ahead would stand still before a full pipe.
            by_pipe: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers if worker.left}
            for pipe in wait(list(by_pipe)):
                by_pipe[pipe].hear()
        self._suspected = {}
        for worker in self._workers:
            day = worker.told.popleft()
            if isinstance(day, Exception):
                raise day
            self._suspected |= day.suspected
            self.seconds |= day.seconds


def _day_of(step: datetime) -> datetime:
    """The day in which what is judged at a step lies: midnight's is that of the day before."""
    return floor(step - step.resolution, DAY)


@dataclass(frozen=True, slots=True)
class _Task:
    detectors: list[Detector]
    since: datetime
    until: datetime
    first: datetime  # from when on all read
    open_store: Callable[[], Store]
    garbage: tuple[int, int, int]


def _work(task: _Task, pipe: Connection) -> None:
    """What a process does: tell of day after day, or of the error that ends it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent says what is to be said
    gc.set_threshold(*task.garbage)
    with suppress(BrokenPipeError):  # nobody listens any more
        try:
            store = task.open_store()
            try:
                _tell(task, store, pipe)
            finally:
                store.close()
        except BrokenPipeError:
            raise
        except Exception as error:
            pipe.send(_sendable(error))


def _tell(task: _Task, store: Store, pipe: Connection) -> None:
    equip(task.detectors, store)
    asked = Alone(task.detectors, reader_of(store, task.first, task.until))
    for steps in _by_day(task):
        suspected: dict[tuple[str, datetime], Sequence[Suspicion]] = {}
        for step, due in steps:
            for detector, start in due:
                try:
                    found = asked.suspicions(detector, start, step)
                except Exception as error:
                    error.add_note(f"{detector.name}, judging {start:%Y-%m-%d %H:%M} to {step:%Y-%m-%d %H:%M} UTC")
                    raise
                if found:
                    suspected[detector.name, step] = list(found)
        pipe.send(_Day(suspected, asked.seconds))


def _by_day(task: _Task) -> list[list[Step]]:
    """The steps of each day of the span, of a day without any an empty list."""
    by_day: dict[datetime, list[Step]] = {day: [] for day in each_day(task.since, task.until)}
    for step in steps_of(task.detectors, task.since, task.until):
        by_day[_day_of(step[0])].append(step)
    return list(by_day.values())


def _sendable(error: Exception) -> Exception:
    """The error with where it came from; one that cannot be pickled as its words."""
    import pickle

    error.add_note("in a process of its own:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}\n" + "\n".join(error.__notes__))
    return error
