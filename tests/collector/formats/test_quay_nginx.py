"""Quay's nginx."""

from __future__ import annotations

from datetime import UTC, datetime

from format_samples import read, read_sample, rows

SAMPLE = "quay-nginx/documented-lb-logs.log"


def test_the_documented_lines() -> None:
    """The challenge, a token, a pull, a layer and a probe; another program of the container is ignored."""
    parsed = read_sample("quay-nginx", SAMPLE)
    assert (parsed.ignored, parsed.rejects) == (1, [])
    assert [
        (row["action"], row["outcome"], row["actor"], row["client_ip"], row["client_via"]) for row in rows(parsed)
    ] == [
        ("ping", "unknown", None, "192.0.2.4", "forwarded"),
        ("token", "success", "payments+ci", "192.0.2.4", "forwarded"),
        ("pull", "success", None, "192.0.2.4", "proxied"),
        ("layer_download", "success", None, "192.0.2.5", "forwarded"),
        ("other", "success", None, "192.0.2.9", "forwarded"),
    ]


def test_a_pull_in_full() -> None:
    """Seconds become nanoseconds; the length of the request stands between the two durations."""
    row = rows(read_sample("quay-nginx", SAMPLE))[2]
    told = {name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")}
    assert told == {
        "revision": 0,
        "channel": "access",
        "timestamp": datetime(2026, 11, 24, 2, 17, 21, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "dataset": "quay-nginx",
        "registry": "r1",
        "registry_kind": "quay",
        "client_ip": "192.0.2.4",
        "client_via": "proxied",
        "user_agent": "docker/29.2.1 go/go1.25.6",
        "method": "GET",
        "uri": "/v2/payments/api/manifests/1.4.2",
        "status": 200,
        "response_bytes": 1576,
        "request_bytes": 1590,
        "duration_ns": 91_000_000,
        "repository": "payments/api",
        "project": "payments",
        "reference": "1.4.2",
        "tag": "1.4.2",
        "stream": "s",
        "offset": told["offset"],
        "path": SAMPLE,
        "parts": [f"s:{told['offset']}"],
    }


def test_what_is_no_such_line() -> None:
    """A combined line is another format's; a token's user who was refused is named."""
    combined = b'192.0.2.4 - - [24/Nov/2026:02:17:20 +0000] "GET /v2/ HTTP/1.1" 401 4 "-" "docker/29"\n'
    refused = b'192.0.2.4 (-) - bob [24/Nov/2026:02:17:20 +0000] "GET /v2/auth?account=bob HTTP/1.1" 401 4 "-" "x" (0.1 - -)\n'
    parsed = read("quay-nginx", combined + refused)
    assert len(parsed.rejects) == 1
    (row,) = rows(parsed)
    assert (row["outcome"], row["reason"], row["actor"], row["request_bytes"]) == (
        "denied",
        "bad_credentials",
        "bob",
        None,
    )
