"""zot's session log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows

SAMPLE = "zot/zot-v2-2026.jsonl"


def line(**changes: Any) -> bytes:
    fields = {"time": "2026-09-27T14:54:53Z", "level": "info", "message": "HTTP API", "clientIP": "[2001:db8::1]:45590"}
    fields |= {
        "method": "GET",
        "path": "/v2/a/b/manifests/1",
        "statusCode": 200,
        "latency": "2s",
        "bodySize": 7,
        "headers": {},
    }
    return json.dumps(fields | changes).encode() + b"\n"


def test_the_sample() -> None:
    """The challenge, a push, checks and a layer, as a real registry wrote them."""
    told = [(row["action"], row["outcome"], row["reason"]) for row in rows(read_sample("zot", SAMPLE))]
    assert told == [
        ("ping", "unknown", "challenge"),
        ("push", "success", None),
        ("check", "success", None),
        ("check", "success", None),
        ("layer_download", "success", None),
    ]


def test_a_push_in_full() -> None:
    """User, sizes, peer and agent; a latency of zero seconds says nothing."""
    row = rows(read_sample("zot", SAMPLE))[1]
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "application",
        "timestamp": datetime(2026, 9, 27, 14, 54, 55, 736062, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "dataset": "zot",
        "registry": "r1",
        "registry_kind": "zot",
        "actor": "flintlock",
        "client_ip": "127.0.0.1",
        "client_port": 45614,
        "client_via": "peer",
        "user_agent": "skopeo/1.13.3",
        "method": "PUT",
        "uri": "/v2/liquidmetal-dev/flintlock-kernel/manifests/5.10.77",
        "status": 201,
        "response_bytes": 0,
        "request_bytes": 563,
        "repository": "liquidmetal-dev/flintlock-kernel",
        "project": "liquidmetal-dev",
        "reference": "5.10.77",
        "tag": "5.10.77",
        "stream": "s",
        "offset": row["offset"],
        "path": SAMPLE,
        "parts": [f"s:{row['offset']}"],
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"statusCode": 401}, ("pull", "denied", "no_credentials")),
        ({"statusCode": 401, "headers": {"Authorization": ["******"]}}, ("pull", "denied", "bad_credentials")),
        (
            {"statusCode": 401, "headers": {"Authorization": ["******"]}, "path": "/v2/"},
            ("login", "denied", "bad_credentials"),
        ),
        ({"statusCode": 200, "username": "u", "path": "/v2/"}, ("login", "success", None)),
        ({"statusCode": 403, "username": "u"}, ("pull", "denied", "forbidden")),
        ({"statusCode": 404, "path": "/wp-login.php"}, ("other", "failure", "not_found")),
    ],
)
def test_results(changes: dict[str, Any], told: tuple[str, str, str | None]) -> None:
    """Whether credentials came with a 401 is visible here."""
    (row,) = rows(read("zot", line(**changes)))
    assert (row["action"], row["outcome"], row["reason"]) == told
    assert (row["client_ip"], row["client_port"], row["duration_ns"]) == ("2001:db8::1", 45590, 2_000_000_000)


def test_other_lines() -> None:
    """Start-up and audit lines are ignored; a request without its status is a reject."""
    data = line(message="HTTP API Audit") + line(message="configuration settings") + line(statusCode=None)
    parsed = read("zot", data)
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 2, 1)
