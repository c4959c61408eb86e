"""Who finds what no detector looks for in events: missing lines, changed formats, missed jobs, limits that run out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.detector import Suspicion
from analytics.judge import judge
from analytics.telemetry import AnalyticsTelemetry
from store.contract import EventReader, Records
from store.finding import Finding


@dataclass(slots=True, kw_only=True)
class Watch:
    """What `judge` wants to know of who found it, as of a detector; its suspicions are made elsewhere."""

    name: str
    subject: str
    every: timedelta
    history: timedelta
    next_step: str

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return ()

    def tell(
        self,
        store: Records,
        suspicions: Iterable[Suspicion],
        now: datetime,
        telemetry: AnalyticsTelemetry | None = None,
    ) -> list[Finding]:
        """Judge the suspicions and store what comes of them. Returns the findings that are new or changed.

        Raises:
            Unavailable: the store did not answer; calling again judges the same again.
        """
        found = judge(self, suspicions, now, store.finding)
        for finding in found:
            if store.put_finding(finding) and telemetry:
                telemetry.found(finding.detector, finding.severity)
        return found
