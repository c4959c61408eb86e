"""Steps, catching up, and the ledger of runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from made_traffic import EVENING, REPOSITORIES, START, Made, attacked
from prometheus_client import CollectorRegistry

from analytics.budget import DEFAULT
from analytics.config import AnalyticsConfig
from analytics.detector import Detector
from analytics.detectors import credential_probe, isolation_forest, look_alike, new_place, new_reach, pull_volume
from analytics.errors import Stopped, UnknownDetector
from analytics.holding import Allowance
from analytics.jobs import JUDGED_NOTE, detect_now, detect_span, missed, prepare, run_job
from analytics.judge import judge
from analytics.replay import Lasting
from analytics.telemetry import AnalyticsTelemetry
from store.contract import JobRun, Store
from store.errors import Unavailable
from store.event import schema
from store.finding import Finding, Severity

EVERY, MINUTE = timedelta(minutes=5), timedelta(minutes=1)


def detectors() -> list[Detector]:
    return [file.DETECTOR() for file in (credential_probe, pull_volume, isolation_forest)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = attacked().store(tmp_path / "attacked")
    yield opened
    opened.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    opened = Made().store(tmp_path / "empty")
    yield opened
    opened.close()


def by_id(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.id: finding for finding in findings}


def test_a_span_equals_its_steps(store: Store) -> None:
    """Judging a span at once gives the very findings that the timetable's steps give, each asking the store anew."""
    since, until = EVENING - timedelta(minutes=10), EVENING + timedelta(hours=1)
    expected: dict[str, Finding] = {}
    shared_by = sum(hasattr(detector, "alerts_per_week") for detector in detectors())
    allowance = Allowance(DEFAULT, store, START, shared_by)

    def past() -> list[Finding]:
        return list(expected.values())

    step = since + MINUTE
    while step <= until:
        for detector in detectors():
            if step.timestamp() % detector.every.total_seconds() == 0:
                suspicions = detector.detect(store, step - detector.every, step)
                expected |= by_id(
                    judge(
                        detector,
                        suspicions,
                        step,
                        expected.get,
                        past=past,
                        holding=partial(allowance.at, step),
                    )
                )
        step += MINUTE
    assert len(expected) >= 3
    found = detect_span(store, detectors(), since, until)
    assert by_id(found) == expected
    assert by_id(store.findings()) == expected


def test_findings_know_when_they_could_first_be_known(store: Store) -> None:
    """`detected_at` is the first step at which the evidence was complete, however much later the span is judged."""
    found = detect_span(store, detectors(), START + timedelta(days=15), START + timedelta(days=17))
    guessing = next(finding for finding in found if finding.detector == "credential_probe")
    assert guessing.detected_at == EVENING + 3 * MINUTE
    assert guessing.severity is Severity.CRITICAL
    assert "person-4 succeeded" in guessing.title
    assert all(finding.detected_at >= finding.start for finding in found)


def test_judging_again_finds_nothing_new(store: Store) -> None:
    """A second run over the same span returns nothing and leaves the findings as they are."""
    span = (EVENING - timedelta(hours=1), EVENING + timedelta(hours=2))
    detect_span(store, detectors(), *span)
    before = store.findings()
    assert detect_span(store, detectors(), *span) == []
    assert store.findings() == before


def test_progress_and_metrics(store: Store) -> None:
    """Progress ends at all steps; each new finding is counted once, by detector and severity."""
    registry, told = CollectorRegistry(), []
    found = detect_span(
        store,
        detectors(),
        EVENING,
        EVENING + timedelta(hours=1, seconds=1),
        AnalyticsTelemetry(registry),
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (61, 61)
    counted = sum(
        registry.get_sample_value(
            "regsight_analytics_findings_total", {"detector": detector.name, "severity": str(severity)}
        )
        or 0
        for detector in detectors()
        for severity in Severity
    )
    assert counted == len(found) > 0
    labels = {"detector": "pull_volume"}
    assert registry.get_sample_value("regsight_analytics_detection_duration_seconds_count", labels) == 1


def test_the_timetable_resumes_where_it_stopped(store: Store) -> None:
    """A call after a pause judges the pause; calls in any rhythm find what one call over all of it finds."""
    detect_now(store, detectors(), EVENING)
    for minutes in (3, 7, 64, 125):
        detect_now(store, detectors(), EVENING + timedelta(minutes=minutes))
    assert store.note(JUDGED_NOTE) == {"until": (EVENING + timedelta(minutes=125)).isoformat()}
    found = store.findings(since=EVENING)
    kinds = {(finding.detector, client) for finding in found for client in finding.subjects["client"]}
    assert ("credential_probe", "203.0.113.9") in kinds
    assert ("pull_volume", "203.0.113.9") in kinds
    guessing = [finding for finding in store.findings() if finding.detector == "credential_probe"]
    assert [finding.severity for finding in guessing] == [Severity.CRITICAL]


def test_detection_that_is_stopped_begins_again_where_it_was(store: Store) -> None:
    """A stop in the middle of a long catch-up is an error of its own, moves no mark, and costs no finding."""
    now, asked = EVENING + timedelta(hours=2), iter([False] * 5)
    probe = [credential_probe.DETECTOR()]
    with pytest.raises(Stopped):
        detect_now(store, probe, now, stopped=lambda: next(asked, True))
    assert store.note(JUDGED_NOTE) is None
    detect_now(store, probe, now)
    assert any(finding.severity is Severity.CRITICAL for finding in store.findings())


def test_nothing_to_do(empty: Store) -> None:
    """No detectors, no span, no events: no findings."""
    assert detect_span(empty, [], START, EVENING) == []
    assert detect_span(empty, detectors(), EVENING, EVENING) == []
    assert detect_span(empty, detectors(), EVENING, EVENING + timedelta(days=1)) == []


def test_a_job_that_fails_is_kept_and_raises_nothing(empty: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The ledger and the metrics tell how each run ended."""
    registry = CollectorRegistry()
    telemetry = AnalyticsTelemetry(registry)

    def fail() -> str:
        raise Unavailable("the store is away")

    good = run_job(empty, "detect", EVENING, lambda: EVENING, lambda: "3 findings", telemetry)
    bad = run_job(empty, "detect", EVENING + EVERY, lambda: EVENING + EVERY, fail, telemetry)
    assert (good.state, good.note, bad.state, bad.note) == (
        "ok",
        "3 findings",
        "failed",
        "Unavailable: the store is away",
    )
    assert empty.runs("detect") == [bad, good]
    assert "job failed" in caplog.text
    for state in ("ok", "failed"):
        labels = {"job": "detect", "state": state}
        assert registry.get_sample_value("regsight_analytics_job_runs_total", labels) == 1
    success = registry.get_sample_value("regsight_analytics_job_last_success_timestamp_seconds", {"job": "detect"})
    assert success == EVENING.timestamp()


def test_a_run_that_makes_good_says_how_late_it_is(empty: Store) -> None:
    """By its own moment, or by the pause since the last good run; a run in time says nothing."""
    hour = timedelta(hours=1)
    first = run_job(empty, "detect", EVENING, lambda: EVENING, lambda: "ok", every=EVERY)
    paused = run_job(empty, "detect", EVENING + 3 * hour, lambda: EVENING + 3 * hour, lambda: "ok", every=EVERY)
    daily = run_job(empty, "report", EVENING, lambda: EVENING + 26 * hour, lambda: "ok", every=24 * hour)
    assert [run.note for run in (first, paused, daily)] == ["ok", "late by 2.9 h: ok", "late by 26 h: ok"]


def test_missed_moments(empty: Store) -> None:
    """Every due moment since the last good run is named, oldest first; a failed run is still due."""

    def ran(due: datetime, state: str) -> None:
        run = JobRun(job="report", due_at=due, started_at=due)
        empty.start_run(run)
        empty.finish_run(JobRun(job="report", due_at=due, started_at=due, finished_at=due, state=state))

    now = EVENING + timedelta(minutes=2)
    assert missed(empty, "report", EVERY, now) == [EVENING]
    ran(EVENING - 3 * EVERY, "ok")
    ran(EVENING - 2 * EVERY, "failed")
    assert missed(empty, "report", EVERY, now) == [EVENING - 2 * EVERY, EVENING - EVERY, EVENING]
    ran(EVENING, "ok")
    assert missed(empty, "report", EVERY, now) == []


def test_settings_choose_detectors_and_their_budget() -> None:
    """Named detectors run with the budget that is set; an unknown name says what is near."""
    chosen = prepare(detectors(), AnalyticsConfig(detectors=("pull_volume",), alerts_per_week=0.5))
    assert [detector.name for detector in chosen] == ["pull_volume"]
    assert getattr(chosen[0], "alerts_per_week", None) == 0.5
    assert len(prepare(detectors(), AnalyticsConfig())) == 3
    with pytest.raises(UnknownDetector, match="did you mean 'pull_volume'"):
        prepare(detectors(), AnalyticsConfig(detectors=("pull_volum",)))


def test_what_lasts_changes_no_finding_and_asks_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days that are over are counted and learned once, over midnight too, until a row comes late for one of them."""
    made = attacked()
    chosen = [file.DETECTOR() for file in (credential_probe, pull_volume, new_place, new_reach, look_alike)]
    seen: dict[bool, list[str]] = {}
    asked: dict[bool, timedelta] = {}
    for lasts in (False, True):
        store, lasting = made.store(tmp_path / str(lasts)), Lasting() if lasts else None
        counts, spans = store.counts, timedelta(0)

        def counting(since: datetime, until: datetime, *by: Any, counts: Any = counts) -> Any:
            nonlocal spans
            spans += until - since
            return counts(since, until, *by)

        monkeypatch.setattr(store, "counts", counting)
        for step in range(14):
            detect_now(store, chosen, EVENING + step * 20 * EVERY, lasting=lasting)
        seen[lasts], asked[lasts] = sorted(map(repr, store.findings())), spans
        store.close()
    assert seen[True] == seen[False] and len(seen[True]) >= 2
    assert asked[True] < asked[False] / 4


def test_a_row_that_is_late_empties_what_lasts(tmp_path: Path) -> None:
    store, lasting = attacked().store(tmp_path / "s"), Lasting()
    chosen: list[Detector] = [new_place.DETECTOR()]
    detect_now(store, chosen, EVENING, lasting=lasting)
    assert lasting.learned
    late = Made()
    late.pull(EVENING - timedelta(days=2), "person-1", "192.0.2.1", REPOSITORIES[0])
    rows = [{**event, "offset": 10**9, "stored_at": EVENING + EVERY} for event in late.events]
    store.commit(pa.Table.from_pylist(rows, schema=schema()), [])
    kept = lasting.learned["new_place"]
    for step in range(1, 30):  # long spans wait for one quiet look
        detect_now(store, chosen, EVENING + step * EVERY, lasting=lasting)
    assert lasting.learned["new_place"] is not kept
    store.close()
