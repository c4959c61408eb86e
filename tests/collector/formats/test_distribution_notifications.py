"""Notifications of Distribution: envelopes as captured, as documented, and as bodies of requests."""

from __future__ import annotations

import json
from collections import Counter

from format_samples import SAMPLES, read, read_sample, rows

from collector.formats.distribution_notifications import parse_body

CAPTURE = "distribution-live/v2.8.2-json/notifications.jsonl"


def body(**changes: object) -> bytes:
    event = {
        "id": "n1",
        "timestamp": "2026-11-24T02:17:24.193788935+01:00",
        "action": "pull",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:" + "a" * 64,
            "size": 12,
            "repository": "a/b",
            "url": "http://h/v2/a/b/manifests/sha256:" + "a" * 64,
            "tag": "1",
        },
        "request": {"id": "q1", "addr": "[2001:db8::1]:33432", "host": "h", "method": "GET", "useragent": "skopeo/1"},
        "actor": {"name": "u"},
    }
    return json.dumps({"events": [event | changes]}, indent=3).encode()


def test_heads_are_checks() -> None:
    """A notification of `pull` counts as one only where the manifest was fetched."""
    counts = Counter(row["action"] for row in rows(read_sample("distribution-notifications", CAPTURE)))
    assert counts == {
        "pull": 19,
        "check": 1,
        "layer_download": 53,
        "layer_check": 12,
        "push": 11,
        "sign": 1,  # the cosign tag
        "layer_upload": 25,
        "delete": 2,
        "untag": 1,
    }


def test_a_delivery_that_was_retried_counts_once() -> None:
    """During the outage the receiver answered 503, and the same notifications came again: their ids are the same."""
    lines = (SAMPLES / CAPTURE).read_bytes().splitlines()
    refused = [line for line in lines if json.loads(line)["answered"] == 503]
    assert refused
    all_ids = [row["event_id"] for row in rows(read_sample("distribution-notifications", CAPTURE))]
    for row in rows(read("distribution-notifications", b"\n".join(refused) + b"\n")):
        assert all_ids.count(row["event_id"]) >= 2


def test_a_body_in_full() -> None:
    """Whatever a notification says is in the event, and nothing that it does not say."""
    (row,) = rows(parse_body(body(), stream="hook", offset=5, path="/events", registry="r1"))
    shown = {name: value for name, value in row.items() if value is not None and name not in ("read_at", "event_id")}
    assert shown.pop("timestamp").isoformat() == "2026-11-24T01:17:24.193788+00:00"
    assert shown == {
        "revision": 0,
        "channel": "notification",
        "action": "pull",
        "outcome": "success",
        "dataset": "distribution-notifications",
        "registry": "r1",
        "registry_kind": "distribution",
        "actor": "u",
        "client_ip": "2001:db8::1",
        "client_port": 33432,
        "client_via": "peer",
        "user_agent": "skopeo/1",
        "method": "GET",
        "host": "h",
        "request_id": "q1",
        "repository": "a/b",
        "project": "a",
        "reference": "1",
        "tag": "1",
        "digest": "sha256:" + "a" * 64,
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "size_bytes": 12,
        "stream": "hook",
        "offset": 5,
        "path": "/events",
        "parts": ["hook:5"],
    }


def test_the_event_has_the_id_of_the_log_line() -> None:
    """A notification and the log line of the same request are one event."""
    log = (
        b'{"level":"info","msg":"response completed","time":"2026-11-24T02:17:24Z","http.request.id":"q1",'
        b'"http.request.method":"GET","http.request.uri":"/v2/a/b/manifests/1","http.response.status":200}\n'
    )
    (told,) = rows(parse_body(body(), stream="hook", offset=0, path="", registry=None))
    (logged,) = rows(read("distribution-json", log))
    assert told["event_id"] == logged["event_id"]


def test_an_envelope_of_three_is_three_events_of_one_document() -> None:
    """A document printed over many lines is accounted for line by line."""
    parsed = read_sample("distribution-notifications", "distribution-notifications/docs-push-envelope-3-events.json")
    assert (parsed.events.num_rows, parsed.extra, parsed.ignored) == (3, 2, 78)
    assert [row["action"] for row in rows(parsed)] == ["push", "layer_upload", "layer_upload"]


def test_a_deleted_digest_takes_its_tags_away_one_by_one() -> None:
    """Tags that go with a digest are notified under one request id; each is an event."""
    ids = {
        rows(
            parse_body(
                body(action="delete", target={"repository": "a/b", "tag": tag, "digest": ""}),
                stream="s", offset=0, path="", registry=None,
            )
        )[0]["event_id"]
        for tag in ("1", "2")
    }  # fmt: skip
    assert len(ids) == 2


def test_bad_bodies_are_rejects() -> None:
    """Torn, foreign and incomplete bodies are kept with a reason; the good notification beside a bad one is read."""
    for bad in (b"", b"{", b"[]", b'{"events":{}}', b'{"events":[{}]}', b"\x00\xff", body(timestamp="yesterday")):
        parsed = parse_body(bad, stream="s", offset=0, path="", registry=None)
        assert (parsed.events.num_rows, len(parsed.rejects), parsed.lines) == (0, 1, 1), bad
    envelope = json.loads(body())
    envelope["events"].append({"action": "explode"})
    mixed = parse_body(json.dumps(envelope).encode(), stream="s", offset=0, path="", registry=None)
    assert (mixed.events.num_rows, len(mixed.rejects), mixed.lines) == (1, 1, 1)
    assert parse_body(b'{"events":[]}', stream="s", offset=0, path="", registry=None).ignored == 1
