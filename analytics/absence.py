"""What did not happen: a job of Regsight's own, a report, or what the settings say should happen regularly.

Silence looks like peace. A finding lasts as long as the absence does and keeps its id; it ends by itself when the thing
happens again. Whole registries that fall silent are a rule of the pack (`source_went_silent`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.expectation import Expectation
from analytics.telemetry import AnalyticsTelemetry
from analytics.watch import Watch
from analytics.wording import duration
from store.contract import Store
from store.event import iso
from store.finding import Finding, Severity

MISSED_RUNS = 3  # of a job; one late run is no news
LEAST_GRACE = timedelta(minutes=15)
REPORT_GRACE = timedelta(hours=1)  # a daily report is late after that


@dataclass(frozen=True, slots=True)
class Watched:
    """A job of the timetable that keeps its runs in the ledger."""

    name: str
    every: timedelta
    report: bool = False

    @property
    def allowed(self) -> timedelta:
        """So long after its last good run it is missed."""
        return self.every + REPORT_GRACE if self.report else max(MISSED_RUNS * self.every, LEAST_GRACE)


WATCH = Watch(
    name="absence",
    subject="registry_wide",
    every=timedelta(minutes=5),
    history=timedelta(days=30),
    next_step="See `regsight status` and the log of `regsight run`.",
)


def watch_absence(
    store: Store,
    now: datetime,
    jobs: Iterable[Watched],
    expected: Iterable[Expectation],
    up_since: datetime,
    telemetry: AnalyticsTelemetry | None = None,
) -> list[Finding]:
    """Find what is missing; findings are stored. Returns those that are new or changed.

    `up_since` is when this process began: what was missed while nothing ran is caught up, and no absence.

    Raises:
        Unavailable: the store did not answer; calling again judges the same again.
    """
    suspicions = [*_jobs(store, now, jobs, up_since), *_events(store, now, expected)]
    return WATCH.tell(store, suspicions, now, telemetry)


def _jobs(store: Store, now: datetime, jobs: Iterable[Watched], up_since: datetime) -> Iterator[Suspicion]:
    for job in jobs:
        last = store.last_ok(job.name)
        since = max(up_since, last.due_at) if last else up_since
        if now - since <= job.allowed:
            continue
        latest = next(iter(store.runs(job.name, limit=1)), None)
        how = f"its last run {latest.state}: {latest.note}" if latest and latest.note else "it does not run"
        what = "no report was written" if job.report else f"job {job.name} has not ended well"
        yield Suspicion(
            kind="report_missing" if job.report else "job_missing",
            cause=("job", job.name, iso(since)),
            severity=Severity.HIGH if job.name == "detect" else Severity.MEDIUM,
            title=f"{what} for {duration(now - since)}",
            start=since,
            end=now,
            subjects={},
            score=(now - since) / job.allowed,
            expected=f"one good run of {job.name} every {duration(job.every)}",
            observed=f"none since {iso(since)[:16].replace('T', ' ')} UTC; {how}",
        )


def _events(store: Store, now: datetime, expected: Iterable[Expectation]) -> Iterator[Suspicion]:
    span = store.span()
    if span is None:
        return
    for one in expected:
        # Asked in two steps: the usual case reads no more than the span in which it has to be.
        if next(iter(store.events(replace(one.query(), since=now - one.within))), None) is not None:
            continue
        last = next(iter(store.events(one.query())), None)
        since: datetime = last["timestamp"] if last else span[0]
        if now - since <= one.within:
            continue  # the store does not reach back far enough to say
        never = "" if last else " (never seen)"
        named = {"actor": one.actor, "client": one.client, "repository": one.repository}
        yield Suspicion(
            kind="expected_event_missing",
            cause=("expected", one.name, iso(since)),
            severity=one.severity,
            title=f"{one.name} has not happened for {duration(now - since)}{never}",
            start=since,
            end=now,
            subjects={name: [it] for name, it in named.items() if it and not set(it) & set("*?")},
            score=(now - since) / one.within,
            expected=f"one within {duration(one.within)}",
            observed=f"none since {iso(since)[:16].replace('T', ' ')} UTC{never}",
            next_step=f"See whether {one.name} ran, and whether the registry's log of that time was read.",
        )
