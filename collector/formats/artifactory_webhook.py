"""JFrog's webhooks of the domain `docker`: a tag was pushed, deleted or promoted.

The body says no time, so the event's is that of the delivery; and no id of the delivery, so one that is repeated counts again.
Events of other domains tell of the same files in another way and are ignored.

JFrog documentation, "Webhooks", domain docker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from collector.artifactory import stored_image
from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.lines import moment, whole, word
from collector.posted import read_posted
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_ACTIONS = {"pushed": Action.PUSH, "deleted": Action.UNTAG, "promoted": Action.TAG}


def claims(head: bytes) -> float:
    start = head[:8192]
    if start.lstrip()[:1] not in (b"{", b"[") or re.search(rb'"domain\\?"\s*:', start) is None:
        return 0.0
    return 0.9 if re.search(rb'"(?:repo_key|subscription_key|jpd_origin)\\?"\s*:', start) else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    posted = read_posted(document)
    body = object_or_reject(posted.body, "the notification")
    kind = word(body.get("event_type"))
    if kind is None or word(body.get("domain")) is None:
        raise NotMine("no webhook of JFrog's")
    action = _ACTIONS.get(kind)
    if body["domain"] != "docker" or action is None:
        return
    event = _event(as_object(body.get("data")), action)
    if posted.received_at is not None:
        event["timestamp"] = moment(posted.received_at)
    source = word(body.get("source")) or ""
    event["actor"] = source.partition("/")[2] or source or None  # `jfrog/` and the user
    event["host"] = _host(word(body.get("jpd_origin")) or "")
    yield event


def _event(data: dict[str, Any], action: Action) -> Event:
    key, name, tag = word(data.get("repo_key")), word(data.get("image_name")), word(data.get("tag"))
    if key is None:
        raise Unreadable("a webhook without a repository")
    if name is None:
        stored = stored_image(key, word(data.get("path")) or "")
        if stored is None:
            raise Unreadable("a webhook without an image")
        repository, tag = stored[0].repository, tag or stored[0].tag
    else:
        repository = f"{key}/{name}"
    checksum = word(data.get("sha256")) or ""
    digest = f"sha256:{checksum}" if re.fullmatch(r"[0-9a-f]{64}", checksum) else None
    return {
        "channel": Channel.NOTIFICATION.value,
        "action": action.value,
        "outcome": Outcome.SUCCESS.value,
        "repository": repository,
        "reference": tag or digest,
        "tag": tag,
        "digest": digest,
        "size_bytes": whole(data.get("size")) or None,
    }


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None


FORMAT = DocumentFormat(
    name="artifactory-webhook",
    title="JFrog webhook (domain docker)",
    registry_kind="artifactory",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="7.x", tested=False, never=("time", "address", "user agent", "pulls", "denied requests", "bytes")
    ),
)
