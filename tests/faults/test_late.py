"""Events that come late, in any order, and of a clock that is set."""

from __future__ import annotations

import random
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from faults.bench import DAY, SEED, Bench, size
from faults.test_receivers import free_port

from store.contract import EventQuery, JobRun, Store
from store.locate import open_store

# Where a line stood, and when it was read, is another matter than what happened.
PLACE = ("event_id", "stream", "offset", "path", "parts", "read_at", "stored_at")
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


def happened(store: Store) -> list[tuple[Any, ...]]:
    """What the events say, in an order of their own."""
    rows = [
        tuple(value for name, value in sorted(event.items()) if name not in PLACE)
        for event in store.events(EventQuery())
    ]
    return sorted(rows, key=repr)


def counted(store: Store) -> list[str]:
    """Counts per hour and per account, as detection asks for them."""
    since, until = DAY - timedelta(days=2), DAY + timedelta(days=5)
    frames = (
        store.windows(since, until, timedelta(hours=1), "repository"),
        store.counts(since, until, ("action", "outcome"), timedelta(hours=1)),
    )
    return [frame.to_csv() for frame in frames]


@pytest.mark.fault("F32")
def test_late_events_are_counted_as_if_they_had_been_in_time(
    bench: Bench, record: Callable[[dict[str, Any]], None]
) -> None:
    """Three days of events, of which some come five minutes, an hour or a day late, into days that were packed meanwhile, the
    rest shuffled by the ten thousand: the same events, and the same counts, as in the ordered run."""
    chance, total = random.Random(SEED), size(2_000, 30_000)
    step = timedelta(days=3) / total
    lines = []
    for number in range(total):
        moment = DAY + number * step
        agent, size_ = chance.choice(("skopeo/1.9.3", "docker/27.1.1")), chance.randrange(10_000)
        request = f"GET /v2/team/app-{chance.randrange(5)}/manifests/n{number} HTTP/1.1"
        line = f'10.0.0.{chance.randrange(9)} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "{request}" 200 {size_} "-" "{agent}"\n'
        late = chance.choice((timedelta(0),) * 7 + (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)))
        lines.append((moment + late, line.encode()))
    bench.truth.count = total
    bench.log.write_bytes(b"".join(line for _, line in lines))
    ordered = bench.url + "-ordered"
    with bench.collecting(url=ordered) as collector:
        other = open_store(ordered)
        bench.until(lambda: other.total() >= total, "storing the ordered run", collector)
    bench.log.write_bytes(b"")
    came = [line for _, line in sorted(lines)]
    for start in range(0, total, 10_000):
        part = came[start : start + 10_000]
        chance.shuffle(part)
        came[start : start + 10_000] = part
    with bench.collecting() as collector:
        parts = 6
        for part in range(parts):
            with bench.log.open("ab") as log:
                log.writelines(came[total * part // parts : total * (part + 1) // parts])
            bench.until(lambda part=part: bench.stored() >= total * (part + 1) // parts, "storing a part", collector)
            bench.store.maintain(datetime.now(UTC), None)
    bench.forget()
    same = happened(bench.store) == happened(other)
    counts = counted(bench.store) == counted(other)
    other.close()
    bench.verdict(
        ordered=False, said="the same events and counts as in the ordered run" if same and counts else "other"
    )
    assert same and counts


@pytest.mark.fault("F31")
@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (apt-get install libfaketime)")
def test_a_clock_that_is_set(bench: Bench) -> None:
    """An hour back, a day forward, and a leap second while lines come in: all are stored, in time by a clock that nobody
    sets, and the jobs go on."""
    web, clock, settings = free_port(), bench.folder / "clock", bench.folder / "regsight.toml"
    settings.write_text(
        f'[store]\nurl = "{bench.url}"\n[web]\nlisten = "127.0.0.1:{web}"\n[analytics]\ndetect_every = "5s"\n'
        f'[[collector.sources]]\ntype = "file"\nname = "log"\npaths = ["{bench.log}"]\nformat = "nginx-combined"\n'
    )
    clock.write_text("+0\n")
    faked = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    command = ("run", "-c", str(settings))
    with bench.collecting(command=command, env=faked) as process:
        for said in ("+0", "-1h", "+0", "+1d", "+23h", "+0"):
            clock.write_text(f"{said}\n")
            with bench.log.open("ab") as log:
                log.write(bench.truth.lines(size(50, 500)))
            begun = time.monotonic()
            bench.until_all(process)
            before = len(bench.store.runs("detect", limit=10_000))
            bench.until(
                lambda before=before: len(bench.store.runs("detect", limit=10_000)) > before + 1,
                "running jobs",
                process,
            )
            assert time.monotonic() - begun < 600  # and not the hour by which it was set back
        leap = bench.truth.line().replace(b":00:00:", b":23:59:")
        leap = leap[: leap.index(b" +0000")][:-2] + b"60" + leap[leap.index(b" +0000") :]
        odd = [bench.truth.line().replace(b"24/Nov/2026", day) for day in (b"01/Jan/1970", b"31/Dec/2100")]
        with bench.log.open("ab") as log:
            log.write(b"\n".join([leap, *odd]) + b"\n")
        bench.until(
            lambda: bench.stored() + sum(bench.store.dead_letter_counts().values()) >= bench.truth.count,
            "reading",
            process,
        )

        def caught_up() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/metrics", timeout=30) as answer:
                lines = answer.read().decode().splitlines()
            lag = [line for line in lines if line.startswith("regsight_collector_lag_bytes{")]
            return all(line.endswith(" 0.0") for line in lag)

        bench.until(caught_up, "saying that nothing waits", process)
    bench.runs = 5
    letters = bench.store.dead_letter_counts()
    bench.verdict(
        lost_at_most=sum(letters.values()),
        dead_letters=None,
        ordered=False,
        said="set five times; of 1970, 2100 and second 60: " + (", ".join(letters) or "stored"),
    )


@pytest.mark.quick
@pytest.mark.fault("F38")
def test_a_run_that_overruns_its_next(tmp_path: Path, record: Callable[[dict[str, Any]], None]) -> None:
    """A job that takes longer than its span, in two timetables on one store: never two at once, and what fell due meanwhile
    is one late run."""
    from prometheus_client import CollectorRegistry

    from regsight.config import Settings
    from regsight.timetable import Job, Timetable

    store = open_store(f"delta:{tmp_path / 'data'}")
    spans: list[tuple[float, float]] = []
    takes, every = 1.0, timedelta(seconds=0.3)

    def work(due: datetime) -> str:
        begun = time.monotonic()
        time.sleep(takes)
        spans.append((begun, time.monotonic()))
        return ""

    tables = [Timetable(store, Settings(), [], CollectorRegistry(), holder=f"p{number}") for number in range(2)]
    for table in tables:
        table.jobs = [Job("slow", every, work)]
        table.start()
    deadline = time.monotonic() + 120
    while len(spans) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for table in tables:
        table.stop()
    runs: list[JobRun] = store.runs("slow", limit=1000)
    store.close()
    spans.sort()
    overlapping = sum(one[1] > other[0] for one, other in pairwise(spans))
    due = int((spans[-1][1] - spans[0][0]) / every.total_seconds())
    record(
        {
            "fault": "F38",
            "store": "embedded",
            "runs": len(runs),
            "written": len(spans),
            "lost": 0,
            "doubled": overlapping,
            "said": f"{due} moments due, {len(spans)} runs, none at once with another",
        }
    )
    assert not overlapping
    assert len(runs) == len(spans) < due
    assert all(run.state == "ok" for run in runs)
