"""JFrog's webhooks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows

SAMPLE = "artifactory-webhook/webhook-docker-pushed.json"


def body(**changes: Any) -> dict[str, Any]:
    data = {"repo_key": "docker-local", "image_name": "a/b", "tag": "1", "sha256": "f" * 64, "size": 9}
    return {"domain": "docker", "event_type": "pushed", "data": data, "source": "jfrog/bob"} | changes


def told(document: Any) -> list[dict[str, Any]]:
    return rows(read("artifactory-webhook", json.dumps(document).encode() + b"\n"))


def test_a_push_in_full() -> None:
    """The body names no time: it is that of the delivery."""
    (row,) = rows(read_sample("artifactory-webhook", SAMPLE))
    assert row["timestamp"] == row["read_at"]
    assert {
        name: value
        for name, value in row.items()
        if value is not None and name not in ("read_at", "timestamp", "event_id")
    } == {
        "revision": 0,
        "channel": "notification",
        "action": "push",
        "outcome": "success",
        "dataset": "artifactory-webhook",
        "registry": "r1",
        "registry_kind": "artifactory",
        "actor": "user@example.com",
        "host": "example.jfrog.io",
        "repository": "docker-remote-cache/library/ubuntu",
        "project": "docker-remote-cache",
        "reference": "latest",
        "tag": "latest",
        "digest": "sha256:35c4a2c15539c6c1e4e5fa4e554dac323ad0107d8eb5c582d6ff386b383b7dce",
        "size_bytes": 1206,
        "stream": "s",
        "offset": 0,
        "path": SAMPLE,
        "parts": ["s:0"],
    }


@pytest.mark.parametrize(("kind", "action"), [("pushed", "push"), ("deleted", "untag"), ("promoted", "tag")])
def test_what_happens_to_a_tag(kind: str, action: str) -> None:
    """A promotion sets a tag without a push."""
    (row,) = told(body(event_type=kind))
    assert (row["action"], row["repository"], row["tag"]) == (action, "docker-local/a/b", "1")


def test_the_image_is_also_in_the_path() -> None:
    """Where the name is left out, the file's place says it."""
    data = {"repo_key": "docker-local", "path": "a/b/1/manifest.json"}
    (row,) = told(body(data=data))
    assert (row["repository"], row["tag"], row["digest"]) == ("docker-local/a/b", "1", None)


def test_a_kept_request_says_when_it_came() -> None:
    """The line of a capture has the time of its arrival."""
    (row,) = told({"received_at": "2026-11-24T02:17:24Z", "headers": {}, "body": json.dumps(body())})
    assert row["timestamp"] == datetime(2026, 11, 24, 2, 17, 24, tzinfo=UTC)


def test_other_domains_are_ignored() -> None:
    """Files, builds and bundles are no images; another body is a dead letter."""
    assert told(body(domain="artifact", event_type="deployed")) == []
    assert len(read("artifactory-webhook", b'{"events":[]}\n').rejects) == 1
    assert len(read("artifactory-webhook", json.dumps(body(data={})).encode()).rejects) == 1
