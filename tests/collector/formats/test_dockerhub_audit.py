"""Docker Hub's audit log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows

EXAMPLE = "dockerhub-audit/docs-example.json"
ROW = {
    "account": "payments",
    "action": "repo.tag.push",
    "name": "payments/api",
    "actor": "alice",
    "data": {"tag": "1", "digest": "sha256:" + "a" * 64},
    "timestamp": "2026-11-24T02:19:03Z",
    "action_description": "x",
}


def told(*documents: Any) -> list[dict[str, Any]]:
    return rows(read("dockerhub-audit", b"".join(json.dumps(document).encode() + b"\n" for document in documents)))


def test_a_push_in_full() -> None:
    """The example of Docker's documentation."""
    (row,) = rows(read_sample("dockerhub-audit", EXAMPLE))
    assert {
        name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")
    } == {
        "revision": 0,
        "channel": "audit",
        "timestamp": datetime(2021, 2, 19, 1, 34, 35, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "dataset": "dockerhub-audit",
        "registry": "r1",
        "registry_kind": "dockerhub",
        "actor": "docker",
        "repository": "docker/example",
        "project": "docker",
        "reference": "latest",
        "tag": "latest",
        "digest": "sha256:c1ae9c435032a276f80220c7d9b40f76266bbe79243d34f9cda30b76fe114dfa",
        "stream": "s",
        "offset": 0,
        "path": EXAMPLE,
        "parts": ["s:0"],
    }


def test_the_documented_page() -> None:
    """The token's label is taken off the actor; whoever was added to a team is not the one who did it; plans are no events."""
    parsed = read_sample("dockerhub-audit", "dockerhub-audit/documented-page.json")
    assert parsed.rejects == []
    assert [(row["action"], row["actor"], row["repository"], row["tag"]) for row in rows(parsed)] == [
        ("push", "ci-payments", "payments/api", "1.4.3"),
        ("untag", "alice", "payments/api", "1.4.1"),
        ("permission", "alice", "payments/api", None),
        ("delete", "alice", "payments/old", None),
        ("permission", "alice", None, None),
        ("permission", "alice", None, None),
        ("config", "alice", None, None),
    ]
    assert {row["project"] for row in rows(parsed)} == {"payments"}


@pytest.mark.parametrize(
    ("action", "meant"),
    [
        ("repo.create", "config"),
        ("repo.immutable.tags.updated", "config"),
        ("org.member.role.change", "permission"),
        ("org.customrole.create", "permission"),
        ("sso.connection.enforcement_toggle", "permission"),
        ("enterprise.setting.policy.update", "config"),
        ("org.settings.update", "config"),
        ("lease.start", None),
        ("plan.cycle_change.request", None),
    ],
)
def test_actions(action: str, meant: str | None) -> None:
    """Rights, settings, and what is of no registry."""
    assert [row["action"] for row in told({"logs": [ROW | {"action": action}]})] == ([meant] if meant else [])


def test_a_row_in_two_pages_is_one_event() -> None:
    """Pages overlap; two equal rows within one page are two events of one second."""
    first, second, again, third = told({"logs": [ROW, ROW]}, {"logs": [ROW, ROW | {"actor": "bob"}]})
    assert first["event_id"] != second["event_id"]
    assert first["event_id"] == again["event_id"]
    assert third["event_id"] not in (first["event_id"], second["event_id"])


def test_empty_pages_and_errors() -> None:
    """A page behind the last row is ignored; the API's error and a row without a time are dead letters."""
    parsed = read(
        "dockerhub-audit",
        b'{"logs": []}\n{"message": "x"}\n' + json.dumps({"logs": [{"action": "repo.create"}]}).encode(),
    )
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 1, 2)
