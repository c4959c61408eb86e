"""Quay's notifications."""

from __future__ import annotations

import json
from typing import Any

from format_samples import read, read_sample, rows

SAMPLE = "quay-webhook/repo-push.json"
BODY = {
    "repository": "payments/api",
    "namespace": "payments",
    "name": "api",
    "docker_url": "quay.example.com/payments/api",
    "homepage": "https://quay.example.com/repository/payments/api",
}


def told(**more: Any) -> list[dict[str, Any]]:
    return rows(read("quay-webhook", json.dumps(BODY | more).encode() + b"\n"))


def test_a_push_in_full() -> None:
    """The body says neither when nor who: the time is that of the delivery."""
    (row,) = rows(read_sample("quay-webhook", SAMPLE))
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
        "dataset": "quay-webhook",
        "registry": "r1",
        "registry_kind": "quay",
        "host": "quay.io",
        "repository": "mynamespace/repository",
        "project": "mynamespace",
        "reference": "1.2.3",
        "tag": "1.2.3",
        "stream": "s",
        "offset": 0,
        "path": SAMPLE,
        "parts": ["s:0"],
    }


def test_each_tag_is_an_event() -> None:
    """Several tags come in one body, and no two of them are one event."""
    events = told(updated_tags=["1", "2", 3, "latest"])
    assert [row["tag"] for row in events] == ["1", "2", "latest"]
    assert len({row["event_id"] for row in events}) == 3


def test_a_vulnerability() -> None:
    """What was found is said of tags."""
    (row,) = rows(read_sample("quay-webhook", "quay-webhook/documented-vulnerability.json"))
    assert (row["action"], row["repository"], row["tag"]) == ("scan", "payments/api", "1.4.2")


def test_others() -> None:
    """Builds and mirrors are ignored; another body is a dead letter."""
    parsed = read("quay-webhook", json.dumps(BODY | {"message": "x"}).encode() + b'\n{"zen":"x"}\n')
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 1, 1)
