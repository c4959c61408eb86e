"""Nexus' audit: the file, the audit webhook, the repository webhooks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows, said

DIGEST = "sha256:" + "0123456789abcdef" * 4


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def entry(domain: str, kind: str, **changes: Any) -> dict[str, Any]:
    fields = {"timestamp": "2026-03-02 08:00:01,345+0100", "nodeId": "N", "initiator": "admin/127.0.0.1"}
    return fields | {"domain": domain, "type": kind, "context": "c", "attributes": {}} | changes


def test_the_file() -> None:
    """Deletions with user and address; a created asset is a push or a proxy's copy, so it is neither."""
    parsed = read_sample("nexus-audit", "nexus-audit/documented-audit.log")
    told = [(row["action"], row["actor"], row["client_ip"], row["repository"], row["project"]) for row in rows(parsed)]
    assert told == [
        ("other", "ci", "10.0.0.7", "docker-hosted/shop/api", "docker-hosted"),
        ("untag", "irina", "2001:db8::7", "docker-hosted/shop/api", "docker-hosted"),
        ("delete", "irina", "2001:db8::7", "docker-hosted/shop/api", "docker-hosted"),
        ("delete", "*TASK", None, None, "docker-hosted"),
        ("delete", "*TASK", None, None, "docker-hosted"),
        ("config", "admin", "127.0.0.1", None, "docker-proxy"),
        ("permission", "admin", "127.0.0.1", None, None),
        ("config", "admin", "127.0.0.1", None, None),
    ]
    assert parsed.ignored == 3


def test_a_deletion_in_full() -> None:
    row = rows(read_sample("nexus-audit", "nexus-audit/documented-audit.log"))[1]
    assert said(row) == {
        "channel": "audit",
        "timestamp": datetime(2026, 3, 2, 8, 0, 3, 345000, tzinfo=UTC),
        "action": "untag",
        "outcome": "success",
        "actor": "irina",
        "client_ip": "2001:db8::7",
        "client_via": "log",
        "repository": "docker-hosted/shop/api",
        "project": "docker-hosted",
        "reference": "1.3.0",
        "tag": "1.3.0",
    }


def test_a_body_without_a_time_has_that_of_its_arrival() -> None:
    """The documented audit webhook: users are permissions, and nothing of the new user is kept."""
    before = datetime.now(UTC)
    (row,) = rows(read_sample("nexus-audit", "nexus-audit/webhook-audit.json"))
    assert before <= row["timestamp"] == row["read_at"] <= datetime.now(UTC)
    assert (row["action"], row["actor"], row["client_ip"]) == ("permission", "admin", "127.0.0.1")
    assert "test@test.com" not in str(row)


def test_a_capture_knows_when_the_body_came() -> None:
    captured = {
        "received_at": "2026-03-02T08:00:00Z",
        "headers": {"X-Nexus-Webhook-Id": "rm:audit"},
        "body": json.dumps(
            {"nodeId": "N", "initiator": "u/10.0.0.1", "audit": {"domain": "repository", "type": "deleted"}}
        ),
    }
    (row,) = rows(read("nexus-audit", line(captured)))
    assert (row["timestamp"], row["action"]) == (datetime(2026, 3, 2, 8, tzinfo=UTC), "delete")


@pytest.mark.parametrize(
    ("name", "actor", "repository", "tag"),
    [
        ("hosted", "builder-demo-nexus", "internal-hosted-snapshot/no_skatteetaten_aurora/test", "nexus-SNAPSHOT"),
        ("proxy", "anonymous", "proxy-docker-aurora-sits/no_skatteetaten_aurora_demo/whoami", "2.2"),
    ],
)
def test_real_webhooks(name: str, actor: str, repository: str, tag: str) -> None:
    """A tag pushed again, and a proxy's asset that an anonymous reader refreshed: nothing tells the two apart."""
    (row,) = rows(read_sample("nexus-audit", f"nexus-audit/webhook-asset-{name}.json"))
    assert (row["action"], row["actor"], row["repository"], row["tag"]) == ("other", actor, repository, tag)


def test_repository_webhooks() -> None:
    """They name the asset themselves; a component repeats its assets."""
    asset = {
        "timestamp": "2019-04-03T08:52:11.335+0000",
        "nodeId": "nodeid",
        "initiator": "user/10.0.0.9",
        "repositoryName": "internal",
        "action": "DELETED",
        "asset": {"id": "d4", "format": "docker", "name": f"v2/shop/api/manifests/{DIGEST}"},
    }
    component = asset | {"component": {"format": "docker", "name": "shop/api", "version": "0.1"}}
    del component["asset"]
    parsed = read("nexus-audit", line(asset) + line(component))
    (row,) = rows(parsed)
    assert (row["action"], row["repository"], row["digest"]) == ("delete", "internal/shop/api", DIGEST)
    assert row["timestamp"] == datetime(2019, 4, 3, 8, 52, 11, 335000, tzinfo=UTC)
    assert parsed.ignored == 1


def test_names_and_zones() -> None:
    """A user's name may hold a slash; the time has the zone it says."""
    (row,) = rows(read("nexus-audit", line(entry("security.user", "deleted", initiator="corp/anna/10.0.0.1"))))
    assert (row["actor"], row["client_ip"]) == ("corp/anna", "10.0.0.1")
    assert row["timestamp"] == datetime(2026, 3, 2, 7, 0, 1, 345000, tzinfo=UTC)
    # Without an address nobody knows whether the last part is one, hidden by a proxy, or the user's own.
    parsed = read("nexus-audit", line(entry("security.user", "deleted", initiator="corp/anna")))
    assert rows(parsed) == [] and [reject.reason for reject in parsed.rejects] == ["ambiguous"]


def test_rejects() -> None:
    data = line(entry("repository", "deleted", timestamp="yesterday")) + line({"a": 1}) + line(entry("repository", ""))
    parsed = read("nexus-audit", data)
    assert [reject.reason for reject in parsed.rejects] == [
        "no time that can be read",
        "no audit entry of Nexus",
        "an audit entry without domain or type",
    ]
