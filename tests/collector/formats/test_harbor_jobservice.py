"""Harbor's jobservice: what Harbor did of itself."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows, said

CAPTURE = "harbor-live/v2.12.4/jobservice.log"


def line(file: str, message: str, level: str = "INFO") -> bytes:
    return f"2026-11-24T02:45:58Z [{level}] [{file}:123]: {message}\n".encode()


def test_the_jobs_of_the_capture() -> None:
    """Each run of a job that matters is told; webhooks and what they print are not."""
    parsed = read_sample("harbor-jobservice", CAPTURE)
    assert Counter((row["action"], row["outcome"], row["repository"]) for row in rows(parsed)) == {
        ("replicate", "success", "payments/runtime"): 1,
        ("replicate", "success", "payments/api"): 1,
        ("replicate", "success", "payments/job"): 1,
        ("replicate", "failure", None): 10,  # four jobs, each tried again
        ("scan", "success", None): 1,
        ("scan", "failure", None): 1,
        ("retain", "success", None): 2,
        ("config", "success", None): 1,  # purging the audit log
        ("gc", "success", None): 1,
        ("gc", "unknown", "hub-cache/upstream/base"): 1,
        ("gc", "unknown", "payments/api"): 1,
    }
    assert (parsed.lines, parsed.ignored, parsed.rejects) == (7520, 7499, [])


def test_a_replication_in_full() -> None:
    copied = next(row for row in rows(read_sample("harbor-jobservice", CAPTURE)) if row["tag"])
    assert said(copied) == {
        "channel": "application",
        "timestamp": datetime(2026, 11, 24, 2, 45, 29, tzinfo=UTC),
        "action": "replicate",
        "outcome": "success",
        "actor": "harbor-jobservice",
        "actor_kind": "internal",
        "repository": "payments/runtime",
        "project": "payments",
        "reference": "2.0",
        "tag": "2.0",
    }


def test_a_failed_scan_and_a_purge() -> None:
    """The message names the job, so that it can be found in Harbor."""
    events = rows(read_sample("harbor-jobservice", CAPTURE))
    failed = next(row for row in events if row["action"] == "scan" and row["outcome"] == "failure")
    assert failed["reason"] == "server_error"
    assert failed["error_message"].startswith(
        "IMAGE_SCAN c72c3a8516839b98d8b86728: run error: scan job: fetch scan report"
    )
    (purged,) = (row for row in events if row["action"] == "config")
    assert purged["error_message"] == "PURGE_AUDIT_LOG e50d7ee748bc46497629b89d"


def test_what_garbage_collection_took() -> None:
    """No audit row tells of it; whether it was a dry run is said in another line."""
    taken = next(
        row
        for row in rows(read_sample("harbor-jobservice", CAPTURE))
        if row["repository"] == "payments/api" and row["action"] == "gc"
    )
    assert (taken["outcome"], taken["digest"]) == (
        "unknown",
        "sha256:a89def37b917c1707a6883a5648a548939c78d346afb8545a7d86eabc574b32b",
    )


@pytest.mark.parametrize(
    ("file", "message", "expected"),
    [
        ("/jobservice/runner/redis.go", "Job GARBAGE_COLLECTION:1a is stopped", ("gc", "failure", "aborted", None)),
        (
            "/jobservice/runner/redis.go",
            "Job 'RETENTION:1a@1795488354' exit with success",
            ("retain", "success", None, None),
        ),
        (
            "/controller/replication/transfer/image/transfer.go",
            "the manifest of artifact dr/api:1.0 is deleted",
            ("replicate", "success", None, "dr/api"),
        ),
        (
            "/controller/replication/transfer/image/transfer.go",
            "copy a/b:[1,2](source registry) to c/d:[1,2](destination registry) completed",
            ("replicate", "success", None, "a/b"),
        ),
    ],
)
def test_other_ends(file: str, message: str, expected: tuple[str | None, ...]) -> None:
    (event,) = rows(read("harbor-jobservice", line(file, message)))
    assert (event["action"], event["outcome"], event["reason"], event["repository"]) == expected


def test_lines_that_tell_nothing() -> None:
    """A job that prints such a sentence is not the runner; continuations are ignored; a stranger is a reject."""
    data = (
        line("/jobservice/job/impl/notification/webhook_job.go", "Job 'GARBAGE_COLLECTION:1' exit with success")
        + line("/jobservice/runner/redis.go", "Job 'REPLICATION:1' exit with success")
        + line("/jobservice/runner/redis.go", "Retrying job IMAGE_SCAN:1, revision: 2")
        + b'\t\t{\t"type": "section",\n}```"\n| sha256:ab | n2 |\n'
        + b"hello\n"
    )
    parsed = read("harbor-jobservice", data)
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 6, 1)
