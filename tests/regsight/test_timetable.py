from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from analytics.config import AnalyticsConfig
from analytics.detector import Suspicion
from analytics.detectors.rules import Rules
from regsight import timetable as module
from regsight.config import Settings
from regsight.timetable import LEASE_NAME, Timetable
from store.contract import EventReader, JobRun, Store
from store.finding import Severity
from store.locate import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}/data")
    yield opened
    opened.close()


def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"reports": {"folder": str(tmp_path / "reports"), "daily_at": "00:00"}, "analytics": {"detect_every": "1h"}}
    )


def wait_for(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def done(store: Store, job: str, day: datetime) -> JobRun:
    return JobRun(job=job, due_at=day, started_at=day, finished_at=day, state="ok")


def test_every_missed_report_is_made_good_in_order(tmp_path: Path, store: Store) -> None:
    """After three days off the reports of all missed days are written, oldest first, each for its own day."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    last = done(store, "report", today - timedelta(days=3))
    store.start_run(last)
    store.finish_run(last)
    timetable = Timetable(store, settings(tmp_path), [], CollectorRegistry())
    timetable.start()
    wait_for(lambda: len([run for run in store.runs("report") if run.state == "ok"]) == 4)
    timetable.stop()
    runs = sorted(store.runs("report"), key=lambda run: run.started_at)[1:]
    assert [run.due_at for run in runs] == [today - timedelta(days=back) for back in (2, 1, 0)]
    names = sorted(path.name for path in (tmp_path / "reports").glob("*.html"))
    assert names == [f"regsight-{run.due_at:%Y-%m-%d}.html" for run in runs]


def test_only_the_holder_of_the_lease_runs_jobs(tmp_path: Path, store: Store) -> None:
    """A second process on the same store runs nothing while the first holds the lease."""
    assert store.take_lease(LEASE_NAME, "another", datetime.now(UTC), timedelta(minutes=5))
    timetable = Timetable(store, settings(tmp_path), [], CollectorRegistry(), holder="second")
    timetable.start()
    time.sleep(1.0)
    timetable.stop()
    assert store.runs() == []
    store.release_lease(LEASE_NAME, "another")
    timetable = Timetable(store, settings(tmp_path), [], CollectorRegistry(), holder="second")
    timetable.start()
    wait_for(lambda: store.last_ok("detect"))
    timetable.stop()
    assert store.last_ok("detect") is not None


def test_a_failing_job_is_counted_and_the_others_go_on(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that raises is in the ledger as failed with its reason, and on the metric; the clock goes on."""
    registry = CollectorRegistry()
    timetable = Timetable(store, settings(tmp_path), [], registry)

    def broken(now: datetime) -> str:
        raise RuntimeError("no room")

    monkeypatch.setattr(
        timetable, "jobs", [*timetable.jobs[1:], type(timetable.jobs[0])("detect", timedelta(hours=1), broken)]
    )
    timetable.start()
    wait_for(lambda: store.last_ok("maintain") and [run for run in store.runs("detect") if run.state == "failed"])
    timetable.stop()
    (run,) = store.runs("detect")
    assert run.note == "RuntimeError: no room"
    assert registry.get_sample_value("regsight_analytics_job_runs_total", {"job": "detect", "state": "failed"}) == 1


@dataclass
class Watcher:
    """Finds one thing each time, as soon as it may go on."""

    name: str
    every: timedelta
    may: threading.Event = field(default_factory=threading.Event)
    subject: str = "client"
    history: timedelta = timedelta(days=1)
    next_step: str = "Look."

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        assert self.may.wait(300)
        subjects = {"actor": ["mia"], "client": [], "repository": []}
        texts = {"title": "mia did it", "expected": "nothing", "observed": "something"}
        cause, kind = (self.name,), f"{self.name}_kind"
        return [
            Suspicion(
                kind=kind,
                cause=cause,
                severity=Severity.HIGH,
                start=since,
                end=now,
                subjects=subjects,
                score=1,
                **texts,
            )
        ]


def test_what_is_urgent_waits_for_nobody(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While windows are judged, rules are judged and told: at once, and not at the next turn of the job that tells."""
    monkeypatch.setattr(module, "NOTIFY_EVERY", timedelta(hours=1))
    registry = CollectorRegistry()
    rules, volumes = Watcher("rules", timedelta(minutes=1)), Watcher("volumes", timedelta(minutes=5))
    timetable = Timetable(store, settings(tmp_path), [rules, volumes], registry)

    def told() -> float:
        labels = {"job": "notify", "state": "ok"}
        return registry.get_sample_value("regsight_analytics_job_runs_total", labels) or 0

    timetable.start()
    try:
        wait_for(lambda: told() == 1, 120)  # at the start, when nothing is known yet
        rules.may.set()
        wait_for(lambda: store.last_ok("detect") and told() == 2, 120)
        assert [one.detector for one in store.findings()] == ["rules"]
        assert store.last_ok("detect-windows") is None
    finally:
        rules.may.set()
        volumes.may.set()
        timetable.stop()
    assert {one.detector for one in store.findings()} == {"rules", "volumes"}


def test_detection_is_given_the_budget_of_the_settings(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told to stop when the timetable is."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "detect_now", lambda *_, **options: given.append(options) or [])
    words = "9 alerts a day per 100 repositories"
    chosen = settings(tmp_path).model_copy(update={"analytics": AnalyticsConfig.model_validate({"budget": words})})
    timetable = Timetable(store, chosen, [], CollectorRegistry())
    timetable.start()
    try:
        wait_for(lambda: len(given) >= 2, 120)
    finally:
        timetable.stop()
    assert {options["budget"].words for options in given} == {words}
    assert all(options["stopped"]() for options in given)


def test_a_first_finding_is_an_increase_and_a_slow_job_is_told_in_words(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each detector stands at 0 before it found anything; a job that takes longer than its turn is named."""
    registry, free = CollectorRegistry(), threading.Event()
    timetable = Timetable(store, settings(tmp_path), [Rules()], registry)
    labels = {"detector": "rules", "severity": "critical"}
    assert registry.get_sample_value("regsight_analytics_findings_total", labels) == 0

    def slow(now: datetime) -> str:
        free.wait(20)
        return ""

    monkeypatch.setattr(timetable, "jobs", [type(timetable.jobs[0])("detect", timedelta(seconds=1), slow)])
    timetable.start()
    wait_for(lambda: "job detect was due again while it still ran" in caplog.text)
    free.set()
    timetable.stop()
    assert "maximum number of running instances" not in caplog.text


def test_jobs_wait_for_the_collector(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due at the start begins when the collector has stored something, what tells does at once; a stop waits for none."""
    monkeypatch.setattr(module, "BEGUN_SECONDS", 3600.0)
    begun, registry = threading.Event(), CollectorRegistry()
    timetable = Timetable(store, settings(tmp_path), [], registry, collecting=begun.is_set)
    labels = {"job": "notify", "state": "ok"}

    def told() -> object:
        return registry.get_sample_value("regsight_analytics_job_runs_total", labels)

    timetable.start()
    wait_for(told, 60)
    assert store.runs() == []
    timetable.stop()
    assert store.runs() == []
    timetable = Timetable(store, settings(tmp_path), [], CollectorRegistry(), collecting=begun.is_set)
    timetable.start()
    begun.set()
    wait_for(lambda: store.last_ok("detect"), 60)
    timetable.stop()


def test_jobs_do_not_wait_for_a_collector_that_reads_nothing(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet registry is no reason to look at nothing."""
    monkeypatch.setattr(module, "BEGUN_SECONDS", 0.5)
    timetable = Timetable(store, settings(tmp_path), [], CollectorRegistry(), collecting=lambda: False)
    timetable.start()
    wait_for(lambda: store.last_ok("detect"), 60)
    timetable.stop()
