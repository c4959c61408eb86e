"""Google Artifact Registry in Cloud Audit Logs."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import SAMPLES, read, read_sample, rows, said

REAL = json.loads((SAMPLES / "gar-audit/get-manifest-not-found.jsonl").read_text())


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def entry(**payload: Any) -> dict[str, Any]:
    return REAL | {"protoPayload": REAL["protoPayload"] | payload}


def test_a_real_entry_in_full() -> None:
    """The repository from the URL, the status by its gRPC name and never as HTTP, and an address that is none."""
    (row,) = rows(read_sample("gar-audit", "gar-audit/get-manifest-not-found.jsonl"))
    digest = "sha256:a28cec80810f824b2e15005b1dc93877e1b9c7b7b3466d4f4b593c9c5db64868"
    assert said(row) == {
        "channel": "audit",
        "timestamp": datetime(2024, 7, 4, 23, 50, 15, 79183, tzinfo=UTC),
        "action": "pull",
        "outcome": "failure",
        "reason": "not_found",
        "actor": "service-628324858917@container-analysis.iam.gserviceaccount.com",
        "user_agent": "ContainerAnalysis/boq_artifact-analysis-scanlistener_20240614.04_p1 go-containerregistry",
        "method": "GET",
        "uri": f"/v2/ons-blaise-v2-prod/gcf-artifacts/publish_msg/cache/manifests/{digest}",
        "repository": "ons-blaise-v2-prod/gcf-artifacts/publish_msg/cache",
        "project": "ons-blaise-v2-prod",
        "reference": digest,
        "digest": digest,
        "error_code": "NOT_FOUND",
        "error_message": "generic::not_found: Requested entity was not found.",
    }


def test_the_other_real_entry() -> None:
    """A HEAD is a check; the tag is named; an address is one."""
    (row,) = rows(read_sample("gar-audit", "gar-audit/head-manifest-latest.jsonl"))
    assert (row["action"], row["tag"], row["client_ip"], row["client_via"]) == ("check", "latest", "203.0.113.2", "log")
    assert row["user_agent"] == "go-containerregistry"


def test_documented_entries() -> None:
    """Refusals, the admin API by the resource's name, an operation once; packages that are no images are ignored."""
    parsed = read_sample("gar-audit", "gar-audit/documented.jsonl")
    told = [(row["action"], row["outcome"], row["reason"], row["repository"], row["tag"]) for row in rows(parsed)]
    assert told == [
        ("push", "success", None, "p1/images/shop/api", "1.4.0"),
        ("layer_download", "success", None, "p1/images/shop/api", None),
        ("pull", "denied", "forbidden", "p1/images/shop/api", "1.4.0"),
        ("pull", "denied", None, "p1/images/shop/api", "1.4.0"),
        ("untag", "success", None, "p1/images/shop/api", "1.3.0"),
        ("permission", "success", None, "p1/images", None),
        ("delete", "success", None, "p1/images/shop/web", None),
    ]
    assert parsed.ignored == 2


def test_pubsub_and_lists_tell_the_same() -> None:
    """What Pub/Sub pushes and what the command line prints hold the same entries under the same ids."""
    pushed = {"message": {"data": base64.b64encode(json.dumps(REAL).encode()).decode()}, "subscription": "s"}
    parsed = read("gar-audit", line(REAL) + line([REAL]) + line(pushed))
    assert (parsed.events.num_rows, parsed.rejects) == (3, [])
    assert len({row["event_id"] for row in rows(parsed)}) == 1


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, ("success", None, None)),
        ({"code": 0}, ("success", None, None)),
        ({"code": 16}, ("denied", "bad_credentials", "UNAUTHENTICATED")),
        ({"code": "7"}, ("denied", "forbidden", "PERMISSION_DENIED")),
        ({"code": 8}, ("failure", "rate_limited", "RESOURCE_EXHAUSTED")),
        ({"code": 14}, ("failure", "server_error", "UNAVAILABLE")),
        ({"code": 99}, ("failure", "server_error", "UNKNOWN")),
    ],
)
def test_codes(status: dict[str, Any], told: tuple[str, str | None, str | None]) -> None:
    (row,) = rows(read("gar-audit", line(entry(status=status))))
    assert (row["outcome"], row["reason"], row["error_code"], row["status"]) == (*told, None)


def test_a_right_that_was_not_granted() -> None:
    """Some entries say so without a status."""
    (row,) = rows(read("gar-audit", line(entry(status={}, authorizationInfo=[{"granted": False}]))))
    assert (row["outcome"], row["reason"]) == ("denied", "forbidden")


def test_other_entries() -> None:
    """Other services are ignored; what is no audit entry, or has lost its id, is a reject."""
    data = line(entry(serviceName="iam.googleapis.com")) + line({"jsonPayload": {}}) + line(REAL | {"insertId": None})
    data += line({"message": {"data": "%%%"}})
    parsed = read("gar-audit", data)
    assert (parsed.events.num_rows, parsed.ignored) == (0, 1)
    assert [reject.reason for reject in parsed.rejects] == [
        "no entry of an audit log",
        "an entry without methodName or insertId",
        "a Pub/Sub message without readable data",
    ]
