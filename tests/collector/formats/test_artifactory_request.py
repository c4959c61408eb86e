"""Artifactory's request log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from format_samples import read, read_sample, rows

DOCKER = "artifactory-request/documented-docker.log"


def line(**changes: str) -> bytes:
    columns = {
        "time": "2026-11-24T02:17:20.260Z",
        "trace": "5f0c3a9be2d1470f8c6b7a1d2e3f4051",
        "client": "192.0.2.4",
        "user": "bob",
        "method": "GET",
        "url": "/api/docker/docker-local/v2/a/b/manifests/1",
        "status": "200",
        "request": "-1",
        "response": "7",
        "ms": "2",
        "agent": "docker/29.2.1",
    }
    return "|".join((columns | changes).values()).encode() + b"\n"


def test_real_lines_of_a_push() -> None:
    """The start of an upload and a layer that is not there yet, from Artifactory 7.46; all else in the file is of no image."""
    parsed = read_sample("artifactory-request", "artifactory-request/request-7x-2023.log")
    assert (parsed.ignored, parsed.rejects) == (3, [])
    upload, check = rows(parsed)
    assert {
        name: value for name, value in upload.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "application",
        "timestamp": datetime(2023, 4, 5, 12, 23, 37, 828000, tzinfo=UTC),
        "action": "layer_upload",
        "outcome": "success",
        "dataset": "artifactory-request",
        "registry": "r1",
        "registry_kind": "artifactory",
        "actor": "tokenservices-build",
        "client_ip": "10.195.80.195",
        "client_via": "log",
        "user_agent": "buildkit/v0.11",
        "method": "POST",
        "uri": "/api/docker/tokenservices-docker/v2/key-manager/blobs/uploads/",
        "request_id": "fe827b51f5d3ffb9",
        "status": 202,
        "response_bytes": 0,
        "request_bytes": 0,
        "duration_ns": 0,
        "repository": "tokenservices-docker/key-manager",
        "project": "tokenservices-docker",
        "stream": "s",
        "offset": 437,
        "path": "artifactory-request/request-7x-2023.log",
        "parts": ["s:437"],
    }
    assert (check["action"], check["outcome"], check["reason"], check["request_bytes"]) == (
        "layer_check",
        "failure",
        "not_found",
        None,
    )
    assert (check["response_bytes"], check["duration_ns"]) == (157, 24_000_000)
    assert check["digest"] == "sha256:f91dc3ff8ed55a0cfecf56a6287d4b9f7c0726e4b8269d7c312083d9da6aab87"


def test_requests_for_other_things_are_ignored() -> None:
    """Files of other kinds and the REST API are no images."""
    parsed = read_sample("artifactory-request", "artifactory-request/request-7.161-2026.log")
    assert (parsed.events.num_rows, parsed.ignored, parsed.rejects) == (0, 4, [])


def test_the_documented_day() -> None:
    """The challenge, a token, a pull with its layer, a push, a refusal and a deletion."""
    told = [
        (row["action"], row["outcome"], row["reason"], row["actor"], row["repository"], row["tag"])
        for row in rows(read_sample("artifactory-request", DOCKER))
    ]
    api = "docker-local/payments/api"
    assert told == [
        ("ping", "unknown", "challenge", None, None, None),
        ("token", "success", None, "ci-payments", None, None),
        ("pull", "success", None, "ci-payments", api, "1.4.2"),
        ("layer_download", "success", None, "ci-payments", api, None),
        ("push", "success", None, "ci-payments", api, "1.4.3"),
        ("pull", "denied", "no_credentials", "anonymous", api, "1.4.3"),
        ("delete", "success", None, "ci-payments", api, None),
    ]


@pytest.mark.parametrize(
    ("status", "user", "told"),
    [
        ("200", "bob", ("success", None, "bob")),
        ("200", "anonymous", ("success", None, "anonymous")),
        ("401", "non_authenticated_user", ("denied", None, None)),
        ("401", "bob", ("denied", "bad_credentials", "bob")),
        ("403", "bob", ("denied", "forbidden", "bob")),
        ("403", "anonymous", ("denied", "no_credentials", "anonymous")),
        ("404", "bob", ("failure", "not_found", "bob")),
        ("429", "bob", ("failure", "rate_limited", "bob")),
    ],
)
def test_outcomes(status: str, user: str, told: tuple[str, str | None, str | None]) -> None:
    """`non_authenticated_user` may have sent a wrong password or none: why is not said."""
    (row,) = rows(read("artifactory-request", line(status=status, user=user)))
    assert (row["outcome"], row["reason"], row["actor"]) == told


@pytest.mark.parametrize(
    ("method", "url", "told"),
    [
        ("GET", "/api/docker/x/v2/", ("login", None)),
        ("HEAD", "/api/docker/x/v2/a/manifests/1", ("check", "x/a")),
        ("GET", "/api/docker/x/v2/a/tags/list", ("list_tags", "x/a")),
        ("GET", "/api/docker/x/v2/_catalog", ("catalog", None)),
        ("DELETE", "/api/docker/x/v2/a/manifests/1", ("untag", "x/a")),
        ("GET", "/v2/x/a/manifests/1", ("pull", "x/a")),
        ("PUT", f"/api/docker/x/v2/a/manifests/sha256-{'a' * 64}.sig", ("sign", "x/a")),
    ],
)
def test_the_docker_api(method: str, url: str, told: tuple[str, str | None]) -> None:
    """The repository's key stands in front of the image's name, as it does for clients."""
    (row,) = rows(read("artifactory-request", line(method=method, url=url)))
    assert (row["action"], row["repository"]) == told


def test_a_mount() -> None:
    """The repository that the layer comes from is of the same key."""
    url = f"/api/docker/x/v2/a/blobs/uploads/?mount=sha256:{'0' * 64}&from=b"
    (row,) = rows(read("artifactory-request", line(method="POST", url=url, status="201")))
    assert (row["action"], row["repository"], row["from_repository"]) == ("mount", "x/a", "x/b")


def test_bars_in_names() -> None:
    """A user agent or a user's name may hold bars; a line that could be two requests is a dead letter."""
    (row,) = rows(read("artifactory-request", line(agent='pip/21 {"a":"b|c"}')))
    assert (row["user_agent"], row["actor"]) == ('pip/21 {"a":"b|c"}', "bob")
    (row,) = rows(read("artifactory-request", line(user="a|b")))
    assert (row["actor"], row["repository"]) == ("a|b", "docker-local/a/b")
    forged = "x|PUT|/api/docker/victim/v2/a/manifests/1|201|1|1|1|docker"
    for place in ("agent", "user"):
        parsed = read("artifactory-request", line(**{place: forged}))
        assert (parsed.events.num_rows, parsed.rejects[0].reason) == (0, "two requests in one line")


def test_what_is_no_such_line() -> None:
    """Lines of other forms are dead letters; so is a status that HTTP does not have."""
    parsed = read("artifactory-request", b"hello\n" + line(status="999") + line(time="2026-11-24T25:00:00Z"))
    assert len(parsed.rejects) == 3
