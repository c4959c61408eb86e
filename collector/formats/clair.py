"""Clair v4: vulnerability reports of the matcher, and pages of notifications. `scan` events of a manifest, by digest.

A report (`GET /matcher/api/v1/vulnerability_report/<digest>`) is one event with counts by severity in `error_message`; a
notification says that one vulnerability was found in, or is gone from, a manifest. Neither says when, nor in which
repository: `timestamp` is the time of reading. The body of Clair's webhook only says where to fetch the page, and a
vulnerability by itself is about no image: both are ignored. Two severities exist; the normalised one is taken.

Shapes: httptransport/api/v1 of quay/clair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import word
from collector.severities import severity_text
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome


def claims(head: bytes) -> float:
    start = head.lstrip()[:65_536]
    if start[:1] != b"{":
        return 0.0
    if b'"manifest_hash"' in start and b'"packages"' in start:
        return 0.95
    if b'"notifications"' in start and b'"vulnerability"' in start and b'"manifest"' in start:
        return 0.95
    if b'"notification_id"' in start and b'"callback"' in start:
        return 0.9
    return 0.9 if b'"normalized_severity"' in start and b'"fixed_in_version"' in start else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    told = object_or_reject(document, "the document")
    if isinstance(told.get("notifications"), list):
        for notification in told["notifications"]:
            try:
                yield _notified(object_or_reject(notification, "the notification"))
            except LineError as error:
                yield error
    elif "manifest_hash" in told:
        yield _reported(told)
    elif "notification_id" not in told and "normalized_severity" not in told:
        raise NotMine("neither a report nor a notification of Clair")


def _reported(report: dict[str, Any]) -> Event:
    vulnerabilities = as_object(report.get("vulnerabilities"))
    present = {
        number
        for numbers in as_object(report.get("package_vulnerabilities")).values()
        for number in (numbers if isinstance(numbers, list) else [])
        if isinstance(number, str)
    }
    found = [as_object(vulnerabilities.get(number)) for number in present]
    counts = Counter(word(one.get("normalized_severity")) or "unknown" for one in found)
    fixable = sum(word(one.get("fixed_in_version")) is not None for one in found)
    return _scan(report.get("manifest_hash")) | {"error_message": severity_text(counts, fixable)}


def _notified(notification: dict[str, Any]) -> Event:
    number, reason = word(notification.get("id")), word(notification.get("reason"))
    vulnerability = as_object(notification.get("vulnerability"))
    name = word(vulnerability.get("name"))
    if number is None or reason is None or name is None:
        raise Unreadable("a notification without id, reason or vulnerability")
    package = as_object(vulnerability.get("package"))
    where = " ".join(text for text in (word(package.get("name")), word(package.get("version"))) if text)
    severity = word(vulnerability.get("normalized_severity")) or "Unknown"
    event = _scan(notification.get("manifest"))
    event["event_id"] = numbered_event_id("clair", number)
    event["error_message"] = f"{reason}: {name} ({severity})" + (f" in {where}" if where else "")
    return event


def _scan(digest: Any) -> Event:
    if not isinstance(digest, str) or not is_digest(digest):
        raise Unreadable("a scan of no manifest")
    return {
        "channel": Channel.APPLICATION.value,
        "action": Action.SCAN.value,
        "outcome": Outcome.SUCCESS.value,
        "reference": digest,
    }


FORMAT = DocumentFormat(
    name="clair",
    title="Clair v4 reports and notifications",
    registry_kind="scanner",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="4.x",
        tested=False,
        never=("time", "repository", "tag", "address", "user", "bytes", "duration", "pulls"),
    ),
)
