"""ECR through CloudTrail, by the examples of its documentation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import SAMPLES, read, read_sample, rows

PUT = "ecr-cloudtrail/put-image.json"


def record(**changes: Any) -> bytes:
    fields = {
        "eventVersion": "1.08",
        "eventSource": "ecr.amazonaws.com",
        "eventTime": "2026-11-24T02:17:24Z",
        "eventID": "e1",
    }
    return json.dumps(fields | {"eventName": "BatchGetImage", "userIdentity": {}} | changes).encode() + b"\n"


def test_a_push_in_full() -> None:
    """Tag and digest come from what was asked and what was answered."""
    (row,) = rows(read_sample("ecr-cloudtrail", PUT))
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "audit",
        "timestamp": datetime(2019, 4, 15, 16, 45, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "dataset": "ecr-cloudtrail",
        "registry": "r1",
        "registry_kind": "ecr",
        "actor": "arn:aws:sts::123456789012:user/Mary_Major",
        "client_ip": "203.0.113.12",
        "client_via": "log",
        "user_agent": "console.amazonaws.com",
        "request_id": "cf044b7d-5f9d-11e9-9b2a-95983139cc57",
        "repository": "testrepo",
        "project": "testrepo",
        "reference": "latest",
        "tag": "latest",
        "digest": "sha256:98c8b060c21d9adbb6b8c41b916e95e6307102786973ab93a41e8b86d1fc6d3e",
        "stream": "s",
        "offset": 0,
        "path": PUT,
        "parts": ["s:0"],
    }


@pytest.mark.parametrize(
    ("name", "action", "repository"),
    [
        ("create-repository.json", "config", "testrepo"),
        ("policy-execution-event.json", "retain", "testrepo"),
        ("set-repository-policy.panther-normalised.json", "permission", "community"),
    ],
)
def test_other_examples(name: str, action: str, repository: str) -> None:
    """Settings, lifecycle and policies are told apart; a service's own name is no address."""
    (row,) = rows(read_sample("ecr-cloudtrail", f"ecr-cloudtrail/{name}"))
    assert (row["action"], row["repository"], row["outcome"]) == (action, repository, "success")
    assert row["client_ip"] in (None, "203.0.113.12")


def test_records_of_other_services_are_ignored() -> None:
    """The key service's grant for ECR is no event of the registry."""
    parsed = read_sample("ecr-cloudtrail", "ecr-cloudtrail/create-grant.json")
    assert (parsed.events.num_rows, parsed.rejects) == (0, [])


def test_a_delivered_file_holds_many_records() -> None:
    """What CloudTrail puts into S3 is one line with all records; a bad one does not hide the good ones."""
    records = [json.loads((SAMPLES / PUT).read_text()), {"eventSource": "ecr.amazonaws.com"}, json.loads(record())]
    parsed = read("ecr-cloudtrail", json.dumps({"Records": records}).encode())
    assert (parsed.events.num_rows, len(parsed.rejects), parsed.lines) == (2, 1, 1)
    (enveloped,) = rows(read("ecr-cloudtrail", b'{"source":"aws.ecr","detail":' + record().strip() + b"}\n"))
    assert enveloped["event_id"] == rows(parsed)[1]["event_id"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("AccessDeniedException", ("denied", "forbidden")),
        ("ExpiredTokenException", ("denied", "bad_credentials")),
        ("RepositoryNotFoundException", ("failure", "not_found")),
        ("ImageAlreadyExistsException", ("failure", "invalid")),
    ],
)
def test_errors(code: str, told: tuple[str, str]) -> None:
    """An error code says how it ended; parameters may then be null."""
    changes = {
        "errorCode": code,
        "requestParameters": None,
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
    }
    (row,) = rows(read("ecr-cloudtrail", record(**changes)))
    assert (row["outcome"], row["reason"]) == told
    assert row["client_ip"] is row["user_agent"] is row["actor"] is None
