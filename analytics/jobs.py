"""Detection as plain functions of (store, detectors, time), and the ledger of what ran when.

The timetable calls `detect_now`, the command line `detect_span`; both judge in the same steps, so that what is found
afterwards is what would have been found at the time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from analytics.config import AnalyticsConfig
from analytics.detector import Detector
from analytics.errors import UnknownDetector
from analytics.judge import judge
from analytics.marks import marks
from analytics.replay import EPOCH, Replay, floor
from analytics.rules.load import in_force
from analytics.telemetry import AnalyticsTelemetry
from analytics.windows import DAY
from store.contract import JobRun, Store
from store.finding import Finding

log = logging.getLogger(__name__)

SIMILAR_WITHIN = timedelta(days=90)  # how far back similar findings are looked for
JUDGED_NOTE = "analytics.judged_until"
MOST_MISSED = 500  # due moments that `missed` names at most: after a month off, the last ones matter


def prepare(detectors: Iterable[Detector], config: AnalyticsConfig) -> list[Detector]:
    """Those of the detectors that the settings ask for, each given its share of the budget.

    Raises:
        UnknownDetector: the settings name one that is not there.
        WrongRule: a rule of the user's own cannot be used; the message names file and line.
    """
    by_name = {detector.name: detector for detector in detectors}
    for name in config.detectors or ():
        if name not in by_name:
            raise UnknownDetector(name, by_name)
    chosen = list(by_name.values()) if config.detectors is None else [by_name[name] for name in config.detectors]
    for detector in chosen:
        if hasattr(detector, "alerts_per_week"):
            detector.alerts_per_week = config.alerts_per_week
        if hasattr(detector, "rules"):
            detector.rules = in_force(config.rules_folder, config.rules_off)
    return chosen


def detect_span(
    store: Store,
    detectors: Sequence[Detector],
    since: datetime,
    until: datetime,
    telemetry: AnalyticsTelemetry | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Judge [since, until) in the steps of the timetable, each step seeing only what was known then.

    Findings are stored as they are made, with the step as their time of detection. Returns those that are new or
    changed, each once in its last state, by time of detection. `on_progress` gets the steps done and their number,
    about a hundred times and at the end.

    Raises:
        Unavailable: the store did not answer; calling again with the same arguments judges the same again.
    """
    if not detectors or since >= until:
        return []
    reader = Replay(store, floor(since, DAY) - max(d.history for d in detectors) - DAY, until)
    stored: dict[str, Finding] = {}
    new: set[str] = set()
    spent = dict.fromkeys((d.name for d in detectors), 0.0)

    def known(id: str) -> Finding | None:
        return stored.get(id) or store.finding(id)

    said = marks(store)
    before: list[Finding] = []

    def past() -> list[Finding]:
        if not before:  # asked for only where something is found
            before.extend(store.findings(since=since - SIMILAR_WITHIN))
        return [*before, *stored.values()]

    steps = _steps(detectors, since, until)
    for number, (step, due) in enumerate(steps, start=1):
        for detector, start in due:
            began = time.perf_counter()
            suspicions = detector.detect(reader, start, step)
            spent[detector.name] += time.perf_counter() - began
            for finding in judge(detector, suspicions, step, known, said, past):
                if store.put_finding(finding):
                    new.add(finding.id)
                stored[finding.id] = finding
        if on_progress and (number % max(len(steps) // 100, 1) == 0 or number == len(steps)):
            on_progress(number, len(steps))
    if telemetry:
        for name, seconds in spent.items():
            telemetry.detection(name, seconds)
        for id in new:
            telemetry.found(stored[id].detector, stored[id].severity)
    return sorted(stored.values(), key=lambda finding: (finding.detected_at, finding.id))


def detect_now(
    store: Store,
    detectors: Sequence[Detector],
    now: datetime,
    telemetry: AnalyticsTelemetry | None = None,
    overlap: timedelta = timedelta(minutes=10),
    first_look_back: timedelta = DAY,
) -> list[Finding]:
    """Judge what happened since the last call; what the timetable runs.

    `overlap` is judged again, for events that were stored late; findings do not repeat by it. The first call of all
    looks back `first_look_back`. A call after a pause judges the whole pause, in steps.
    """
    note = store.note(JUDGED_NOTE)
    last = datetime.fromisoformat(note["until"]) if note else now - first_look_back
    found = detect_span(store, detectors, min(last, now) - overlap, now, telemetry)
    store.put_note(JUDGED_NOTE, {"until": now.astimezone(UTC).isoformat()})
    return found


def run_job(
    store: Store,
    name: str,
    due: datetime,
    now: Callable[[], datetime],
    work: Callable[[], str | None],
    telemetry: AnalyticsTelemetry | None = None,
) -> JobRun:
    """Run `work` for the moment `due` and keep that in the ledger; what `work` returns becomes the run's note.

    Nothing is raised, for the other jobs must go on: a failure is logged, counted and stored as state failed. A ledger
    that cannot be written (store away) does not stop the work, it is only logged.
    """
    run = JobRun(job=name, due_at=due, started_at=now())
    _in_ledger(store.start_run, run)
    try:
        note = work() or ""
        state = "ok"
    except Exception as error:
        log.exception("job failed", extra={"job": name})
        state, note = "failed", f"{type(error).__name__}: {error}"[:500]
    run = replace(run, finished_at=now(), state=state, note=note)
    _in_ledger(store.finish_run, run)
    if telemetry and run.finished_at:
        telemetry.job(name, state, run.finished_at)
    return run


def missed(store: Store, name: str, every: timedelta, now: datetime) -> list[datetime]:
    """The moments up to `now`, oldest first, at which the job was due and did not end well since its last good run.

    Due moments are aligned to the epoch. A job that never ended well has missed the latest due moment only: there is no
    telling since when it should have run.
    """
    latest = floor(now, every)
    last = store.last_ok(name)
    if last is None:
        return [latest]
    count = min((latest - floor(last.due_at, every)) // every, MOST_MISSED)
    return [latest - every * back for back in reversed(range(count))]


def _in_ledger(write: Callable[[JobRun], None], run: JobRun) -> None:
    try:
        write(run)
    except Exception:
        log.exception("job ledger not written", extra={"job": run.job})


def _steps(
    detectors: Sequence[Detector], since: datetime, until: datetime
) -> list[tuple[datetime, list[tuple[Detector, datetime]]]]:
    """When which detector runs, and from when on it then judges: at the multiples of its `every` in (since, until], and
    at the end itself for what is left."""
    due: dict[datetime, list[tuple[Detector, datetime]]] = {}
    for detector in detectors:
        step = floor(since, detector.every) + detector.every
        while step <= until:
            due.setdefault(step, []).append((detector, max(step - detector.every, EPOCH)))
            step += detector.every
        if step - detector.every < until:
            due.setdefault(until, []).append((detector, step - detector.every))
    return sorted(due.items(), key=lambda item: item[0])
