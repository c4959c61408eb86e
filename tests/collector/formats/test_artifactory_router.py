"""JFrog's router."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows

DOCKER = "artifactory-router/documented-docker.jsonl"


def test_a_pull_in_full() -> None:
    """Nanoseconds stay nanoseconds, and the time is that of the beginning."""
    row = rows(read_sample("artifactory-router", DOCKER))[1]
    told = {name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")}
    assert told["offset"] > 0
    assert told == {
        "revision": 0,
        "channel": "access",
        "timestamp": datetime(2026, 11, 24, 2, 17, 20, 240500, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "dataset": "artifactory-router",
        "registry": "r1",
        "registry_kind": "artifactory",
        "client_ip": "192.0.2.4",
        "client_port": 40122,
        "client_via": "peer",
        "user_agent": "docker/29.2.1 go/go1.25.6",
        "method": "GET",
        "uri": "/artifactory/api/docker/docker-local/v2/payments/api/manifests/1.4.2",
        "request_id": "5f0c3a9be2d1470f8c6b7a1d2e3f4051",
        "status": 200,
        "response_bytes": 1576,
        "duration_ns": 20_119_812,
        "repository": "docker-local/payments/api",
        "project": "docker-local",
        "reference": "1.4.2",
        "tag": "1.4.2",
        "stream": "s",
        "offset": told["offset"],
        "path": DOCKER,
        "parts": [f"s:{told['offset']}"],
    }


def test_the_challenge() -> None:
    """The first step of every docker client is no denial; a trace id that lost its zeros is the same one."""
    row = rows(read_sample("artifactory-router", DOCKER))[0]
    assert (row["action"], row["outcome"], row["reason"]) == ("ping", "unknown", "challenge")
    assert row["request_id"] == "0000000000000a11"


@pytest.mark.parametrize("file", ["router-request-2026.jsonl", "router-internal-2026.jsonl"])
def test_real_lines_of_other_services_are_ignored(file: str) -> None:
    """Making a repository and cleaning up behind a deletion are told by other logs."""
    parsed = read_sample("artifactory-router", f"artifactory-router/{file}")
    assert (parsed.events.num_rows, parsed.ignored, parsed.rejects) == (0, 1, [])


def test_what_is_no_such_line() -> None:
    """Other JSON, torn JSON, and a request without a status are dead letters."""
    lines = b'{"msg":"x"}\n{"RequestPath":\n{"RequestPath":"/v2/","RequestMethod":"GET","DownstreamStatus":"x"}\n'
    assert len(read("artifactory-router", lines).rejects) == 3
