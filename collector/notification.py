"""One notification as Distribution writes it, and as Azure and GitLab kept it: what a request did to its target.

`HEAD` also notifies as `pull`: that is a check. The application log tells of the same request under the same id. Status and
duration are never told. Fields: notifications/event.go of distribution/distribution.
"""

from __future__ import annotations

import re
from typing import Any

from collector.documents import as_object
from collector.errors import Unreadable
from collector.image_reference import is_digest
from collector.lines import address_and_port, moment, whole, word
from collector.request import evidence_action
from collector.sheet import numbered_event_id, request_event_id
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


def notification_event(notification: dict[str, Any], action: Action | None = None) -> Event:
    """The event of one notification; with an `action` where its own is none of Distribution's.

    Raises:
        Unreadable: no repository, time or id, or an action that nobody knows.
    """
    target, request = as_object(notification.get("target")), as_object(notification.get("request"))
    repository, tag, digest = word(target.get("repository")), word(target.get("tag")), word(target.get("digest"))
    method = word(request.get("method"))
    action = evidence_action(action or _action(notification.get("action"), target, method), tag)
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
