"""What nodes say of the images that they pull."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from format_samples import formats, read, read_sample, rows, said

from collector.pull_messages import cause_of


def test_a_failed_pull_in_full() -> None:
    (failed,) = rows(read_sample("kubelet-events", "kubelet-events/event-object-fixture.json"))
    assert said(failed) == {
        "channel": "notification",
        "timestamp": datetime(2026, 8, 27, 11, 49, 40, tzinfo=UTC),
        "action": "pull",
        "outcome": "failure",
        "reason": "not_found",
        "actor": "node-a",
        "actor_kind": "node",
        "host": "registry.example.com",
        "repository": "web",
        "project": "web",
        "reference": "does-not-exist",
        "tag": "does-not-exist",
        "error_code": "Failed",
        "error_message": "not found",
    }


def test_a_pull_in_full() -> None:
    """Of a list only the pull that was made counts: not its beginning, not the start of the container."""
    (pulled,) = rows(read_sample("kubelet-events", "kubelet-events/list.json"))
    assert said(pulled) == {
        "channel": "notification",
        "timestamp": datetime(2026, 8, 27, 11, 40, 5, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "actor": "node-a",
        "actor_kind": "node",
        "host": "registry.example.com",
        "repository": "payments/api",
        "project": "payments",
        "reference": "1.2",
        "tag": "1.2",
        "size_bytes": 337_292_688,
        "duration_ns": 2_710_000_000,
    }


def test_exported_events() -> None:
    """Both versions of the API; what repeats an error without the image is ignored."""
    parsed = read_sample("kubelet-events", "kubelet-events/exported.jsonl")
    waits, denied = rows(parsed)
    assert (waits["error_code"], waits["outcome"], waits["actor"], waits["tag"]) == (
        "BackOff",
        "failure",
        "node-b",
        "9",
    )
    assert (denied["outcome"], denied["reason"], denied["actor"]) == ("denied", "forbidden", "node-b")
    assert denied["digest"] == "sha256:35c102085707f703de2d9eaad8752d6fe1b8f02b5d2149f1d8357c9cc7fb7d0a"
    assert denied["timestamp"] == datetime(2026, 8, 27, 12, 6, 0, 1, tzinfo=UTC)  # the last of a series
    assert parsed.ignored == 1


def test_each_update_of_a_count_is_one_event() -> None:
    """The object keeps its uid; sent twice unchanged it is one event."""
    event = {
        "metadata": {"uid": "u1"},
        "involvedObject": {},
        "reason": "BackOff",
        "message": 'Back-off pulling image "a/b:1"',
        "lastTimestamp": "2026-08-27T12:04:00Z",
    }
    lines = [json.dumps({"type": "MODIFIED", "object": event | {"count": count}}) for count in (1, 2, 2)]
    ids = [row["event_id"] for row in rows(read("kubelet-events", "\n".join(lines).encode() + b"\n"))]
    assert ids[0] != ids[1] == ids[2]


def test_the_table_of_kubectl() -> None:
    """Ages are relative to a moment that the table does not say; it names no node."""
    parsed = read_sample("kubelet-events-text", "kubelet-events-text/get-events-image-pulls.txt")
    events = rows(parsed)
    assert [(row["outcome"], row["reason"], row["host"], row["repository"], row["tag"]) for row in events] == [
        ("success", None, None, "nginx", None),
        ("success", None, "registry.example.com", "payments/api", "1.2"),
        ("failure", "not_found", "registry.example.com", "web", "does-not-exist"),
        ("denied", "no_credentials", "ghcr.io", "org/private-app", "v1.0.0"),
        ("failure", "rate_limited", None, "busybox", None),
    ]
    assert all(row["timestamp"] == row["read_at"] and row["actor"] is None for row in events)
    assert (events[0]["duration_ns"], events[1]["size_bytes"]) == (8_644_480_658, 337_292_688)
    assert (parsed.ignored, parsed.rejects) == (6, [])


def test_other_tables() -> None:
    """With the namespace in front, and what is no table at all."""
    data = (
        b'kube-system   <unknown>   Normal   BackOff   pod/x   Back-off pulling image "a"\n'
        b"No resources found in x namespace.\nabc\n"
    )
    parsed = read("kubelet-events-text", data)
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (1, 1, 1)
    assert formats()["kubelet-events-text"].claims(b"Normal lines of text\nWarning: nothing\n") == 0.0


@pytest.mark.parametrize(
    ("message", "outcome", "reason"),
    [
        ("rpc error: code = NotFound desc = failed to resolve reference: x: not found", "failure", "not_found"),
        ("Error response from daemon: manifest for a/b:1 not found: manifest unknown", "failure", "not_found"),
        ("authorization failed: no basic auth credentials", "denied", "no_credentials"),
        ("failed to fetch anonymous token: unexpected status: 401 Unauthorized", "denied", "no_credentials"),
        ("failed to fetch oauth token: unexpected status: 401 Unauthorized", "denied", "bad_credentials"),
        ("failed to resolve image: unexpected status from HEAD request: 403 Forbidden", "denied", "forbidden"),
        ("unexpected status from HEAD request: 401 Unauthorized", "denied", None),
        ("pull access denied for a/b, repository does not exist or may require 'docker login'", "denied", None),
        ("toomanyrequests: You have reached your pull rate limit", "failure", "rate_limited"),
        ("failed to do request: dial tcp 31.13.95.34:443: i/o timeout", "failure", None),
        ("unexpected status from GET request: 503 Service Unavailable", "failure", "server_error"),
        ("", "failure", None),
    ],
)
def test_why_a_pull_did_not_work(message: str, outcome: str, reason: str | None) -> None:
    """Only what is plain has a reason."""
    assert cause_of(message) == (outcome, reason)


def test_what_cannot_be_read() -> None:
    data = b'{"involvedObject":{},"reason":"BackOff","message":"Back-off pulling image \\"a\\""}\n{"kind":"Pod"}\n[7]\n'
    parsed = read("kubelet-events", data)
    assert (parsed.events.num_rows, len(parsed.rejects)) == (0, 3)
