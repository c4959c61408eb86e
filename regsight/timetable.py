"""When each job runs.

APScheduler keeps the clock; the run ledger in the store remembers what ran, so that a missed run is caught up after a
downtime and a missing one is seen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from alerts.chart import chart_of
from alerts.measure import measure_incidents
from alerts.notify import deliver
from alerts.policy import enqueue_new
from alerts.telemetry import AlertsTelemetry
from analytics.absence import Watched, watch_absence
from analytics.drift import watch_formats
from analytics.incidents import LOOK_BACK, gather, times
from analytics.integrity import watch_integrity
from analytics.jobs import detect_now, run_job
from analytics.replay import Lasting
from analytics.telemetry import AnalyticsTelemetry
from store.errors import StoreError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from analytics.detector import Detector
    from regsight.config import Settings
    from regsight.web.state import JobRow
    from store.contract import Store
    from store.finding import Finding
    from store.incident import Incident

log = logging.getLogger(__name__)

URGENT_EVERY = timedelta(minutes=1)  # detectors that want to run so often do not wait for others
WINDOWS_EVERY = 5  # times `detect_every`: those that judge windows of minutes, hours and days
WINDOWS = ".windows"
NOTIFY_EVERY = timedelta(seconds=5)
ABSENCE_EVERY = timedelta(minutes=5)
MAINTAIN_EVERY = timedelta(hours=1)
FORECAST_EVERY = timedelta(hours=1)
MODELS_EVERY = timedelta(hours=6)  # drift is looked at; training is due once a week
STORE_EVERY = timedelta(minutes=10)
VERIFY_EVERY = timedelta(hours=6)
VERIFY_BYTES = 1 << 30  # of the logs, at most, each time
CAUGHT_UP_AT_MOST = 30  # missed runs of a report that are made good; older ones are named in the log
CLOCK_LOOK_SECONDS = 5.0
CLOCK_STEP_SECONDS = 10.0  # less is what time servers do all the time
BEGUN_SECONDS = 10.0  # so long the jobs wait for the collector to have stored something; it may have nothing to read
LOOK_SECONDS = 0.1
LEASE_NAME = "timetable"
LEASE_SPAN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Job:
    """One entry: a name, how often it is due, and what it does for the moment it was due."""

    name: str
    every: timedelta
    work: Callable[[datetime], str]
    daily_at: str | None = None  # HH:MM UTC; each missed day is made good, in order. Else one late run covers them all
    in_ledger: bool = True


class Timetable:
    """The jobs of one process. Among several processes on one store the holder of the lease runs them."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        detectors: list[Detector],
        registry: CollectorRegistry,
        holder: str = "",
        collecting: Callable[[], bool] = lambda: True,
    ) -> None:
        """`collecting`: whether the collector has got going."""
        import os
        import socket

        self._store = store
        self._settings = settings
        self._detectors = detectors
        self._holder = holder or f"{socket.gethostname()}:{os.getpid()}"
        self._collecting = collecting
        self._analytics = AnalyticsTelemetry(registry)
        self._analytics.known(detector.name for detector in detectors)
        self._alerts = AlertsTelemetry(registry)
        self._scheduler = _scheduler()
        self._gathering = threading.Lock()
        self._lasting: defaultdict[str, Lasting] = defaultdict(Lasting)
        self._stopped = threading.Event()
        self._started = time.monotonic()
        self._up_since = datetime.now(UTC)
        self.jobs = self._jobs()

    def start(self) -> None:
        """Start the clock; whatever is overdue by the ledger runs as soon as the collector has got going."""
        for job in self.jobs:
            if job.daily_at:
                hour, minute = job.daily_at.split(":")
                self._scheduler.add_job(self._run, "cron", args=[job], id=job.name, hour=int(hour), minute=int(minute))
                if self._overdue(job):
                    self._scheduler.add_job(self._run, args=[job], id=f"{job.name} (missed)")
            else:
                self._scheduler.add_job(
                    self._run,
                    "interval",
                    args=[job],
                    id=job.name,
                    seconds=job.every.total_seconds(),
                    next_run_time=datetime.now(UTC),
                )
        self._stopped.clear()
        self._started = time.monotonic()
        self._scheduler.start()
        self._watch = threading.Thread(target=self._watch_clock, name="clock", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """Stop the clock and wait for the job that runs; detection ends between two steps. Safe to call twice."""
        self._stopped.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
            self._store.release_lease(LEASE_NAME, self._holder)

    def change(self, settings: Settings, detectors: list[Detector]) -> None:
        """Go on with other settings, after the job that runs; each job is due at once."""
        self.stop()
        self._settings, self._detectors, self._scheduler = settings, detectors, _scheduler()
        self._lasting.clear()
        self.jobs = self._jobs()
        self.start()

    def _watch_clock(self) -> None:
        """The scheduler waits for a time of the day: when the machine's clock is set back, nothing would be due for as long."""
        offset = time.time() - time.monotonic()
        while not self._stopped.wait(CLOCK_LOOK_SECONDS):
            moved = time.time() - time.monotonic() - offset
            offset += moved
            if abs(moved) >= CLOCK_STEP_SECONDS and self._scheduler.running:
                log.warning("the machine's clock was set by %+.0f s: all jobs are due now", moved)
                for job in self.jobs:
                    if not job.daily_at:
                        self._scheduler.modify_job(job.name, next_run_time=datetime.now(UTC))

    def overview(self) -> list[JobRow]:
        """For the page: each job with its last run and its next."""
        rows: list[JobRow] = []
        for job in self.jobs:
            last = next(iter(self._store.runs(job.name, limit=1)), None)
            entry = self._scheduler.get_job(job.name) if self._scheduler.running else None
            rows.append(
                {
                    "name": job.name,
                    "last": last.started_at if last else None,
                    "state": last.state if last else None,
                    "note": last.note if last else "",
                    "next": entry.next_run_time if entry else None,
                }
            )
        return rows

    def _jobs(self) -> list[Job]:
        jobs = [
            Job("detect", self._settings.analytics.detect_every, self._detect),
            Job("detect-windows", WINDOWS_EVERY * self._settings.analytics.detect_every, self._detect_windows),
            Job("notify", NOTIFY_EVERY, self._notify, in_ledger=False),
            Job("maintain", MAINTAIN_EVERY, self._maintain),
            Job("absence", ABSENCE_EVERY, self._absence),
            Job("store", STORE_EVERY, self._look_at_store),
            Job("verify", VERIFY_EVERY, self._verify),
            Job("forecast", FORECAST_EVERY, self._forecast),
            Job("models", MODELS_EVERY, self._models),
        ]
        if self._settings.reports.folder is not None:
            day = timedelta(days=1)
            jobs.append(Job("report", day, self._report, daily_at=self._settings.reports.daily_at))
        return jobs

    def _run(self, job: Job) -> None:
        """Called by the clock. Nothing may escape: the other jobs go on."""
        if job.in_ledger and not self._may_begin():
            return
        now = datetime.now(UTC)
        try:
            if not self._store.take_lease(LEASE_NAME, self._holder, now, LEASE_SPAN):
                self._lasting.clear()  # another process runs the jobs, and sees what comes late
                return
            due = self._moments(job, now)
        except StoreError:
            log.warning("the store did not answer, a job was left out", extra={"job": job.name}, exc_info=True)
            return
        for moment in due:
            if job.in_ledger:
                run_job(self._store, job.name, moment, _clock, partial(job.work, moment), self._analytics, job.every)
            else:
                self._run_unrecorded(job, moment)

    def _may_begin(self) -> bool:
        """Wait until the collector has got going. All jobs are due at the start, and a process that is killed again and again
        would do nothing else; what is read first is little, so this is over soon. False: it is stopping.
        """
        until = self._started + BEGUN_SECONDS
        while not self._collecting() and time.monotonic() < until:
            if self._stopped.wait(LOOK_SECONDS):
                return False
        return True

    def _run_unrecorded(self, job: Job, moment: datetime) -> None:
        """For a job of every few seconds: a row in the ledger each time would only push out those that matter."""
        try:
            job.work(moment)
            state = "ok"
        except Exception:  # the top of a job: it is counted and logged, and the other jobs go on
            log.exception("job failed", extra={"job": job.name})
            state = "failed"
        self._analytics.job(job.name, state, _clock())

    def _moments(self, job: Job, now: datetime) -> list[datetime]:
        """The moments to run for: every day since the last good run where each day counts, else just now."""
        if not job.daily_at:
            return [now]
        latest = self._daily(job, now)
        last = self._store.last_ok(job.name)
        if last is None:
            return [latest]
        days = max(0, (latest - self._daily(job, last.due_at)).days)
        if days > CAUGHT_UP_AT_MOST:
            log.warning("runs were missed and are too old to be made good", extra={"job": job.name, "days": days})
        return [latest - timedelta(days=back) for back in reversed(range(min(days, CAUGHT_UP_AT_MOST)))]

    @staticmethod
    def _daily(job: Job, now: datetime) -> datetime:
        assert job.daily_at is not None
        hour, minute = map(int, job.daily_at.split(":"))
        today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)

    def _overdue(self, job: Job) -> bool:
        last = self._store.last_ok(job.name)
        return last is not None and last.due_at < self._daily(job, datetime.now(UTC))

    def _detect(self, now: datetime) -> str:
        """What is seen by a few events: rules, refused logins, moved tags."""
        return self._found(self._judged([one for one in self._detectors if _is_urgent(one)], now), now)

    def _detect_windows(self, now: datetime) -> str:
        """What takes a window to see: volumes, habits, models; and what the collector says of its logs."""
        found = self._judged([one for one in self._detectors if not _is_urgent(one)], now, WINDOWS)
        found += watch_formats(self._store, now, self._analytics)
        found += watch_integrity(self._store, now, self._analytics)
        return self._found(found, now)

    def _judged(self, detectors: list[Detector], now: datetime, group: str = "") -> list[Finding]:
        chosen = self._settings.analytics
        return detect_now(
            self._store,
            detectors,
            now,
            self._analytics,
            chosen.overlap,
            late=chosen.late,
            budget=chosen.budget,
            group=group,
            stopped=self._stopped.is_set,
            lasting=self._lasting[group],
        )

    def _found(self, found: list[Finding], now: datetime) -> str:
        """Into incidents, and told at once, by the job that tells: a receiver that hangs must not hold up detection."""
        changed = self._gather(now)
        if found and self._scheduler.running:
            self._scheduler.modify_job("notify", next_run_time=_clock())
        measure_incidents(self._store, self._alerts, now, times)
        return f"{len(found)} findings new or updated, {len(changed)} incidents"

    def _gather(self, now: datetime) -> list[Incident]:
        with self._gathering:  # two at once could make two incidents of one
            return gather(self._store, now - LOOK_BACK)

    def _absence(self, now: datetime) -> str:
        jobs = [
            Watched(job.name, timedelta(days=1) if job.daily_at else job.every, job.name == "report")
            for job in self.jobs
            if job.in_ledger
        ]
        expected = self._settings.analytics.expect
        found = watch_absence(self._store, now, jobs, expected, self._up_since, self._analytics)
        return f"{len(found)} findings new or updated"

    def _notify(self, now: datetime) -> str:
        alerts = self._settings.alerts
        queued = enqueue_new(self._store, alerts, now, partial(self._gather, now))
        done = deliver(self._store, alerts, now, self._alerts, partial(chart_of, self._store))
        return f"{queued} queued, {done.sent} sent, {done.retried} to try again, {done.failed} given up"

    def _maintain(self, now: datetime) -> str:
        done = self._store.maintain(now, self._settings.store.keep, self._settings.store.keep_rollups)
        return ", ".join(f"{name} {count}" for name, count in done.items()) or "nothing to do"

    def _look_at_store(self, now: datetime) -> str:
        from analytics.wording import several
        from regsight.store_health import watch_store

        found = watch_store(self._store, now)
        return f"{several(len(found), 'damaged file')}, see `regsight store verify`" if found else "everything is there"

    def _forecast(self, now: datetime) -> str:
        """Job `forecast`: what runs out soon becomes a finding."""
        from analytics.exhaustion import watch_exhaustion
        from analytics.forecasts import forecasts

        made = forecasts(self._store, self._settings.analytics.limits, now)
        found = watch_exhaustion(self._store, made, now, self._analytics)
        return f"{len(made)} forecasts, {len(found)} findings new or updated"

    def _models(self, now: datetime) -> str:
        from analytics.models.drift import watch_drift
        from analytics.models.shelf import Shelf
        from analytics.models.training import NAME, due, retrain

        if not any(detector.name == NAME for detector in self._detectors):
            return "no detector has a model"
        shelf = Shelf(self._store, NAME)
        trained = retrain(self._store, now) if due(shelf, now) else None
        serving = shelf.serving(now)
        found = watch_drift(self._store, serving, now, self._analytics) if serving else []
        told = "nothing trained" if trained is None else f"trained: {trained.reason}"
        return f"{told}; {len(found)} findings new or updated"

    def _verify(self, now: datetime) -> str:
        """What was read lately against the logs; the rows are looked at by `regsight verify`."""
        from collector.verify import tell, verify

        found = verify(self._store, now - 2 * VERIFY_EVERY, rows=False, most_bytes=VERIFY_BYTES)
        wrong = tell(self._store, found, now)
        return f"{sum(checked.same for checked in found):,} bytes as they were read, {wrong} places that are not"

    def _report(self, due: datetime) -> str:
        """The report of the day; on its weekday that of the week, on the first the auditor's of the month before."""
        from analytics.reports.write import write_audit, write_report
        from regsight.config import Weekday
        from regsight.periods import last_period

        reports = self._settings.reports
        assert reports.folder is not None
        day = reports.folder / f"regsight-{due:%Y-%m-%d}.html"
        limits = self._settings.analytics.limits
        written = [write_report(self._store, due - reports.span, due, day, due, reports.formats, limits)]
        if reports.weekly_on == get_args(Weekday)[due.weekday()]:
            week = day.with_stem(f"regsight-week-{due:%Y-%m-%d}")
            written.append(write_report(self._store, due - timedelta(days=7), due, week, due, reports.formats, limits))
        if reports.monthly_audit and due.day == 1:
            since, until = last_period("month", due)
            month = day.with_stem(f"regsight-audit-{since:%Y-%m}")
            written.append(write_audit(self._store, since, until, month, due, reports.formats))
        return ", ".join(map(str, written))


def _is_urgent(detector: Detector) -> bool:
    return detector.every <= URGENT_EVERY


def _scheduler() -> Any:
    from apscheduler.events import EVENT_JOB_MAX_INSTANCES
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(
        timezone=UTC,
        # The defaults drop a run that is a second late; here a late run is better than none, and covers several.
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
    )
    # Said in our words: the scheduler's name a method, and call it a warning when a receiver keeps `notify` for six seconds.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    scheduler.add_listener(_still_runs, EVENT_JOB_MAX_INSTANCES)
    return scheduler


def _still_runs(event: Any) -> None:
    level = logging.INFO if event.job_id == "notify" else logging.WARNING
    log.log(level, "job %s was due again while it still ran: one later run covers both", event.job_id)


def _clock() -> datetime:
    return datetime.now(UTC)
