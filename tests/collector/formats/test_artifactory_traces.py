"""One request in the three logs of Artifactory that tell of it."""

from __future__ import annotations

from typing import Any

import pytest
from format_samples import read, read_sample, rows

from collector.artifactory import stored_image, trace_id
from store.merge import merge

PULL = "5f0c3a9be2d1470f8c6b7a1d2e3f4051"


def by_trace(format_name: str, file: str) -> dict[str, dict[str, Any]]:
    return {row["request_id"]: row for row in rows(read_sample(format_name, f"{format_name}/{file}"))}


def test_one_pull_is_one_event() -> None:
    """Router, Artifactory and access log share the event's id; together they tell more than each."""
    parts = [
        by_trace("artifactory-router", "documented-docker.jsonl")[PULL],
        by_trace("artifactory-request", "documented-docker.log")[PULL],
        by_trace("artifactory-access", "documented-docker.log")[PULL],
    ]
    assert len({part["event_id"] for part in parts}) == 1
    parts = [part | {"stream": part["dataset"]} for part in parts]
    event = merge(parts)
    assert (event["action"], event["actor"], event["client_ip"]) == ("pull", "ci-payments", "192.0.2.4")
    assert (event["repository"], event["tag"], event["status"]) == ("docker-local/payments/api", "1.4.2", 200)
    assert (event["response_bytes"], event["client_port"], event["channel"]) == (1576, 40122, "application")


def test_the_challenge_and_the_login_of_one_request() -> None:
    """The router knows no users, and the access log no paths: `/v2/` with a password is one event all the same."""
    trace = "00112233445566778899aabbccddeeff"
    head = f"2026-11-24T02:17:20.260Z|{trace}|192.0.2.4|bob|GET|/api/docker/x/v2/|200|-1|2|2|docker/29".encode()
    request = rows(read("artifactory-request", head))[0]
    router = rows(
        read(
            "artifactory-router",
            b'{"RequestMethod":"GET","RequestPath":"/artifactory/api/docker/x/v2/","DownstreamStatus":200,'
            b'"StartUTC":"2026-11-24T02:17:20Z","TraceId":"00112233445566778899AABBCCDDEEFF"}',
        )
    )[0]
    access = rows(
        read(
            "artifactory-access",
            f"2026-11-24T02:17:20.170Z [{trace}] [ACCEPTED LOGIN]   for client : bob / 192.0.2.4".encode(),
        )
    )[0]
    assert [request["action"], router["action"], access["action"]] == ["login", "ping", "login"]
    assert request["event_id"] == router["event_id"] == access["event_id"]
    for streams in (("a", "b"), ("b", "a")):  # whichever stream comes first
        parts = [request | {"stream": streams[0]}, router | {"stream": streams[1]}]
        assert (merge(parts)["action"], merge(parts)["actor"]) == ("login", "bob")


def test_a_tag_that_is_deleted() -> None:
    """Through the Docker API by its name it is one event in both logs; many tags of one request are many events."""
    trace = "00112233445566778899aabbccddee00"
    line = f"2026-11-24T02:17:20Z|{trace}|192.0.2.4|bob|DELETE|/api/docker/k/v2/a/manifests/1|202|-1|2|2|docker/29"
    (request,) = rows(read("artifactory-request", line.encode()))
    deleted = "2026-11-24T02:17:20Z [{}] [ACCEPTED DELETE] k:a/{}/manifest.json  for client : bob / 192.0.2.4\n"
    log = "".join(deleted.format(trace, tag) for tag in ("1", "2", f"sha256:{'a' * 64}"))
    first, second, manifest = rows(read("artifactory-access", log.encode()))
    assert request["event_id"] == first["event_id"] != second["event_id"]
    assert [first["action"], second["action"], manifest["action"]] == ["untag", "untag", "delete"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("docker-local/shop/cart/1.4.2", ("untag", "docker-local/shop/cart", "1.4.2")),
        ("team-oci/cart/main-d0d58c7", ("untag", "team-oci/cart", "main-d0d58c7")),
        ("libs-release-local/org/acme/1.0", None),  # nothing says that images lie there
        ("docker-local/shop", None),
    ],
)
def test_a_folder_that_is_deleted(path: str, told: tuple[str, str, str] | None) -> None:
    """By the pages, JFrog's client and clean-up policies: the tag's folder, not the manifest; one event in both logs."""
    trace = "00112233445566778899aabbccddee00"
    line = f"2026-11-24T02:17:20Z|{trace}|192.0.2.4|bob|DELETE|/{path}|204|-1|0|10|jfrog-client-go/1.50.0"
    log = (
        f"2026-11-24T02:17:20Z [{trace}] [ACCEPTED DELETE] {path.replace('/', ':', 1)}  for client : bob / 192.0.2.4\n"
    )
    found = [*rows(read("artifactory-request", line.encode())), *rows(read("artifactory-access", log.encode()))]
    assert [(row["action"], row["repository"], row["tag"]) for row in found] == ([told, told] if told else [])
    assert len({row["event_id"] for row in found}) == (1 if told else 0)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("827ad60fcf158238", "827ad60fcf158238"),
        ("0000000000000000827AD60FCF158238", "827ad60fcf158238"),
        ("7ad60fcf158238", "007ad60fcf158238"),
        ("0a4bbab079aeef7e04ce3661f216f447", "0a4bbab079aeef7e04ce3661f216f447"),
        ("a4bbab079aeef7e04ce3661f216f447", "0a4bbab079aeef7e04ce3661f216f447"),
        ("0" * 32, None),
        ("", None),
        ("xyz", None),
        ("1" * 33, None),
        (7, None),
    ],
)
def test_trace_ids(told: object, meant: str | None) -> None:
    """16 digits, 32, or 16 with zeros in front: the same number is the same trace."""
    assert trace_id(told) == meant


def test_without_a_trace_the_line_is_the_event() -> None:
    """Old lines have none, and two of them are two events."""
    old = b"2014-05-08 15:52:27,456 [ACCEPTED DOWNLOAD] docker:a/1/manifest.json for bob/192.0.2.4.\n"
    first, second = rows(read("artifactory-access", old + old))
    assert first["request_id"] is None
    assert first["event_id"] != second["event_id"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("library/ubuntu/24.04/manifest.json", ("k/library/ubuntu", "24.04", None, True)),
        ("app/1/list.manifest.json", ("k/app", "1", None, True)),
        (f"app/sha256:{'a' * 64}/manifest.json", ("k/app", None, f"sha256:{'a' * 64}", True)),
        (f"app/1/sha256__{'b' * 64}", ("k/app", None, f"sha256:{'b' * 64}", False)),
        ("app/_uploads/0b7d6a52.patch", ("k/app", None, None, False)),
    ],
)
def test_files_of_images(path: str, told: tuple[str, str | None, str | None, bool]) -> None:
    """How images lie in a Docker repository."""
    stored = stored_image("k", path)
    assert stored is not None
    assert (stored[0].repository, stored[0].tag, stored[0].digest, stored[1]) == told


@pytest.mark.parametrize("path", ["org/x.jar", "manifest.json", "1/manifest.json", "", "app/1/sha256__zz", "app/1"])
def test_files_of_no_image(path: str) -> None:
    """A file is an image's by its name and where it lies, or it is none."""
    assert stored_image("k", path) is None
