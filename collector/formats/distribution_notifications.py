"""Distribution's notifications: what the registry posts to its webhook endpoints (2.x and 3.x).

An envelope `{"events": […]}`, a bare event, or the line of a capture `{"received_at": …, "headers": …, "body": "…"}` whose
body is an envelope. `HEAD` also notifies as `pull`: that is a check. Deliveries that were not answered with 2xx or 3xx come
again with the same ids, and the application log tells of the same requests under the same ids, so nothing counts twice.
Denied and failed requests have no notification; status and duration are never told.

Fields: notifications/event.go of distribution/distribution.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import address_and_port, moment, whole, word
from collector.sheet import numbered_event_id, request_event_id
from collector.stages import Parsed
from store.event import Action, Channel, Event, Outcome

# (is it a manifest, action of the notification, HTTP method) → action; the method decides only between GET and HEAD.
_ACTIONS = {
    (True, "pull"): Action.PULL,
    (False, "pull"): Action.LAYER_DOWNLOAD,
    (True, "push"): Action.PUSH,
    (False, "push"): Action.LAYER_UPLOAD,
    (True, "mount"): Action.MOUNT,
    (False, "mount"): Action.MOUNT,
    (True, "delete"): Action.DELETE,
    (False, "delete"): Action.DELETE,
}
_CHECKS = {Action.PULL: Action.CHECK, Action.LAYER_DOWNLOAD: Action.LAYER_CHECK}
_MANIFEST_TYPE = re.compile(r"manifest|index")
_ENVELOPE = re.compile(rb'\\?"events\\?"\s*:\s*\[')
_TARGET = re.compile(rb'\\?"target\\?"\s*:\s*\{')


def claims(head: bytes) -> float:
    if head.lstrip()[:1] != b"{" or b'"msg"' in head[:4096] or _TARGET.search(head) is None:
        return 0.0
    if _ENVELOPE.search(head[:4096]) is not None:
        return 0.95
    return 0.8 if b'"action"' in head[:4096] and b'"repository"' in head[:8192] else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    whole_document = object_or_reject(document, "the notification")
    if isinstance(whole_document.get("body"), str) and "events" not in whole_document:
        try:
            whole_document = object_or_reject(orjson.loads(whole_document["body"]), "the body")
        except ValueError:
            raise Unreadable("torn or mutated JSON in the body") from None
    if "events" in whole_document:
        events = whole_document["events"]
        if not isinstance(events, list):
            raise Unreadable("events is no list")
    elif "action" in whole_document and "target" in whole_document:
        events = [whole_document]
    else:
        raise NotMine("neither an envelope nor a notification")
    for event in events:
        try:
            yield _event(object_or_reject(event, "the notification"))
        except LineError as error:
            yield error


def _event(notification: dict[str, Any]) -> Event:
    target, request = as_object(notification.get("target")), as_object(notification.get("request"))
    repository, tag, digest = word(target.get("repository")), word(target.get("tag")), word(target.get("digest"))
    method = word(request.get("method"))
    action = _action(notification.get("action"), target, method)
    if repository is None:
        raise Unreadable("a notification without a repository")
    client, port = address_and_port(request.get("addr"))
    request_id = word(request.get("id"))
    event: Event = {
        "channel": Channel.NOTIFICATION.value,
        "timestamp": moment(notification.get("timestamp")),
        "action": action.value,
        "outcome": Outcome.SUCCESS.value,
        "actor": word(as_object(notification.get("actor")).get("name")),
        "client_ip": client,
        "client_port": port,
        "client_via": None if client is None else "forwarded" if port is None else "peer",
        "user_agent": word(request.get("useragent")),
        "method": method,
        "host": word(request.get("host")),
        "request_id": request_id,
        "repository": repository,
        "reference": tag or digest,
        "tag": tag,
        "digest": digest if digest and is_digest(digest) else None,
        "media_type": word(target.get("mediaType")),
        "size_bytes": _size(target),
        "from_repository": word(target.get("fromRepository")),
    }
    if request_id is not None:
        event["event_id"] = request_event_id(request_id, event["action"], tag)
    elif (own_id := word(notification.get("id"))) is not None:
        event["event_id"] = numbered_event_id("notification", own_id)
    else:
        raise Unreadable("a notification without any id")
    return event


def _action(told: Any, target: dict[str, Any], method: str | None) -> Action:
    url, media_type = word(target.get("url")) or "", word(target.get("mediaType")) or ""
    marker = max(("/manifests/", "/blobs/"), key=url.rfind) if "/v2/" in url else ""
    is_manifest = marker == "/manifests/" if marker and marker in url else _MANIFEST_TYPE.search(media_type) is not None
    action = _ACTIONS.get((is_manifest, told)) if isinstance(told, str) else None
    if action is None:
        raise Unreadable("a notification of an unknown action")
    if method == "HEAD":
        return _CHECKS.get(action, action)
    if action is Action.DELETE and word(target.get("tag")) and not word(target.get("digest")):
        return Action.UNTAG
    return action


def _size(target: dict[str, Any]) -> int | None:
    """Bytes of the manifest or blob. Deletions say 0, or nothing: then nothing is known."""
    return whole(target.get("size")) or whole(target.get("length")) or None


FORMAT = DocumentFormat(
    name="distribution-notifications",
    title="Distribution notifications (webhook)",
    registry_kind="distribution",
    claim=claims,
    rows_of=rows_of,
)


def parse_body(body: bytes, *, stream: str, offset: int, path: str, registry: str | None) -> Parsed:
    """The body of one request to the webhook receiver. Never raises; `Parsed.lines` is 1, whatever the body holds."""
    return FORMAT.parse_document(body, stream=stream, offset=offset, path=path, registry=registry)
