"""Detectors asked in several processes: the same findings, errors that say whose they are, nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from made_traffic import START, attacked

from analytics.config import AnalyticsConfig
from analytics.detector import Detector, Suspicion
from analytics.errors import ProcessEnded, Stopped
from analytics.jobs import detect_span, prepare
from analytics.side_by_side import COSTS, TOGETHER, Processes, shared_out
from regsight.discover import detectors
from store.contract import EventReader, Store
from store.errors import Unavailable
from store.locate import open_store

SPAN = (START + timedelta(days=14), START + timedelta(days=17))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = attacked().store(tmp_path / "attacked")
    yield opened
    opened.close()


@pytest.fixture
def opens(tmp_path: Path) -> partial[Store]:
    """How a process opens `store`."""
    return partial(open_store, f"delta:{tmp_path / 'attacked'}")


def every_detector() -> list[Detector]:
    return prepare(detectors(), AnalyticsConfig())


@dataclass
class Odd:
    """A detector that does on the second day what its name says."""

    name: str
    subject: str = "actor"
    every: timedelta = timedelta(hours=1)
    history: timedelta = timedelta(days=1)
    next_step: str = ""

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        if now < SPAN[0] + timedelta(hours=30):
            return []
        if self.name == "raises":
            raise Unavailable("the store went away", 3.0)
        if self.name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return []


@pytest.mark.slow
def test_findings_are_those_of_one_process(store: Store, opens: partial[Store], tmp_path: Path) -> None:
    """All detectors, over some days: equal findings in equal order, stored and returned; progress to the end."""
    told: list[tuple[int, int]] = []
    beside = detect_span(
        store, every_detector(), *SPAN, on_progress=lambda *done: told.append(done), processes=Processes(2, opens)
    )
    another = attacked().store(tmp_path / "another")
    alone = detect_span(another, every_detector(), *SPAN)
    assert beside == alone
    assert {"credential_probe", "new_reach"} <= {finding.detector for finding in alone}
    assert store.findings() == another.findings()
    assert told[-1] == (3 * 24 * 60, 3 * 24 * 60)
    assert not multiprocessing.active_children()
    another.close()


def test_an_error_says_whose_it_is(store: Store, opens: partial[Store]) -> None:
    """What a detector raises in its process comes out as it is, with the detector's name and the place."""
    with pytest.raises(Unavailable, match="the store went away") as raised:
        detect_span(store, [Odd("raises"), Odd("quiet")], *SPAN, processes=Processes(2, opens))
    said = "\n".join(raised.value.__notes__)
    assert "raises, judging 2026-09-22 05:00 to 2026-09-22 06:00 UTC" in said
    assert "in detect" in said
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_is_an_error(store: Store, opens: partial[Store]) -> None:
    """It is named with its detectors; the other one is ended."""
    with pytest.raises(ProcessEnded, match="asks dies ended with exit code -9"):
        detect_span(store, [Odd("dies"), Odd("quiet")], *SPAN, processes=Processes(2, opens))
    assert not multiprocessing.active_children()


def test_a_stop_ends_the_processes(store: Store, opens: partial[Store]) -> None:
    asked = iter([False] * 3)
    with pytest.raises(Stopped):
        detect_span(
            store,
            [Odd("quiet"), Odd("silent")],
            *SPAN,
            stopped=lambda: next(asked, True),
            processes=Processes(2, opens),
        )
    assert not multiprocessing.active_children()


def test_shares() -> None:
    """Each detector is in one part; those that read the same stay together; two parts take about as long; all names exist."""
    chosen = every_detector()
    parts = shared_out(chosen, 2)
    names = [{one.name for one in part} for part in parts]
    assert sorted(name for part in names for name in part) == sorted(one.name for one in chosen)
    assert all(any(part >= set(group) for part in names) for group in TOGETHER)
    assert {*COSTS, *(name for group in TOGETHER for name in group)} <= {one.name for one in chosen}
    assert len(shared_out([Odd("quiet"), Odd("silent")], 9)) == 2
