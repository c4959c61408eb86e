"""Trivy's reports."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows, said

DIGEST = "sha256:" + "ab" * 32


def report(**fields: Any) -> bytes:
    known = {"SchemaVersion": 2, "CreatedAt": "2026-11-24T02:17:35Z", "ArtifactType": "container_image"}
    return json.dumps(known | fields).encode() + b"\n"


def test_a_report_in_full() -> None:
    """The archive's file name is no image, its tag is; the id of the image is no digest of a manifest."""
    (scan,) = rows(read_sample("trivy-report", "trivy-report/alpine-310.json"))
    assert said(scan) == {
        "channel": "application",
        "timestamp": datetime(2021, 8, 25, 12, 20, 30, tzinfo=UTC),
        "action": "scan",
        "outcome": "success",
        "host": "ghcr.io",
        "repository": "aquasecurity/trivy-test-images",
        "project": "aquasecurity",
        "reference": "alpine-310",
        "tag": "alpine-310",
        "error_message": "4 vulnerabilities: medium 4; 4 fixable",
    }
    (other,) = rows(read_sample("trivy-report", "trivy-report/debian-buster-ignore-unfixed.json"))
    assert other["error_message"] == "1 vulnerability: critical 1; 1 fixable"
    assert other["event_id"] != scan["event_id"]


def test_an_image_from_a_registry() -> None:
    """The digest is that of the repository which was asked for; without vulnerabilities the list is absent."""
    (scan,) = rows(
        read(
            "trivy-report",
            report(
                ArtifactName="registry.example.com:5000/payments/api:1.2",
                Metadata={
                    "RepoTags": [
                        "registry.example.com:5000/payments/api:1.2",
                        "registry.example.com:5000/payments/api:latest",
                    ],
                    "RepoDigests": [
                        f"other.example.com/x@{'sha256:' + 'cd' * 32}",
                        f"registry.example.com:5000/payments/api@{DIGEST}",
                    ],
                },
                Results=[{"Target": "app", "Class": "os-pkgs"}],
            ),
        )
    )
    assert (scan["host"], scan["repository"], scan["tag"]) == ("registry.example.com:5000", "payments/api", "1.2")
    assert (scan["digest"], scan["error_message"]) == (DIGEST, "0 vulnerabilities; 0 fixable")


def test_reports_about_other_things() -> None:
    """A file system is no image: the report is read and ignored."""
    parsed = read("trivy-report", report(ArtifactName=".", ArtifactType="filesystem"))
    assert (parsed.events.num_rows, parsed.ignored, parsed.rejects) == (0, 1, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"SchemaVersion": 1, "ArtifactName": "a"},
        {"ArtifactName": None},
        {"ArtifactName": "a", "CreatedAt": None},
        {"x": 1},
    ],
)
def test_reports_that_cannot_be_read(fields: dict[str, Any]) -> None:
    parsed = read("trivy-report", report(**fields))
    assert (parsed.events.num_rows, len(parsed.rejects)) == (0, 1)


def test_foreign_words_are_not_repeated() -> None:
    """A severity is one of a list, whatever the report says."""
    results = [
        {
            "Vulnerabilities": [
                {"Severity": "\x1b[31m"},
                {"Severity": ["x"]},
                {"Severity": "HIGH", "FixedVersion": "2"},
                7,
            ]
        },
        5,
    ]
    (scan,) = rows(read("trivy-report", report(ArtifactName="alpine", Results=results)))
    assert scan["error_message"] == "4 vulnerabilities: high 1, unknown 3; 1 fixable"
    assert (scan["host"], scan["repository"], scan["tag"]) == (None, "alpine", None)
