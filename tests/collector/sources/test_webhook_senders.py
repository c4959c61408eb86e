"""The receiver and the registries that post to it: requests as real ones sent them, replayed with their headers."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from collecting import embedded, events, pipeline
from format_samples import SAMPLES, formats
from pydantic import SecretStr

from collector.sources.webhook import WebhookReceiver
from collector.webhook_proof import Endpoint
from store.contract import Store

HARBOR = SAMPLES / "harbor-live" / "v2.12.4"
HOOK_TOKEN = SecretStr("hook-token-1")  # what the captured Harbor was set to send
SECRET = SecretStr("the-secret")


class Running:
    def __init__(self, receiver: WebhookReceiver, store: Store) -> None:
        self.receiver, self.store = receiver, store
        self.http = urllib3.PoolManager(retries=False, timeout=30)

    def post(self, path: str, body: bytes | str, headers: dict[str, str]) -> int:
        answer = self.http.request("POST", self.receiver.address + path, body=body, headers=headers)
        return answer.status


@contextmanager
def running(folder: Path, *endpoints: Endpoint) -> Iterator[Running]:
    receiver = WebhookReceiver("127.0.0.1:0", endpoints)
    with embedded(folder / "store") as store:
        run = pipeline(store, receiver)
        thread = threading.Thread(target=run.run)
        thread.start()
        try:
            assert receiver.ready(20)
            yield Running(receiver, store)
        finally:
            run.stop()
            thread.join(20)
            assert not thread.is_alive()


def captured(path: Path) -> list[dict[str, Any]]:
    requests = [json.loads(line) for line in path.read_bytes().splitlines()]
    left_out = {"host", "content-length", "accept-encoding"}
    for request in requests:
        request["headers"] = {name: value for name, value in request["headers"] if name.lower() not in left_out}
    return requests


def replay(server: Running, path: str, requests: list[dict[str, Any]], more: dict[str, str] | None = None) -> None:
    for request in requests:
        assert server.post(path, request["body"], request["headers"] | (more or {})) == 200


@pytest.mark.parametrize("name", ["webhook-default", "webhook-cloudevents", "webhook-tiny"])
def test_harbors_webhooks(tmp_path: Path, name: str) -> None:
    """With Harbor's own auth header; those that it repeated in an outage, and all of them once more, add no event."""
    requests = captured(HARBOR / f"{name}.jsonl")
    endpoint = Endpoint(path="/harbor", format="harbor-webhook", registry="harbor", token=HOOK_TOKEN)
    with running(tmp_path, endpoint) as server:
        replay(server, "/harbor", requests)
        once = {event["event_id"] for event in events(server.store)}
        assert len(once) >= len({request["body"] for request in requests}) // 2 and not server.store.dead_letters()
        replay(server, "/harbor", requests[:10])
        assert {event["event_id"] for event in events(server.store)} == once
        stranger = requests[0]["headers"] | {"Authorization": "Bearer hook-token-2"}
        assert server.post("/harbor", requests[0]["body"], stranger) == 401


def test_distributions_notifications(tmp_path: Path) -> None:
    """As docker-registry posted them; every envelope is stored when it is answered."""
    requests = captured(SAMPLES / "distribution-live" / "v3-json" / "notifications.jsonl")
    endpoint = Endpoint(path="/e", format="distribution-notifications", registry="r1", token=HOOK_TOKEN)
    with running(tmp_path, endpoint) as server:
        for request in requests:
            sent = request["headers"] | {"Authorization": "Bearer hook-token-1"}
            assert server.post("/e", request["body"], sent) == 200
        ids = {event["id"] for request in requests for event in json.loads(request["body"])["events"]}
        assert len(events(server.store)) == len(ids) and not server.store.dead_letters()


ZOT = {
    "Ce-Specversion": "1.0",
    "Ce-Id": "0b7f4f3a-5f0e-4f0b-9d43-3f2b4a3d1c11",
    "Ce-Source": "https://zot.example",
    "Ce-Type": "zotregistry.image.updated",
    "Ce-Time": "2026-11-24T02:17:30Z",
    "Content-Type": "application/json",
}
ZOT_BODY = {
    "name": "payments/api",
    "reference": "1.4.3",
    "digest": "sha256:4b1f3d5a7c9e0b2d4f6a8c0e1b3d5f7a9c0e2b4d6f8a0c1e3b5d7f9a0c2e4b6d",
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "actor": {"name": "ci"},
    "request": {"addr": "192.0.2.4:5000", "method": "PUT", "useragent": "skopeo/1.9.3"},
}


def test_cloud_events_in_binary_mode(tmp_path: Path) -> None:
    """zot's attributes are in the headers: they are kept with the body, and no secret among them is."""
    endpoint = Endpoint(path="/zot", format="zot-events", registry="zot", token=SECRET)
    with running(tmp_path, endpoint) as server:
        sent = ZOT | {"Authorization": "Bearer the-secret", "Cookie": "session=the-cookie", "X-Api-Key": "the-key"}
        assert server.post("/zot", json.dumps(ZOT_BODY, indent=2), sent) == 200
        (event,) = events(server.store)
        assert (event["action"], event["repository"], event["tag"], event["actor"]) == (
            "push",
            "payments/api",
            "1.4.3",
            "ci",
        )
        assert server.post("/zot", b"[]", sent) == 200  # nothing that a format can read: a dead letter, to look at it
        (letter,) = server.store.dead_letters()
        kept = json.loads(letter.line)
        assert kept["body"] == [] and kept["headers"]["ce-type"] == "zotregistry.image.updated"
        for word in (b"the-secret", b"the-cookie", b"the-key"):
            assert word not in letter.line


def test_headers_are_kept_where_the_endpoint_says_so(tmp_path: Path) -> None:
    """For formats that need them; the body stays as it is, on one line."""
    endpoint = Endpoint(path="/e", format="zot-events", token=SECRET, keep_headers=True)
    with running(tmp_path, endpoint) as server:
        sent = {"Authorization": "Bearer the-secret", "X-GitHub-Event": "package", "Content-Type": "application/json"}
        assert server.post("/e", b'{\n "a": 1\n}\n', sent) == 200
        (letter,) = server.store.dead_letters()
        kept = json.loads(letter.line)
        assert kept["body"] == {"a": 1} and kept["headers"]["x-github-event"] == "package"
        assert "authorization" not in kept["headers"]


def test_githubs_signature_and_its_repetition(tmp_path: Path) -> None:
    """The official example, signed; sent again, with another delivery id too, it is answered and not stored again."""
    body = (SAMPLES / "ghcr-webhook" / "registry_package.published.docker.json").read_bytes()
    signature = hmac.new(b"the-secret", body, hashlib.sha256).hexdigest()
    endpoint = Endpoint(
        path="/ghcr", format="ghcr-webhook", hmac_secret=SECRET, delivery_header="X-GitHub-Delivery", registry="ghcr"
    )
    with running(tmp_path, endpoint) as server:
        sent = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
        for delivery in ("1", "1", "2"):
            assert server.post("/ghcr", body, sent | {"X-GitHub-Delivery": delivery}) == 200
        stored = server.store.position("http:/ghcr")
        assert stored is not None and stored.offset <= len(body) + 1
        assert server.post("/ghcr", body + b" ", sent) == 401


def test_a_query_parameter_for_docker_hub(tmp_path: Path) -> None:
    """Docker Hub sets no header: the token is in the address, which is never logged."""
    body = (SAMPLES / "dockerhub-webhook" / "push-2017.json").read_bytes()
    endpoint = Endpoint(path="/hub", format="dockerhub-webhook", registry="hub", token=SECRET, token_query="token")
    with running(tmp_path, endpoint) as server:
        assert server.post("/hub?token=wrong", body, {"Content-Type": "application/json"}) == 401
        assert server.post("/hub?token=the-secret", body, {"Content-Type": "application/json"}) == 200
        assert len(events(server.store)) == 1


def test_a_large_report(tmp_path: Path) -> None:
    """A Trivy report of several megabytes, one line: read whole, no dead letter."""
    report = json.loads((SAMPLES / "trivy-report" / "alpine-310.json").read_bytes())
    report["Results"][0]["Vulnerabilities"] *= 1 + 3_000_000 // len(json.dumps(report))
    body = json.dumps(report).encode()
    assert len(body) > 2 << 20
    endpoint = Endpoint(path="/t", format="trivy-report", registry="r1", token=SECRET, max_body_bytes=16 << 20)
    with running(tmp_path, endpoint) as server:
        sent = {"Authorization": "Bearer the-secret", "Content-Type": "application/json"}
        assert server.post("/t", body, sent) == 200
        assert len(events(server.store)) >= 1 and not server.store.dead_letters()


def test_senders_that_ask_first(tmp_path: Path) -> None:
    """Event Grid gets its code back, a sender of CloudEvents its permission; neither without the token, nothing is stored."""
    endpoint = Endpoint(path="/grid", format="acr-eventgrid", registry="acr", token=SECRET, token_query="token")
    code = {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "https://grid.example/x"}
    asked = [{"id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": code}]
    with running(tmp_path, endpoint) as server:
        url = f"{server.receiver.address}/grid?token="
        answer = server.http.request("POST", url + "the-secret", json=asked)
        assert answer.status == 200 and answer.json() == {"validationResponse": code["validationCode"]}
        assert server.http.request("POST", url + "wrong", json=asked).status == 401
        origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
        permitted = server.http.request("OPTIONS", url + "the-secret", headers=origin)
        assert permitted.status == 200 and permitted.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
        assert server.http.request("OPTIONS", url + "wrong", headers=origin).status == 401
        assert server.http.request("OPTIONS", url + "the-secret").status == 405
        assert not events(server.store) and not server.store.positions()


def test_every_format_named_here_is_there() -> None:
    """A format that was renamed would make dead letters of everything posted."""
    named = {"harbor-webhook", "distribution-notifications", "zot-events", "ghcr-webhook", "dockerhub-webhook"}
    assert named | {"trivy-report"} <= set(formats())
