"""GitHub's audit log, as far as it is of containers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows

DOCUMENTED = "github-audit/documented.jsonl"


def told(*documents: Any) -> list[dict[str, Any]]:
    return rows(read("github-audit", b"".join(json.dumps(document).encode() + b"\n" for document in documents)))


def row(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "actor": "alice", "org": "payments", "@timestamp": 1795486743004} | more


def test_a_push_in_full() -> None:
    """Milliseconds since 1970; the address only where the organisation shows it."""
    event = rows(read_sample("github-audit", DOCUMENTED))[0]
    digest = "sha256:4b1f3d5a7c9e0b2d4f6a8c0e1b3d5f7a9c0e2b4d6f8a0c1e3b5d7f9a0c2e4b6d"
    assert {
        name: value for name, value in event.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "audit",
        "timestamp": datetime(2026, 11, 24, 2, 19, 3, 4000, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "dataset": "github-audit",
        "registry": "r1",
        "registry_kind": "ghcr",
        "actor": "github-actions[bot]",
        "client_ip": "192.0.2.4",
        "client_via": "log",
        "user_agent": "docker/29.2.1",
        "request_id": "C0DE:1F00",
        "repository": "payments/api",
        "project": "payments",
        "reference": digest,
        "digest": digest,
        "stream": "s",
        "offset": 0,
        "path": DOCUMENTED,
        "parts": ["s:0"],
    }


def test_the_documented_rows() -> None:
    """Packages of containers and who may publish them; npm and pull requests are ignored."""
    parsed = read_sample("github-audit", DOCUMENTED)
    assert (parsed.ignored, parsed.rejects) == (2, [])
    assert [(event["action"], event["actor"], event["repository"], event["tag"]) for event in rows(parsed)] == [
        ("push", "github-actions[bot]", "payments/api", None),
        ("config", "alice", "payments/new-api", None),
        ("delete", "alice", "payments/api", "v1"),
        ("permission", "alice", None, None),
        ("permission", "alice", None, None),
    ]


def test_a_row_inside_another_programs_object() -> None:
    """The sample: who and what, and nothing else."""
    (event,) = rows(read_sample("github-audit", "github-audit/wazuh-ruletest.jsonl"))
    assert (event["action"], event["actor"], event["project"], event["repository"]) == (
        "push",
        "user",
        "organization",
        None,
    )
    assert event["timestamp"] == datetime(2021, 4, 21, 19, 10, 21, 869000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "meant"),
    [
        ("packages.package_deleted", "delete"),
        ("packages.package_version_restored", "config"),
        ("packages.insecure_hash", None),
        ("org.remove_member", "permission"),
        ("org.update_default_repository_permission", "permission"),
        ("team.add_repository", "permission"),
        ("repo.access", "permission"),
        ("personal_access_token.request_created", "permission"),
        ("organization_role.assign", "permission"),
        ("repo.create", None),
        ("git.clone", None),
        ("workflows.completed_workflow_run", None),
    ],
)
def test_actions(action: str, meant: str | None) -> None:
    """What is told of, and what is of no registry."""
    assert [event["action"] for event in told(row(action))] == ([meant] if meant else [])


def test_a_row_that_comes_twice_is_one_event() -> None:
    """Pages of the API and the stream name a row alike."""
    numbered = row("org.add_member", _document_id="x1")
    page, streamed = told([numbered], numbered)
    assert page["event_id"] == streamed["event_id"]
    assert len({event["event_id"] for event in told([row("org.add_member"), row("org.add_member")])}) == 2


def test_what_is_no_such_row() -> None:
    """Other objects and rows without a time are dead letters."""
    lines = (
        json.dumps({"action": "published"}) + "\n" + json.dumps(row("org.add_member", **{"@timestamp": "x"})) + "\n7\n"
    )
    assert len(read("github-audit", lines.encode()).rejects) == 3
