"""Files in, findings out, twice: once as the lines were written, once shuffled and late. Both must say the same."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.jobs import detect_now
from collector.sources.file_tail import FileTail
from regsight.app import pipeline_over
from regsight.discover import detectors
from regsight.traffic.simulate import simulate
from store.contract import Store
from store.locate import open_store

START = datetime(2026, 8, 3, tzinfo=UTC)
DAYS, JUDGED = 12, 1
ATTACKS = ("A18/blatant@11.2", "A20/blatant@11.4", "A23/blatant@11.6")
STEP = timedelta(hours=12)
LATE = timedelta(days=1)
_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[datetime, str]]:
    """The audit log of a small Harbor with a mass delete and a few other things on its last day."""
    out = tmp_path_factory.mktemp("simulated")
    truth = simulate(
        out,
        preset="small",
        start=START,
        days=DAYS,
        seed=1,
        attacks=ATTACKS,
        surprises=[],
        source="harbor-audit",
    )
    text = "".join((out / file).read_text(encoding="utf-8") for file in truth.files)
    return [(_moment(line), line) for line in text.splitlines()]


def _moment(line: str) -> datetime:
    found = _TIME.search(line)
    assert found is not None, line
    return datetime.fromisoformat(found[0])


def run(folder: Path, arriving: Iterable[tuple[datetime, str]], until: datetime) -> Store:
    """Whatever has arrived is written to a file, collected and judged, every few hours."""
    store = open_store(f"delta:{folder / 'store'}")
    waiting, chosen = sorted(arriving, key=lambda one: one[0]), detectors()
    now = START + timedelta(days=DAYS - JUDGED)
    while now <= until:
        here = [line for at, line in waiting if at < now]
        waiting = [one for one in waiting if one[0] >= now]
        path = folder / f"{now:%dT%H}.log"
        path.write_text("".join(f"{line}\n" for line in here), encoding="utf-8")
        source = FileTail("harbor", [str(path)], registry="production", follow=False)
        pipeline_over(store, [source], clock=lambda: now).run()  # noqa: B023 - run before the next round
        detect_now(store, chosen, now, first_look_back=timedelta(0))
        now += STEP
    assert not waiting
    return store


def said(store: Store) -> dict[str, tuple[Any, ...]]:
    return {
        f.id: (f.severity, f.kind, {name: tuple(of) for name, of in f.subjects.items()}, f.start, f.end)
        for f in store.findings()
        if not f.withdrawn
    }


def test_the_same_findings(tmp_path: Path, lines: list[tuple[datetime, str]]) -> None:
    """Half of the lines come up to a day late: ids, severity, subjects and spans are equal."""
    chance = random.Random(24)
    end = START + timedelta(days=DAYS) + LATE + 2 * STEP
    late = [(at + chance.random() * LATE if chance.random() < 0.5 else at, line) for at, line in lines]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ordered, shuffled = run(tmp_path / "a", lines, end), run(tmp_path / "b", late, end)
    assert ordered.total() == shuffled.total() > 100
    assert len(said(ordered)) >= 3
    assert said(shuffled) == said(ordered)
    ordered.close()
    shuffled.close()
