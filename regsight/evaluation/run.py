"""One run: simulated files in, collected into a store of its own, judged in the steps of the timetable, findings out."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regsight.evaluation.outcome import Alarm, Incident, Outcome, Said
from regsight.evaluation.plan import SCENARIOS, START, Plan

if TYPE_CHECKING:
    from store.contract import Store
    from store.finding import Finding

SHIFT = timedelta(days=11, hours=5)


def run(plan: Plan, only: tuple[str, ...] | None = None) -> Outcome:
    """Carry out a plan in a temporary folder. `only` names the detectors; None means all."""
    with tempfile.TemporaryDirectory(prefix="regsight-evaluate-") as folder:
        return _run(plan, Path(folder), only)


def _run(plan: Plan, folder: Path, only: tuple[str, ...] | None) -> Outcome:
    from analytics.incidents import gather
    from analytics.jobs import detect_span
    from analytics.yardsticks import readings
    from regsight.discover import detectors
    from regsight.traffic.population import PRESETS
    from regsight.traffic.simulate import simulate
    from store.locate import open_store

    clock = _Clock()
    setup = plan.setup
    start = START + (SHIFT if setup.renamed else timedelta(0))
    judged_from = start + timedelta(days=setup.learn)
    until = judged_from + timedelta(days=setup.judge)
    truth = simulate(
        folder / "logs",
        preset=setup.preset,
        start=start,
        days=setup.learn + setup.judge,
        seed=plan.seed,
        attacks=plan.attacks,
        surprises=plan.surprises,
        source=SCENARIOS[plan.scenario],
        renamed=setup.renamed,
    )
    clock.lap("simulate")
    store = open_store(f"delta:{folder / 'store'}")
    try:
        summary = _collect(store, [folder / "logs" / file for file in truth.files])
        clock.lap("collect")
        watched: Any = _Watched(store)
        timed: list[Any] = [_Timed(one, clock) for one in detectors() if only is None or one.name in only]
        detect_span(watched, timed, judged_from, until)
        gather(store, start)
        clock.lap("detect, the rest")
        alarms = {
            name: [Alarm(score=one.score, start=one.start, end=one.end, **{one.kind: one.subject}) for one in found]
            for name, found in readings(store, start, judged_from, until).items()
        }
        said = _said(store, watched)
    finally:
        store.close()
    return Outcome(
        seed=plan.seed,
        scenario=plan.scenario,
        preset=setup.preset,
        repositories=PRESETS[setup.preset].repositories,
        weeks=setup.weeks,
        quiet=plan.quiet,
        judged_from=judged_from,
        incidents=_incidents(folder / "logs" / "truth.json"),
        said=said,
        yardsticks=alarms,
        lines=summary.lines,
        events=summary.events,
        dead_letters=summary.dead_letters,
        seconds=clock.laps,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


class _Clock:
    """CPU seconds of this process, by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        now = time.process_time()
        self.laps[stage] = round(self.laps.get(stage, 0.0) + now - self._last, 4)
        self._last = now


class _Timed:
    """A detector whose CPU time is counted as a stage of its own."""

    def __init__(self, detector: Any, clock: _Clock) -> None:
        self._detector, self._clock = detector, clock

    def detect(self, store: Any, since: datetime, now: datetime) -> Any:
        self._clock.lap("detect, the rest")
        try:
            return self._detector.detect(store, since, now)
        finally:
            self._clock.lap(f"detect {self._detector.name}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


class _Watched:
    """A store that remembers when each finding was first worth a look: a finding may begin low and grow."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seen: dict[str, Finding] = {}
        self.raised: dict[str, datetime] = {}
        self._span: tuple[datetime, datetime] | None = None

    def span(self) -> tuple[datetime, datetime] | None:
        """Nothing is stored any more while detectors run: asked thousands of times, answered once."""
        if self._span is None:
            self._span = self._store.span()
        return self._span

    def put_finding(self, finding: Finding) -> bool:
        from store.finding import Severity

        if finding.severity.rank >= Severity.MEDIUM.rank and finding.id not in self.raised:
            new = finding.id not in self.seen
            self.raised[finding.id] = finding.detected_at if new else max(finding.detected_at, finding.end)
        self.seen[finding.id] = finding
        return self._store.put_finding(finding)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _collect(store: Store, files: Iterable[Path]) -> Any:
    from collector.sources.file_tail import FileTail
    from regsight.app import pipeline_over

    source = FileTail("simulated", [str(path) for path in files], registry="production", follow=False)
    return pipeline_over(store, [source]).run()


def _said(store: Store, watched: _Watched) -> list[Said]:
    """The findings, their evidence as ids of requests."""
    from store.contract import EventQuery

    wanted = sorted({id for finding in watched.seen.values() for id in finding.evidence})
    requests: dict[str, str] = {}
    for first in range(0, len(wanted), 500):
        for event in store.events(EventQuery(ids=wanted[first : first + 500])):
            requests[event["event_id"]] = event["request_id"] or ""
    stories = {id: incident.id for incident in store.incidents() for id in incident.findings}
    told: Callable[[Finding], tuple[str, ...]] = lambda finding: tuple(  # noqa: E731 - used twice below
        found for id in finding.evidence if (found := requests.get(id))
    )
    return [
        Said(
            detector=finding.detector,
            kind=finding.kind,
            severity=str(finding.severity),
            title=finding.title,
            at=watched.raised.get(finding.id, finding.detected_at),
            start=finding.start,
            end=finding.end,
            actors=tuple(finding.subjects.get("actor", ())),
            clients=tuple(finding.subjects.get("client", ())),
            repositories=tuple(finding.subjects.get("repository", ())),
            score=finding.score,
            evidence=told(finding),
            chance=finding.chance,
            story=stories.get(finding.id, ""),
            **_held(finding),
        )
        for finding in watched.seen.values()
    ]


def _held(finding: Finding) -> dict[str, str]:
    """At which severity it would have been told, and because of whom it was not."""
    from analytics.holding import held_back

    back = held_back(finding)
    return {} if back is None else {"would_be": str(back[0]), "behind": back[1]}


def _incidents(truth: Path) -> list[Incident]:
    entries = json.loads(truth.read_text(encoding="utf-8"))["scenarios"]
    return [
        Incident(
            id=entry["id"],
            kind=entry["kind"],
            name=entry["name"],
            benign=entry["benign"],
            difficulty=entry["difficulty"],
            evidence_class=entry["evidence"],
            start=_moment(entry["start"]),
            first=_moment(entry["first_evidence"]) if entry["first_evidence"] else None,
            decidable=_moment(entry["decidable"]) if entry["decidable"] and not entry["invisible"] else None,
            end=_moment(entry["end"]),
            actors=tuple(entry["actors"]),
            addresses=tuple(entry["addresses"]),
            repositories=tuple(entry["repositories"]),
            event_ids=tuple(entry["event_ids"]),
            techniques=tuple(entry["attack_technique"]),
        )
        for entry in entries
    ]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
