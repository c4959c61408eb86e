"""ECR's own events in EventBridge, by the examples of its documentation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from format_samples import SAMPLES, formats, read, read_sample, rows, said

PUSH = json.loads((SAMPLES / "ecr-eventbridge/image-push.json").read_text())
DIGEST = "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def test_a_push_in_full() -> None:
    """Neither who nor from where; both copies of the example are one event."""
    (row,) = rows(read_sample("ecr-eventbridge", "ecr-eventbridge/image-push.json"))
    assert said(row) == {
        "channel": "notification",
        "timestamp": datetime(2019, 11, 16, 1, 54, 34, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "repository": "my-repository-name",
        "project": "my-repository-name",
        "reference": "latest",
        "tag": "latest",
        "digest": DIGEST,
    }
    (copy,) = rows(read_sample("ecr-eventbridge", "ecr-eventbridge/image-push.lambda-go.json"))
    assert copy["event_id"] == row["event_id"]


def test_a_scan_says_what_it_found() -> None:
    (row,) = rows(read_sample("ecr-eventbridge", "ecr-eventbridge/image-scan-basic.json"))
    assert (row["action"], row["outcome"], row["digest"], row["tag"]) == ("scan", "success", DIGEST, None)
    assert row["error_message"] == "19 vulnerabilities: critical 10, medium 9"


def test_a_change_of_the_scan_settings_is_one_event_for_each_repository() -> None:
    parsed = read_sample("ecr-eventbridge", "ecr-eventbridge/scan-resource-change.json")
    told = [(row["action"], row["repository"]) for row in rows(parsed)]
    assert told == [("config", "repository-1"), ("config", "repository-2"), ("config", "repository-3")]
    assert len({row["event_id"] for row in rows(parsed)}) == 3


def test_newer_events() -> None:
    """The upstream cache and other regions replicate; archiving changes settings, not the image."""
    parsed = read_sample("ecr-eventbridge", "ecr-eventbridge/documented-others.jsonl")
    told = [(row["action"], row["outcome"], row["repository"], row["tag"]) for row in rows(parsed)]
    assert told == [
        ("replicate", "success", "docker-hub/alpine", "3.17.2"),
        ("delete", "success", "my-repository-name", "latest"),
        ("config", "success", "ubuntu", None),
        ("config", "success", "sbom", None),
        ("replicate", "success", "docker-hub/alpine", "3.17.2"),
        ("replicate", "failure", "my-app", "latest"),
    ]


def test_what_failed_says_why() -> None:
    detail = {"sync-status": "FAILED", "failure-code": "UPSTREAM", "failure-reason": "gone", "repository-name": "a"}
    cache = PUSH | {"detail-type": "ECR Pull Through Cache Action", "detail": detail}
    signed = PUSH | {"detail-type": "ECR Referrer Action"}
    failed, referrer = rows(read("ecr-eventbridge", line(cache) + line([signed])))
    assert (failed["outcome"], failed["error_code"], failed["error_message"]) == ("failure", "UPSTREAM", "gone")
    assert referrer["action"] == "sign"


def test_what_is_not_ours() -> None:
    """API calls are CloudTrail's, and its format does not take these; a day that never was is no time."""
    call = PUSH | {"detail-type": "AWS API Call via CloudTrail", "detail": {"eventSource": "ecr.amazonaws.com"}}
    never = PUSH | {"time": "2023-02-29T02:36:48Z"}  # as the documentation of the pull-through cache has it
    data = line(call) + line(PUSH | {"source": "aws.s3"}) + line(never) + line(PUSH | {"id": None}) + line(5)
    parsed = read("ecr-eventbridge", data)
    assert parsed.events.num_rows == 0
    assert [reject.reason for reject in parsed.rejects] == [
        "an API call: the format ecr-cloudtrail reads those",
        "no event of ECR",
        "no time that can be read",
        "an event without an id",
        "no JSON document begins here",
    ]
    assert formats()["ecr-cloudtrail"].claims(line(PUSH)) == 0.0
    assert formats()["ecr-eventbridge"].claims(line(call)) == 0.0
