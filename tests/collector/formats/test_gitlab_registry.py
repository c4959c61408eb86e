"""GitLab's container registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import SAMPLES, block, cut, formats, read, read_sample, rows, said

ACCESS = json.loads((SAMPLES / "gitlab-registry/challenge-2025.jsonl").read_text())


def line(**changes: Any) -> bytes:
    return json.dumps(ACCESS | {"uri": "/v2/a/b/manifests/1"} | changes).encode() + b"\n"


def application(message: str, **fields: Any) -> bytes:
    entry = {"correlation_id": ACCESS["correlation_id"], "go_version": "go1.22.5", "level": "info", "msg": message}
    return json.dumps(entry | {"time": ACCESS["time"]} | fields).encode() + b"\n"


def test_a_real_access_line_in_full() -> None:
    """The challenge, told by a registry behind a proxy."""
    (row,) = rows(read_sample("gitlab-registry", "gitlab-registry/challenge-2025.jsonl"))
    assert said(row) == {
        "channel": "application",
        "timestamp": datetime(2025, 2, 12, 21, 28, 2, 740000, tzinfo=UTC),
        "action": "ping",
        "outcome": "unknown",
        "reason": "challenge",
        "client_ip": "111.111.111.111",
        "client_via": "forwarded",
        "peer_ip": "172.24.0.1",
        "user_agent": ACCESS["user_agent"],
        "method": "GET",
        "uri": "/v2/",
        "host": "registry.examle.com",
        "request_id": "01JKY0ZMDMP25HMMVS01X5ANNH",
        "status": 401,
        "response_bytes": 87,
    }


def test_a_real_refused_request_behind_svlogd() -> None:
    """Two application lines in text and the access line in JSON are one event, with the reason of the refusal."""
    parsed = read_sample("gitlab-registry", "gitlab-registry/omnibus-refused-2022.log")
    (row,) = rows(parsed)
    assert (row["action"], row["outcome"], row["reason"]) == ("check", "denied", "no_credentials")
    assert (row["repository"], row["duration_ns"], row["user_agent"]) == (
        "workspace-images",
        14_000_000,
        "containerd/1.5.5+unknown",
    )
    assert row["timestamp"] == datetime(2022, 3, 14, 13, 46, 49, 899000, tzinfo=UTC)
    assert parsed.ignored == 4


def test_documented_lines() -> None:
    """The user, the registry's error and the reason come from the application lines."""
    parsed = read_sample("gitlab-registry", "gitlab-registry/documented-json.log")
    told = [(row["action"], row["outcome"], row["reason"], row["actor"], row["error_code"]) for row in rows(parsed)]
    assert told == [
        ("push", "success", None, "irina", None),
        ("pull", "failure", "not_found", "gitlab-ci-token", "MANIFEST_UNKNOWN"),
        ("pull", "denied", "forbidden", None, None),
        ("login", "denied", "bad_credentials", None, None),
        ("list_tags", "success", None, None, None),
    ]
    (row,) = rows(read_sample("gitlab-registry", "gitlab-registry/documented-text.log"))
    assert (row["action"], row["actor"], row["status"], row["response_bytes"], row["duration_ns"]) == (
        "pull",
        "irina",
        200,
        1573,
        7_000_000,
    )


def test_the_user_is_found_in_front_of_the_block() -> None:
    """A cut between what belongs together changes nothing."""
    data = application("authorized request", auth_user_name="irina") + line(status=200)
    for lines in (1, 2):
        found = [row for piece in cut(data, lines) for row in rows(formats()["gitlab-registry"].parse(piece))]
        assert [(row["action"], row["actor"]) for row in found] == [("pull", "irina")]


def test_another_request_lends_no_user() -> None:
    data = application("authorized request", auth_user_name="irina", correlation_id="01X") + line(status=200)
    (row,) = rows(read("gitlab-registry", data))
    assert row["actor"] is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": 201, "method": "PUT"}, ("push", "success", None)),
        ({"status": 401}, ("pull", "denied", None)),
        ({"status": 403}, ("pull", "denied", "forbidden")),
        ({"status": 200, "uri": "/gitlab/v1/"}, ("ping", "success", None)),
        ({"status": 404, "uri": "/wp-login.php"}, ("other", "failure", "not_found")),
    ],
)
def test_results(changes: dict[str, Any], told: tuple[str, str, str | None]) -> None:
    (row,) = rows(read("gitlab-registry", line(**changes)))
    assert (row["action"], row["outcome"], row["reason"]) == told


def test_the_peer_itself() -> None:
    """Without a proxy the address is the peer's, with its port."""
    (row,) = rows(read("gitlab-registry", line(status=200, remote_ip="203.0.113.9", remote_addr="203.0.113.9:4711")))
    assert (row["client_ip"], row["client_port"], row["client_via"], row["peer_ip"]) == (
        "203.0.113.9",
        4711,
        "peer",
        None,
    )


def test_combined_access_lines() -> None:
    """The default of the registry's own settings: an event without a user, as they have no number of the request."""
    combined = b'198.51.100.9 - - [02/Mar/2026:08:00:01 +0000] "GET /v2/a/manifests/1 HTTP/1.1" 200 7 "" "docker/29"\n'
    (row,) = rows(read("gitlab-registry", application("authorized request", auth_user_name="irina") + combined))
    assert (row["action"], row["channel"], row["actor"], row["client_ip"]) == ("pull", "access", None, "198.51.100.9")


def test_claims_and_rejects() -> None:
    """Lines of GitLab's other parts are not the registry's; torn lines and access lines without status are rejects."""
    workhorse = json.dumps(ACCESS | {"backend_id": "rails", "uri": "/favicon.ico"}).encode() + b"\n"
    assert formats()["gitlab-registry"].claims(workhorse) == 0.0
    assert formats()["gitlab-registry"].claims(line()) > 0.9
    data = line()[:80] + b"\n" + line(status=None) + line(time="never") + b"hello\n"
    parsed = formats()["gitlab-registry"].parse(block(data))
    assert [reject.reason for reject in parsed.rejects] == [
        "torn or mutated JSON",
        "an access line without URI or status",
        "no time that can be read",
        "neither an application line nor an access line of GitLab's registry",
    ]
