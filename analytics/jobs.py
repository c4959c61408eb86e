"""Detection as plain functions of (store, detectors, time), and the ledger of what ran when.

The timetable calls `detect_now`, the command line `detect_span`; both judge in the same steps, so that what is found
afterwards is what would have been found at the time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from analytics.amend import amended, touched
from analytics.budget import DEFAULT, Budget
from analytics.config import AnalyticsConfig
from analytics.detector import Detector
from analytics.errors import Stopped, UnknownDetector
from analytics.holding import Allowance
from analytics.judge import judge
from analytics.marks import marks
from analytics.replay import Lasting, floor
from analytics.rules.load import in_force
from analytics.side_by_side import Processes, asked_by
from analytics.so_far import SoFar
from analytics.steps import SETTLES, read_from, reader_of, steps_of
from analytics.telemetry import AnalyticsTelemetry
from analytics.watermark import done, look
from analytics.windows import DAY
from analytics.wording import duration
from store.contract import JobRun, Store
from store.errors import StoreError
from store.finding import Finding

log = logging.getLogger(__name__)

JUDGED_NOTE = "analytics.judged_until"
LEAST_LATE = timedelta(minutes=5)
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
    reopened: datetime | None = None,
    budget: Budget = DEFAULT,
    stopped: Callable[[], bool] = lambda: False,
    lasting: Lasting | None = None,
    processes: Processes | None = None,
) -> list[Finding]:
    """Judge [since, until) in the steps of the timetable, each step seeing only what was known then.

    Findings are stored as they are made, with the step as their time of detection. Returns those that are new or
    changed, each once in its last state, by time of detection. `on_progress` gets the steps done and their number,
    about a hundred times and at the end. `budget` is what may be told by statistics alone. `lasting` is what earlier calls
    learned of days that are over, for as long as no row comes late for one of them. With `processes` the detectors are asked in
    processes of their own (`analytics.side_by_side`), of which `lasting` is not; the findings are the same.

    `reopened`: events since then were stored late. All from there on is judged as if for the first time; what comes of it
    takes the place of the findings that there were (`analytics.amend`) when all is judged.

    Raises:
        Unavailable: the store did not answer; calling again with the same arguments judges the same again.
        Stopped: `stopped` said so between two steps.
        ProcessEnded: one of the `processes` was ended from outside.
    """
    if not detectors or since >= until:
        return []
    anew: dict[str, Finding] = {}
    if reopened is not None:
        start, anew = touched(store, {d.name for d in detectors}, min(reopened, since), until)
        since = min(since, start)
    reader = reader_of(store, read_from(since, detectors), until, lasting)
    findings = SoFar(store, since, anew)
    allowance = Allowance(budget, reader, reader.since, sum(hasattr(d, "alerts_per_week") for d in detectors))
    said = marks(store)
    steps = steps_of(detectors, since, until)
    with asked_by(detectors, since, until, store, reader, processes) as asked:
        for number, (step, due) in enumerate(steps, start=1):
            if stopped():
                raise Stopped
            for detector, start in due:
                suspicions = asked.suspicions(detector, start, step)
                held = partial(allowance.at, step)
                judged = judge(detector, suspicions, step, findings.known, said, findings.past, held)
                (findings.keep if reopened is None else findings.hold)(judged)
            findings.forget(step)
            if on_progress and (number % max(len(steps) // 100, 1) == 0 or number == len(steps)):
                on_progress(number, len(steps))
    if reopened is not None:
        made, findings.made = _without_the_known(store, findings.made, anew), {}
        findings.keep(amended(anew, made, until))
    stored = findings.made
    _count(telemetry, asked.seconds, (stored[id] for id in findings.new), (o for o in stored.values() if o.id in anew))
    return sorted(stored.values(), key=lambda finding: (finding.detected_at, finding.id))


def _without_the_known(store: Store, made: Mapping[str, Finding], anew: Mapping[str, Finding]) -> dict[str, Finding]:
    """Those that are made anew, new, or grown; what else was judged again is as it was stored."""
    return {id: finding for id, finding in made.items() if id in anew or store.finding(id) != finding}


def _count(
    telemetry: AnalyticsTelemetry | None,
    spent: Mapping[str, float],
    new: Iterable[Finding],
    changed: Iterable[Finding],
) -> None:
    if telemetry is None:
        return
    for name, seconds in spent.items():
        telemetry.detection(name, seconds)
    for finding in new:
        telemetry.found(finding.detector, finding.severity)
    for finding in changed:
        telemetry.amended("withdrawn" if finding.withdrawn else "changed")


def detect_now(
    store: Store,
    detectors: Sequence[Detector],
    now: datetime,
    telemetry: AnalyticsTelemetry | None = None,
    overlap: timedelta = timedelta(minutes=10),
    first_look_back: timedelta = DAY,
    late: timedelta = timedelta(days=7),
    budget: Budget = DEFAULT,
    group: str = "",
    stopped: Callable[[], bool] = lambda: False,
    lasting: Lasting | None = None,
) -> list[Finding]:
    """Judge what happened since the last call; what the timetable runs.

    `overlap` is judged again, for events that were stored a little late; findings do not repeat by it. Events that were
    stored later re-open the time from them on, `late` at most. The first call of all looks back `first_look_back`, or as
    far as there are events. A call after a pause judges the whole pause, in steps. Detectors that are called in groups,
    each in its own rhythm, give each group a name: until when it has judged is kept under it. `lasting` saves a group that
    is called again and again to learn the same days anew; it belongs to one group in one process.
    """
    note = store.note(JUDGED_NOTE + group)
    last = datetime.fromisoformat(note["until"]) if note else None
    reopened, rows = look(store, now, last, late, group)
    since = min(_first(store, now, first_look_back) if last is None else last, now) - overlap
    if lasting is not None and reopened is not None:
        lasting.clear()
    found = detect_span(
        store,
        detectors,
        since,
        now,
        telemetry,
        reopened=reopened.since if reopened is not None else None,
        budget=budget,
        stopped=stopped,
        lasting=lasting if overlap < SETTLES else None,
    )
    store.put_note(JUDGED_NOTE + group, {"until": now.astimezone(UTC).isoformat()})
    if reopened is not None:
        done(store, group)
    if telemetry and not group:  # the other groups see the same rows
        telemetry.late(rows)
    return found


def _first(store: Store, now: datetime, look_back: timedelta) -> datetime:
    """From when on a store is judged that never was: a day of steps over nothing takes its time."""
    span = store.span()
    return now if span is None else max(now - look_back, span[0])


def run_job(
    store: Store,
    name: str,
    due: datetime,
    now: Callable[[], datetime],
    work: Callable[[], str | None],
    telemetry: AnalyticsTelemetry | None = None,
    every: timedelta | None = None,
) -> JobRun:
    """Run `work` for the moment `due` and keep that in the ledger; what `work` returns becomes the run's note. With
    `every` the note begins with how late it is, where it is: by its moment, or by the last good run before it.

    Nothing is raised, for the other jobs must go on: a failure is logged, counted and stored as state failed. A ledger
    that cannot be written (store away) does not stop the work, it is only logged.
    """
    run = JobRun(job=name, due_at=due, started_at=now())
    _in_ledger(store.start_run, run)
    try:
        note = _lateness(store, run, every) + (work() or "")
        state = "ok"
    except Stopped as error:
        log.info("job stopped", extra={"job": name})
        state, note = "failed", str(error)
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


def _lateness(store: Store, run: JobRun, every: timedelta | None) -> str:
    """`late by 3 h: ` of a run that makes good what was missed; nothing of one in time."""
    if every is None:
        return ""
    try:
        last = store.last_ok(run.job)
    except StoreError:  # the work itself will say so
        return ""
    behind = run.started_at - run.due_at
    waited = run.due_at - last.due_at - every if last else timedelta(0)
    if behind < LEAST_LATE and waited < max(every, LEAST_LATE):
        return ""
    return f"late by {duration(max(behind, waited))}: "


def _in_ledger(write: Callable[[JobRun], None], run: JobRun) -> None:
    try:
        write(run)
    except Exception:
        log.exception("job ledger not written", extra={"job": run.job})
