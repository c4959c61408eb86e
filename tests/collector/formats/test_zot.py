"""zot's session log and its audit file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import SAMPLES, formats, read, read_sample, rows, said

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


AUDIT = "zot-audit/documented.jsonl"


def test_the_audit_file() -> None:
    """What was changed, by whom, from where; `anonymous` is nobody."""
    parsed = read_sample("zot-audit", AUDIT)
    told = [(row["action"], row["actor"], row["repository"], row["tag"]) for row in rows(parsed)]
    assert told == [
        ("layer_upload", "ci", "shop/api", None),
        ("layer_upload", "ci", "shop/api", None),
        ("push", "ci", "shop/api", "1.4.0"),
        ("mount", None, "shop/web", None),
        ("delete", "irina", "shop/api", None),
    ]
    assert rows(parsed)[3]["from_repository"] == "shop/api"


def test_an_audited_push_in_full() -> None:
    row = rows(read_sample("zot-audit", AUDIT))[2]
    assert said(row) == {
        "channel": "audit",
        "timestamp": datetime(2026, 3, 2, 8, 0, 3, 123456, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "actor": "ci",
        "client_ip": "203.0.113.9",
        "client_port": 40112,
        "client_via": "peer",
        "method": "PUT",
        "uri": "/v2/shop/api/manifests/1.4.0",
        "status": 201,
        "repository": "shop/api",
        "project": "shop",
        "reference": "1.4.0",
        "tag": "1.4.0",
    }


def test_which_of_the_two_a_stream_is() -> None:
    """Audit lines alone are the audit file; beside session lines they repeat them."""
    audit, session = formats()["zot-audit"], formats()["zot"]
    data = (SAMPLES / AUDIT).read_bytes()
    assert audit.claims(data) > 0.9
    assert session.claims(data) == 0.0
    assert audit.claims(data + line()) == 0.0
    assert session.claims(data + line()) > 0.9


def test_an_audit_line_without_its_status_is_a_reject() -> None:
    data = line(message="HTTP API Audit", action="PUT", object="/v2/a/manifests/1") + line()
    parsed = read("zot-audit", data)
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 1, 1)
