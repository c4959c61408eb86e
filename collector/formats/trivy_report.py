"""Trivy's JSON report (`trivy image --format json`, SchemaVersion 2): one event `scan` for each container image.

Counts by severity are in `error_message`. `Vulnerabilities` is absent where there are none. The digest is that of the manifest
(`RepoDigests`), which images read from an archive do not have; `ImageID` is the digest of the configuration and no name that a
registry knows. Reports about file systems and repositories of source code are no events.

Fields: pkg/types/report.go of aquasecurity/trivy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import ImageReference, is_repository, read_pulled_image
from collector.lines import moment, word
from collector.severities import severity_text
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome


def claims(head: bytes) -> float:
    if head.lstrip()[:1] != b"{" or b'"SchemaVersion"' not in head[:4096]:
        return 0.0
    return 0.95 if b'"ArtifactName"' in head[:16_384] and b'"ArtifactType"' in head[:16_384] else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    report = object_or_reject(document, "the report")
    if "ArtifactName" not in report or "SchemaVersion" not in report:
        raise NotMine("not a report of Trivy")
    if report.get("SchemaVersion") != 2:
        raise Unreadable("a report of another schema version than 2")
    if report.get("ArtifactType") in ("container_image", "image"):
        yield _event(report)


def _event(report: dict[str, Any]) -> Event:
    name, created = word(report.get("ArtifactName")), report.get("CreatedAt")
    if name is None or created is None:
        raise Unreadable("a report without ArtifactName or CreatedAt")
    metadata = as_object(report.get("Metadata"))
    host, image = _image(name, metadata)
    found = list(_vulnerabilities(report.get("Results")))
    counts = Counter(word(one.get("Severity")) or "unknown" for one in found)
    return {
        "event_id": numbered_event_id("trivy", str(report.get("ReportID")), name, str(created)),
        "channel": Channel.APPLICATION.value,
        "timestamp": moment(created),
        "action": Action.SCAN.value,
        "outcome": Outcome.SUCCESS.value,
        "host": host,
        "repository": image.repository,
        "reference": image.tag or image.digest,
        "tag": image.tag,
        "digest": image.digest or _digest(metadata, host, image.repository),
        "error_message": severity_text(counts, sum(word(one.get("FixedVersion")) is not None for one in found)),
    }


def _vulnerabilities(results: Any) -> Iterator[dict[str, Any]]:
    for result in results if isinstance(results, list) else []:
        found = as_object(result).get("Vulnerabilities")
        yield from (as_object(one) for one in (found if isinstance(found, list) else []))


def _image(name: str, metadata: dict[str, Any]) -> tuple[str | None, ImageReference]:
    """What was scanned, as a registry knows it: an archive's file name is no image, but its first tag is."""
    tags = _words(metadata.get("RepoTags"))
    if tags and name not in tags and (len(tags) == 1 or not is_repository(read_pulled_image(name)[1].repository)):
        name = tags[0]
    return read_pulled_image(name)


def _digest(metadata: dict[str, Any], host: str | None, repository: str) -> str | None:
    for named in _words(metadata.get("RepoDigests")):
        where, image = read_pulled_image(named)
        if (where, image.repository) == (host, repository):
            return image.digest
    return None


def _words(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, list) else []


FORMAT = DocumentFormat(
    name="trivy-report",
    title="Trivy report (JSON)",
    registry_kind="scanner",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="SchemaVersion 2 with CreatedAt",
        tested=True,
        never=("address", "user", "bytes", "duration", "pulls", "digest of an image from an archive"),
    ),
)
