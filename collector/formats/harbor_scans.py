"""Scan results in Harbor's API: the artifacts of a repository, asked for with `?with_scan_overview=true`.

One event `scan` for each scan that has ended, with counts by severity in `error_message`. Artifacts without one are no events: what
was pushed and pulled is told by the audit log. `repository_name` is absent in older releases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, object_or_reject
from collector.errors import LineError, NotMine
from collector.image_reference import is_digest
from collector.lines import word
from collector.scan_overview import Scan, ended_scans
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event


def claims(head: bytes) -> float:
    start = head.lstrip()[:65_536]
    if start[:1] not in (b"[", b"{"):
        return 0.0
    mine = all(name in start for name in (b'"digest"', b'"project_id"', b'"repository_id"', b'"push_time"'))
    return 0.9 if mine else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    for row in document if isinstance(document, list) else [document]:
        try:
            artifact = object_or_reject(row, "the artifact")
            if "digest" not in artifact or "repository_id" not in artifact:
                raise NotMine("not an artifact of Harbor")
            yield from (_event(artifact, scan, registry) for scan in ended_scans(artifact.get("scan_overview")))
        except LineError as error:
            yield error


def _event(artifact: dict[str, Any], scan: Scan, registry: str | None) -> Event:
    digest = word(artifact.get("digest"))
    event: Event = {
        "channel": Channel.APPLICATION.value,
        "action": Action.SCAN.value,
        "repository": word(artifact.get("repository_name")),
        "reference": digest if digest and is_digest(digest) else None,
    }
    event |= scan.told
    if scan.ended is not None:
        event["timestamp"] = scan.ended
    if scan.report_id is not None:
        event["event_id"] = numbered_event_id("harbor-scan", registry or "", scan.report_id, str(scan.ended))
    return event


FORMAT = DocumentFormat(
    name="harbor-scans",
    title="Harbor scan results (artifacts of the REST API)",
    registry_kind="harbor",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(versions="2.x", tested=True, never=("address", "user", "tag", "bytes", "pulls", "pushes")),
)
