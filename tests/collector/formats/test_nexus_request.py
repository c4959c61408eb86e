"""Nexus' request log."""

from __future__ import annotations

from datetime import UTC, datetime

from format_samples import read, read_sample, rows


def test_a_pull_in_full() -> None:
    """The Nexus repository stands in front of the image's name; milliseconds become nanoseconds."""
    (row,) = rows(read_sample("nexus-request", "nexus-request/fixture-3x.log"))
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "access",
        "timestamp": datetime(2025, 5, 28, 17, 30, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "dataset": "nexus-request",
        "registry": "r1",
        "registry_kind": "nexus",
        "actor": "devuser",
        "client_ip": "10.1.1.1",
        "client_via": "peer",
        "user_agent": "Docker-Client/20.10.7 (linux)",
        "method": "GET",
        "uri": "/repository/docker-proxy/v2/library/ubuntu/manifests/20.04",
        "status": 200,
        "response_bytes": 128,
        "request_bytes": 4567,
        "duration_ns": 67_000_000,
        "repository": "docker-proxy/library/ubuntu",
        "project": "docker-proxy",
        "reference": "20.04",
        "tag": "20.04",
        "stream": "s",
        "offset": 0,
        "path": "nexus-request/fixture-3x.log",
        "parts": ["s:0"],
    }


def test_a_connectors_port_and_the_older_form() -> None:
    """On a connector's port the path has no repository of Nexus; older lines have two numbers and no agent."""
    new = b'10.0.0.1 - - [28/May/2025:17:30:00 +0000] "PUT /v2/a/b/manifests/1 HTTP/1.1" 401 563 113 8 "docker/29" [qtp1-9 x]\n'
    old = b'10.0.0.1 - admin [28/May/2025:17:30:00 +0900] "GET /v2/a/b/manifests/1 HTTP/1.1" 200 744 12\n'
    first, second = rows(read("nexus-request", new + old))
    assert (first["action"], first["outcome"], first["reason"], first["actor"]) == ("push", "denied", None, None)
    assert (first["repository"], first["request_bytes"], first["response_bytes"]) == ("a/b", 563, 113)
    assert (second["actor"], second["response_bytes"], second["request_bytes"]) == ("admin", 744, None)
    assert (second["duration_ns"], second["user_agent"]) == (12_000_000, None)


def test_other_repositories_are_ignored() -> None:
    """Maven's jars are no images; a line of another form is a reject."""
    parsed = read_sample("nexus-request", "nexus-request/blog-older-pattern.log")
    assert (parsed.events.num_rows, parsed.ignored) == (0, 1)
    assert len(read("nexus-request", b"hello\n").rejects) == 1


def test_agents_are_not_escaped() -> None:
    """pip's has quotes in it, as every agent may; one that holds the rest of another line is told apart from nothing."""
    head = b'10.0.0.1 - ci [28/May/2025:17:30:00 +0000] "GET /repository/d/v2/a/b/manifests/1 HTTP/1.1" 200 - 744 12 '
    (row,) = rows(read("nexus-request", head + b'"pip/24.2 {"ci":true,"cpu":"x86_64"}" [qtp1-9]\n'))
    assert (row["user_agent"], row["duration_ns"]) == ('pip/24.2 {"ci":true,"cpu":"x86_64"}', 12_000_000)
    (long,) = rows(read("nexus-request", head + b'"' + b"a" * 7_000 + b'" [qtp1-9]\n'))
    assert len(long["user_agent"]) == 7_000
    forged = head + b'"a" 404 - 0 1 "b" [qtp1-9]\n'
    assert len(read("nexus-request", forged).rejects) == 1
