"""Azure Container Registry's resource logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import read, read_sample, rows, said

DIGEST = "sha256:" + "0123456789abcdef" * 4


def record(**changes: Any) -> bytes:
    fields = {
        "time": "2026-03-02T08:00:01Z",
        "category": "ContainerRegistryRepositoryEvents",
        "operationName": "Pull",
        "resultType": "HttpStatusCode",
        "resultDescription": "200",
    }
    return json.dumps(fields | changes).encode() + b"\n"


def test_the_real_line_in_full() -> None:
    """Texts for numbers, `<nil>` for nothing, and the digest in the place of the tag."""
    (row,) = rows(read_sample("acr-diagnostics", "acr-diagnostics/pull-not-found-2025.json"))
    digest = "sha256:2a871364028e4fcc58cb139239390bc242fa7acee3aaa22ab200422d7682084c"
    assert said(row) == {
        "channel": "audit",
        "timestamp": datetime(2025, 1, 30, 14, 19, 15, 193173, tzinfo=UTC),
        "action": "pull",
        "outcome": "failure",
        "reason": "not_found",
        "actor": "user@example.com",
        "client_ip": "203.0.113.18",
        "client_via": "log",
        "user_agent": "acr-cleanup azsdk-go-azcontainerregistry/v0.2.2 (go1.23.5; linux)",
        "host": "example.azurecr.io",
        "request_id": "00000000-0000-0000-0000-000000000021",
        "status": 404,
        "duration_ns": 38_212_784,
        "repository": "tipster-service",
        "project": "tipster-service",
        "reference": digest,
        "digest": digest,
    }


def test_documented_operations() -> None:
    """Pushes, untagging, deletions, and logins that worked, were refused, or came from where nobody may."""
    parsed = read_sample("acr-diagnostics", "acr-diagnostics/documented-storage.jsonl")
    told = [(row["action"], row["outcome"], row["reason"], row["actor"], row["tag"]) for row in rows(parsed)]
    assert told == [
        ("push", "success", None, "ci-push", "1.4.0"),
        ("pull", "success", None, "ci-push", "1.4.0"),
        ("untag", "success", None, "ci-push", "1.3.0"),
        ("delete", "success", None, "ci-push", None),
        ("login", "success", None, "alice@example.com", None),
        ("login", "denied", "bad_credentials", "alice@example.com", None),
        ("login", "denied", "forbidden", None, None),
        ("pull", "denied", None, None, "1.4.0"),
    ]
    assert (rows(parsed)[0]["size_bytes"], rows(parsed)[0]["digest"]) == (1573, DIGEST)


def test_one_record_is_one_event_whichever_way_it_comes() -> None:
    """Storage, Event Hub and the tables of Log Analytics tell the same things under the same ids."""
    ids = {}
    for name in ("documented-storage.jsonl", "documented-event-hub.json", "documented-log-analytics.json"):
        parsed = read_sample("acr-diagnostics", f"acr-diagnostics/{name}")
        ids[name] = {row["event_id"]: said(row) for row in rows(parsed)}
    storage = ids.pop("documented-storage.jsonl")
    assert len(storage) == 8
    for other in ids.values():
        assert other.items() <= storage.items()
        assert len(other) >= 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"operationName": "PurgeTag", "properties": {"tag": "1"}}, ("untag", "success", None)),
        ({"operationName": "PurgeManifest"}, ("delete", "success", None)),
        ({"operationName": "Something new"}, ("other", "success", None)),
        ({"resultDescription": "503"}, ("pull", "failure", "server_error")),
        ({"resultType": "403", "resultDescription": "<nil>"}, ("pull", "denied", "forbidden")),
        ({"resultType": "Success", "resultDescription": ""}, ("pull", "success", None)),
        ({"resultType": "Failed", "resultDescription": "no"}, ("pull", "failure", None)),
        ({"resultType": "<nil>", "resultDescription": "<nil>"}, ("pull", "unknown", None)),
    ],
)
def test_results(changes: dict[str, Any], told: tuple[str, str, str | None]) -> None:
    """A status where there is one, else the word; neither says nothing."""
    (row,) = rows(read("acr-diagnostics", record(**changes)))
    assert (row["action"], row["outcome"], row["reason"]) == told


def test_other_records() -> None:
    """Other categories are ignored; what is no record, or lacks its time, is a reject."""
    data = record(category="AllMetrics") + record(time=None) + b'{"a":1}\n'
    parsed = read("acr-diagnostics", data)
    assert (parsed.events.num_rows, parsed.ignored) == (0, 1)
    assert [reject.reason for reject in parsed.rejects] == [
        "a record without operationName or time",
        "no record of Azure's resource logs",
    ]
