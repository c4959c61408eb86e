"""The registry's notifications, one delivery a line with the exact body, as a receiver keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from regsight.traffic.calendar import moment
from regsight.traffic.requests import BYTES, MANIFEST, MILLISECOND, Request
from regsight.traffic.writers.distribution_json import HOST
from regsight.traffic.writers.timestamps import rfc3339

BASE = f"https://{HOST}/v2"


class Notifications:
    """Pushes, pulls, HEADs, mounts and deletes that succeeded. Nothing is said of what was refused or failed."""

    file = "notifications.jsonl"

    def __init__(self, instance: str) -> None:
        self._source = {"addr": "registry-0:5000", "instanceID": instance}

    def tell(self, request: Request) -> list[tuple[int, str]]:
        event = self._event(request)
        if event is None:
            return []
        body = json.dumps({"events": [event]}, indent=3, ensure_ascii=False)
        received = request.at + 2 * MILLISECOND
        delivery = {
            "received_at": moment(received).isoformat(),
            "client": "10.0.0.3",
            "method": "POST",
            "path": "/registry/events",
            "headers": [
                ["Host", "events.example.net"],
                ["User-Agent", "Go-http-client/1.1"],
                ["Content-Length", str(len(body.encode()))],
                ["Content-Type", "application/vnd.docker.distribution.events.v2+json"],
                ["Accept-Encoding", "gzip"],
            ],
            "answered": 200,
            "body": body,
        }
        return [(received, json.dumps(delivery, ensure_ascii=False))]

    def _event(self, request: Request) -> dict[str, Any] | None:
        target = _target(request)
        if target is None or request.status >= 400:
            return None
        actions = {"PUT": "push", "GET": "pull", "HEAD": "pull", "POST": "mount", "DELETE": "delete"}
        return {
            "id": request.id[:-12] + request.id[:-13:-1],  # an id of its own, that follows from the request's
            "timestamp": rfc3339(request.at - 100_000),
            "action": actions[request.method],
            "target": target,
            "request": {
                "id": request.id,
                "addr": f"{request.address}:{request.port}",
                "host": HOST,
                "method": request.method,
                "useragent": request.agent,
            },
            "actor": {"name": request.actor} if request.actor else {},
            "source": self._source,
        }

    def pack(self, lines: Iterable[str]) -> Iterable[str]:
        return lines


def _target(request: Request) -> dict[str, Any] | None:
    digest = request.digest or request.target
    if not digest:
        return None
    if request.method == "DELETE" and request.reference and ":" not in request.reference:  # the tag alone goes
        return {"mediaType": "", "digest": "", "size": 0, "repository": request.name, "tag": request.reference}
    if request.method == "DELETE":
        return {"mediaType": "", "digest": digest, "size": 0, "repository": request.name}
    manifest = "/manifests/" in request.uri
    found: dict[str, Any] = {
        "mediaType": (request.sent_type or request.answer_type or MANIFEST) if manifest else BYTES,
        "digest": digest,
        "size": request.size,
        "length": request.size,
        "repository": request.name,
        "url": f"{BASE}/{request.name}/{'manifests' if manifest else 'blobs'}/{digest}",
    }
    if manifest and not request.reference.startswith("sha256:"):
        found["tag"] = request.reference
    return found
