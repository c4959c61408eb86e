"""Harbor's `scan_overview`: how the scans of one artifact ended, by type of report. In webhooks, and in the API's artifacts.

The key is a media type with its version (`application/vnd.security.vulnerability.report; version=1.1`); `summary` is null unless
`scan_status` is Success. Field names: src/pkg/scan/vuln of goharbor/harbor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collector.documents import as_object
from collector.lines import moment, whole, word
from collector.severities import severity_text
from store.event import Event, Outcome

_NO_TIME = "0001-01-01T00:00:00"  # Go's zero
_OUTCOMES = {"Success": Outcome.SUCCESS, "Error": Outcome.FAILURE, "Stopped": Outcome.FAILURE}


@dataclass(frozen=True, slots=True)
class Scan:
    """One ended scan. `told`: outcome, reason, duration and what was found, as fields of an event."""

    report_id: str | None
    ended: datetime | None
    told: Event


def ended_scans(overview: Any) -> Iterator[Scan]:
    """The scans that have ended, of a foreign document's `scan_overview`; those that wait or run are left out.

    Raises:
        Unreadable: the time of one cannot be read.
    """
    for report in as_object(overview).values():
        scan = as_object(report)
        outcome = _OUTCOMES.get(word(scan.get("scan_status")) or "")
        if outcome is not None:
            yield Scan(word(scan.get("report_id")), _moment(scan.get("end_time")), _told(scan, outcome))


def _told(scan: dict[str, Any], outcome: Outcome) -> Event:
    told: Event = {"outcome": outcome.value}
    seconds = whole(scan.get("duration"))
    if seconds is not None and seconds < 10**9:
        told["duration_ns"] = seconds * 10**9
    if scan.get("scan_status") == "Stopped":
        told["reason"] = "aborted"
    summary = scan.get("summary")
    if isinstance(summary, dict):
        counts = as_object(summary.get("summary"))
        told["error_message"] = severity_text(counts, whole(summary.get("fixable")))
    return told


def _moment(value: Any) -> datetime | None:
    """Raises: Unreadable: there is a time, and it cannot be read."""
    text = word(value)
    return None if text is None or text.startswith(_NO_TIME) else moment(text)
