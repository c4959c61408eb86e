"""Whom an audit row is about, and what became of it: the same words for every registry that says so."""

from __future__ import annotations

import json

import pytest
from format_samples import block, formats


def told(format_name: str, line: object) -> list[tuple[str, str | None, str | None]]:
    data = line if isinstance(line, str) else json.dumps(line)
    parsed = formats()[format_name].parse(block(data.encode() + b"\n"))
    assert parsed.rejects == []
    return [(row["action"], row["target"], row["change"]) for row in parsed.events.to_pylist()]


def harbor(operation: str, kind: str, resource: str) -> list[dict[str, object]]:
    time = "2026-11-24T02:46:12.745Z"
    return [
        {
            "id": 1,
            "op_time": time,
            "operation": operation,
            "resource": resource,
            "resource_type": kind,
            "username": "irina.v",
        }
    ]


SYSLOG = (
    '2026-11-24T02:46:12Z [INFO] [/pkg/audit/manager.go:82][operator="irina.v" resourceType="robot" '
    'time="2026-11-24 02:46:12.745415168 +0000 UTC m=+71.8"]: action:delete, resource:robot$payments+old'
)
QUAY = {"datetime": "2026-11-24T02:46:12Z", "performer": {"name": "ann", "kind": "user"}, "ip": "192.0.2.1"}
JFROG = "2026-11-24T02:32:09.990Z|6a0c3a9be2d1470f8c6b7a1d2e3f4007|192.0.2.1|alice|jfrt@01m1|mallory|D|USR|{}"
GITHUB = {"@timestamp": 1795486804000, "_document_id": "a", "actor": "alice", "org": "payments"}


@pytest.mark.parametrize(
    ("format_name", "line", "expected"),
    [
        ("harbor-audit", harbor("delete", "user", "temp"), ("permission", "temp", "user_deleted")),
        ("harbor-audit", harbor("create", "robot", "robot$ci"), ("permission", "robot$ci", "robot_created")),
        (
            "harbor-audit",
            harbor("update", "configuration", "configuration"),
            ("config", "configuration", "configuration_changed"),
        ),
        ("harbor-audit", harbor("pull", "artifact", "a/b:1"), ("pull", None, None)),
        ("harbor-audit-syslog", SYSLOG, ("permission", "robot$payments+old", "robot_deleted")),
        (
            "quay-logs",
            QUAY | {"kind": "delete_robot", "namespace": {"name": "shop"}, "metadata": {"robot": "ci"}},
            ("permission", "shop+ci", "robot_deleted"),
        ),
        (
            "quay-logs",
            QUAY | {"kind": "user_delete", "metadata": {"username": "temp"}},
            ("permission", "temp", "user_deleted"),
        ),
        (
            "quay-logs",
            QUAY
            | {"kind": "delete_repo_permission", "metadata": {"username": "temp", "repo": "a", "namespace": "shop"}},
            ("permission", "temp", "permission_deleted"),
        ),
        ("artifactory-security-audit", JFROG, ("permission", "mallory", "user_deleted")),
        (
            "github-audit",
            GITHUB | {"action": "org.add_member", "user": "mallory"},
            ("permission", "mallory", "member_created"),
        ),
        (
            "github-audit",
            GITHUB | {"action": "org.remove_member", "user": "mallory"},
            ("permission", "mallory", "member_deleted"),
        ),
        ("github-audit", GITHUB | {"action": "team.destroy", "team": "p/x"}, ("permission", "p/x", "team_deleted")),
    ],
)
def test_target_and_change(format_name: str, line: object, expected: tuple[str, str | None, str | None]) -> None:
    assert told(format_name, line) == [expected]
