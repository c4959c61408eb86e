"""zot's events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from format_samples import SAMPLES, read, read_sample, rows, said

DIGEST = "sha256:" + "0123456789abcdef" * 4
BINARY = [json.loads(text) for text in (SAMPLES / "zot-events/documented-binary.jsonl").read_text().splitlines()]


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def structured(posted: dict[str, Any], **changes: Any) -> dict[str, Any]:
    attributes = {
        name[3:].lower(): value for name, value in posted["headers"].items() if name.lower().startswith("ce-")
    }
    return attributes | {"data": posted["body"]} | changes


def test_a_push_in_full() -> None:
    row = rows(read_sample("zot-events", "zot-events/documented-binary.jsonl"))[1]
    assert said(row) == {
        "channel": "notification",
        "timestamp": datetime(2026, 3, 2, 8, 0, 2, 123456, tzinfo=UTC),
        "action": "push",
        "outcome": "success",
        "actor": "ci",
        "client_ip": "203.0.113.9",
        "client_port": 40112,
        "client_via": "peer",
        "user_agent": "skopeo/1.13.3",
        "method": "PUT",
        "repository": "shop/api",
        "project": "shop",
        "reference": "1.4.0",
        "tag": "1.4.0",
        "digest": DIGEST,
        "media_type": "application/vnd.oci.image.manifest.v1+json",
    }


def test_all_types() -> None:
    """A lint that failed is a push that was refused; a tag that was deleted is no deleted image."""
    told = [
        (row["action"], row["outcome"], row["actor"], row["tag"])
        for row in rows(read_sample("zot-events", "zot-events/documented-binary.jsonl"))
    ]
    assert told == [
        ("config", "success", None, None),
        ("push", "success", "ci", "1.4.0"),
        ("push", "failure", "ci", "1.4.1"),
        ("untag", "success", "irina", "1.4.0"),
    ]
    (row,) = rows(read_sample("zot-events", "zot-events/documented-structured.json"))
    assert (row["action"], row["outcome"], row["digest"]) == ("scan", "success", DIGEST)
    (row,) = rows(read("zot-events", line(structured(BINARY[3], data={"name": "a", "reference": DIGEST}))))
    assert (row["action"], row["digest"]) == ("delete", DIGEST)


def test_modes_are_one() -> None:
    """Binary as the receiver keeps it, binary with its body as text and Go's lists of headers, structured, batched."""
    posted = BINARY[1]
    listed = {
        "headers": {name: [value] for name, value in posted["headers"].items()},
        "body": json.dumps(posted["body"]),
    }
    pairs = {"headers": [[name, value] for name, value in posted["headers"].items()], "body": posted["body"]}
    forms = [posted, listed, pairs, structured(posted), [structured(posted)]]
    found = [said(row) for form in forms for row in rows(read("zot-events", line(form)))]
    assert len(found) == len(forms)
    assert all(event == found[0] for event in found)
    assert len({row["event_id"] for form in forms for row in rows(read("zot-events", line(form)))}) == 1


def test_another_prefix() -> None:
    """The settings may name the types otherwise."""
    (row,) = rows(read("zot-events", line(structured(BINARY[1], type="com.example.registry.image.updated"))))
    assert row["action"] == "push"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (BINARY[1]["body"], "no CloudEvent; where the mode is binary, the endpoint must keep the headers"),
        (structured(BINARY[1], type="harbor.artifact.pushed"), "no event of zot"),
        (structured(BINARY[1], type="zotregistry.image.painted"), "an event of an unknown type"),
        (structured(BINARY[1], id=""), "an event without an id"),
        (structured(BINARY[1], time="soon"), "no time that can be read"),
        (structured(BINARY[1], data=None), "the event's data is no JSON object"),
    ],
)
def test_rejects(document: Any, reason: str) -> None:
    parsed = read("zot-events", line(document))
    assert ([reject.reason for reject in parsed.rejects], parsed.events.num_rows) == ([reason], 0)
