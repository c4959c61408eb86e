"""What Docker and Podman say of their own pulls and pushes."""

from __future__ import annotations

from datetime import UTC, datetime

from format_samples import read, read_sample, rows, said

DOCKER = "container-engine-events/docker-events.jsonl"
PODMAN = "container-engine-events/podman-events.jsonl"


def test_docker() -> None:
    """Pulls are events; local tags and deletions are nobody's business at a registry."""
    parsed = read_sample("container-engine-events", DOCKER)
    events = rows(parsed)
    assert said(events[0]) == {
        "channel": "application",
        "timestamp": datetime(2023, 4, 25, 17, 40, 48, 584940, tzinfo=UTC),
        "action": "pull",
        "outcome": "success",
        "actor_kind": "node",
        "repository": "nginx",
        "project": "nginx",
        "reference": "alpine",
        "tag": "alpine",
    }
    assert [(row["repository"], row["tag"]) for row in events[1:]] == [("alpine", "latest"), ("runseb/flask", "latest")]
    assert (parsed.ignored, parsed.rejects) == (2, [])


def test_podman() -> None:
    parsed = read_sample("container-engine-events", PODMAN)
    (pulled,) = rows(parsed)
    assert (pulled["repository"], pulled["tag"]) == ("rust", "alpine")
    assert pulled["timestamp"] == datetime(2022, 7, 19, 19, 26, 10, 143941, tzinfo=UTC)
    assert parsed.ignored == 1


def test_pushes_and_errors() -> None:
    data = (
        b'{"Type":"image","Action":"push","Actor":{"ID":"localhost:5000/team/app:1"},"time":1700000000}\n'
        b'{"Name":"ghcr.io/a/b:1","Status":"pull-error","Time":"2026-11-24T02:17:24Z","Type":"image","Error":"manifest unknown"}\n'
        b'{"Type":"container","Action":"start","Actor":{"ID":"x","Attributes":{"image":"a"}},"time":1700000000}\n'
    )
    parsed = read("container-engine-events", data)
    pushed, failed = rows(parsed)
    assert (pushed["action"], pushed["host"], pushed["repository"], pushed["tag"]) == (
        "push",
        "localhost:5000",
        "team/app",
        "1",
    )
    assert pushed["timestamp"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert (failed["action"], failed["outcome"], failed["reason"]) == ("pull", "failure", "not_found")
    assert parsed.ignored == 1


def test_what_cannot_be_read() -> None:
    data = (
        b'{"Type":"image","Action":"pull","Actor":{},"time":1700000000}\n'
        b'{"Type":"image","Action":"pull","Actor":{"ID":"a"},"time":"soon"}\n'
        b'{"Type":"image","Action":"pull","Actor":{"ID":"a"},"timeNano":9223372036854775807}\n'
        b'{"a":1}\n'
    )
    parsed = read("container-engine-events", data)
    assert (parsed.events.num_rows, len(parsed.rejects)) == (1, 3)  # the year 2262 is a time
