"""Scan results in Harbor's API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from format_samples import read, read_sample, rows, said

from collector.scan_overview import ended_scans

CAPTURE = "harbor-live/v2.12.4/api.artifacts.json"
DIGEST = "sha256:907ec0f5839caaa6f54bc3cd29ff2394e3604a28d797faf29fae986f9a930b56"
KIND = "application/vnd.security.vulnerability.report; version=1.1"


def test_a_scan_in_full() -> None:
    """Of the artifacts of the capture one was scanned."""
    (scan,) = rows(read_sample("harbor-scans", CAPTURE))
    assert said(scan) == {
        "channel": "application",
        "timestamp": datetime(2026, 11, 24, 2, 45, 31, tzinfo=UTC),
        "action": "scan",
        "outcome": "success",
        "duration_ns": 3_000_000_000,
        "repository": "payments/api",
        "project": "payments",
        "reference": DIGEST,
        "digest": DIGEST,
        "error_message": "3 vulnerabilities: critical 1, high 1, low 1; 2 fixable",
    }
    again = rows(read_sample("harbor-scans", CAPTURE))
    assert [row["event_id"] for row in again] == [scan["event_id"]]


def artifact(**scan: Any) -> bytes:
    return (
        json.dumps([{"digest": DIGEST, "repository_id": 1, "project_id": 2, "scan_overview": {KIND: scan}}]).encode()
        + b"\n"
    )


def test_scans_that_did_not_work() -> None:
    """`summary` is null unless the scan succeeded; one that runs is no event yet."""
    (failed,) = rows(read("harbor-scans", artifact(scan_status="Error", summary=None, end_time="2026-11-24T02:45:31Z")))
    assert (failed["outcome"], failed["reason"], failed["error_message"]) == ("failure", None, None)
    (stopped,) = rows(
        read("harbor-scans", artifact(scan_status="Stopped", summary=None, end_time="2026-11-24T02:45:31Z"))
    )
    assert (stopped["outcome"], stopped["reason"]) == ("failure", "aborted")
    running = read("harbor-scans", artifact(scan_status="Running", start_time="2026-11-24T02:45:31Z"))
    assert (running.events.num_rows, running.ignored) == (0, 1)


def test_a_foreign_overview() -> None:
    """Whatever stands there, nothing raises, and a time that cannot be read is no other time."""
    assert (
        list(ended_scans(None)) == list(ended_scans({"x": [1]})) == list(ended_scans({"x": {"scan_status": {}}})) == []
    )
    parsed = read("harbor-scans", artifact(scan_status="Success", end_time="yesterday"))
    assert (parsed.events.num_rows, len(parsed.rejects)) == (0, 1)
    (odd,) = rows(
        read("harbor-scans", artifact(scan_status="Success", summary={"summary": {"Critical": -1, "\x1b": 3}}))
    )
    assert odd["error_message"] == "3 vulnerabilities: unknown 3"
