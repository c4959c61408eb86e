"""Azure Container Registry's webhooks and its events in Event Grid."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import SAMPLES, formats, read, read_sample, rows, said

PUSH = json.loads((SAMPLES / "acr-webhook/push-2017.json").read_text())
DELETED = json.loads((SAMPLES / "acr-eventgrid/image-deleted.json").read_text())[0]


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def test_a_webhook_in_full() -> None:
    """The documented push: neither address nor user."""
    (row,) = rows(read_sample("acr-webhook", "acr-webhook/push-2017.json"))
    assert said(row) == {
        "channel": "notification",
        "timestamp": datetime(2017, 11, 17, 16, 52, 1, 343145, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "user_agent": PUSH["request"]["useragent"],
        "method": "PUT",
        "host": "myregistry.azurecr.io",
        "request_id": "3cbb6949-7549-4fa1-86cd-a6d5451dffc7",
        "repository": "hello-world",
        "project": "hello-world",
        "reference": "v1",
        "tag": "v1",
        "digest": "sha256:80f0d5c8786bb9e621a45ece0db56d11cdc624ad20da9fe62e9d25490f331d7d",
        "media_type": "application/vnd.docker.distribution.manifest.v2+json",
        "size_bytes": 524,
    }


@pytest.mark.parametrize(
    ("action", "told"), [("chart_push", "push"), ("chart_delete", "delete"), ("quarantine", "other"), ("push", "push")]
)
def test_actions_of_webhooks(action: str, told: str) -> None:
    """Charts are pushed and deleted too; a quarantined image is not told as pushed before it is released."""
    (row,) = rows(read("acr-webhook", line(PUSH | {"action": action})))
    assert row["action"] == told


def test_what_is_no_event_of_a_webhook() -> None:
    """The ping of a new webhook is ignored; what is neither a ping nor a notification is a reject."""
    data = line({"id": "1", "timestamp": "2026-01-01T00:00:00Z", "action": "ping"}) + line({"a": 1}) + line([1])
    parsed = read("acr-webhook", data + line(PUSH | {"action": "nudge"}))
    assert (parsed.events.num_rows, parsed.ignored, len(parsed.rejects)) == (0, 1, 3)


def test_an_event_of_a_connected_registry() -> None:
    """The documented example has commas behind its last items, which change nothing that it says; it names no request."""
    (row,) = rows(read_sample("acr-eventgrid", "acr-eventgrid/image-pushed.yaml"))
    assert said(row) == {
        "channel": "notification",
        "timestamp": datetime(2018, 4, 25, 21, 39, 47, 276585, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "repository": "aci-helloworld",
        "project": "aci-helloworld",
        "reference": "v1",
        "tag": "v1",
        "digest": "sha256:213bbc182920ab41e18edc2001e06abcca6735d87782d9cef68abd83941cf0e5",
        "media_type": "application/vnd.docker.distribution.manifest.v2+json",
        "size_bytes": 3023,
    }


def test_a_deletion() -> None:
    (row,) = rows(read_sample("acr-eventgrid", "acr-eventgrid/image-deleted.json"))
    assert (row["action"], row["repository"], row["tag"], row["size_bytes"], row["host"]) == (
        "delete",
        "aci-helloworld",
        None,
        None,
        "demo.azurecr.io",
    )


def test_one_event_counts_once_in_every_schema() -> None:
    """Event Grid's own schema, CloudEvents in both modes, and the webhook name the same request."""
    cloud = {
        "specversion": "1.0",
        "id": DELETED["id"],
        "source": DELETED["topic"],
        "type": DELETED["eventType"],
        "time": DELETED["eventTime"],
        "data": DELETED["data"],
    }
    binary = {
        "headers": {"ce-specversion": "1.0", "ce-id": cloud["id"], "ce-type": cloud["type"], "ce-source": "s"},
        "body": DELETED["data"],
    }
    data = line([DELETED]) + line(DELETED) + line(cloud) + line([cloud]) + line(binary)
    parsed = read("acr-eventgrid", data)
    assert (parsed.events.num_rows, parsed.rejects) == (5, [])
    ids = {row["event_id"] for row in rows(parsed)} | {
        row["event_id"] for row in rows(read("acr-webhook", line(DELETED["data"])))
    }
    assert len(ids) == 1


def test_what_is_no_event_of_the_grid() -> None:
    """The question whether the endpoint is willing is ignored; events of other services and torn ones are rejects."""
    asked = {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "x"}}
    blob = {"eventType": "Microsoft.Storage.BlobCreated", "data": {}}
    parsed = read("acr-eventgrid", line([asked]) + line([blob, DELETED, DELETED | {"data": None}, 7]))
    assert (parsed.events.num_rows, parsed.ignored, parsed.lines) == (1, 1, 2)
    assert [reject.reason for reject in parsed.rejects] == [
        "no event of a container registry",
        "the event's data is no JSON object",
        "the event is no JSON object",
    ]


def test_claims() -> None:
    """A notification of another registry is not taken for one of Azure's."""
    other = json.dumps(PUSH).replace("myregistry.azurecr.io", "registry.example.com").encode()
    assert formats()["acr-webhook"].claims(other) == 0.0
    assert formats()["distribution-notifications"].claims(other) == 0.8
