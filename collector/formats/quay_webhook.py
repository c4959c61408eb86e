"""Quay's notifications: tags that were pushed, vulnerabilities that were found, mirrors that were synchronised.

The body says neither when nor who: the time is that of the delivery. A push of several tags is told in one body, and each is an
event. There is no id either: a delivery that is repeated counts again.

notifications/notificationevent.py of quay/quay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, object_or_reject
from collector.errors import LineError, NotMine
from collector.lines import moment, word
from collector.posted import read_posted
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome


def claims(head: bytes) -> float:
    start = head.lstrip()[:8192]
    if start[:1] not in (b"{", b"["):
        return 0.0
    return 0.9 if all(name in start for name in (b"docker_url", b"homepage", b"namespace")) else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    posted = read_posted(document)
    body = object_or_reject(posted.body, "the notification")
    repository, url = word(body.get("repository")), word(body.get("docker_url"))
    if repository is None or url is None:
        raise NotMine("no notification of Quay's")
    for action, tag in _told(body):
        event: Event = {
            "channel": Channel.NOTIFICATION.value,
            "action": action.value,
            "outcome": Outcome.SUCCESS.value,
            "host": url.partition("/")[0] or None,
            "repository": repository,
            "project": word(body.get("namespace")),
            "reference": tag,
        }
        if posted.received_at is not None:
            event["timestamp"] = moment(posted.received_at)
        yield event


def _told(body: dict[str, Any]) -> Iterator[tuple[Action, str | None]]:
    pushed = body.get("updated_tags")
    if isinstance(pushed, list | dict):  # before the second version of the registry's API with the ids of images
        yield from ((Action.PUSH, tag) for tag in pushed if word(tag))
    elif "vulnerability" in body or "vulnerabilities" in body:
        tags = body.get("tags")
        yield from ((Action.SCAN, tag) for tag in (tags if isinstance(tags, list) else ()) if word(tag))


FORMAT = DocumentFormat(
    name="quay-webhook",
    title="Quay notifications (webhook)",
    registry_kind="quay",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2.x, 3.x",
        tested=False,
        never=("time", "user", "address", "digest", "pulls", "denied requests", "bytes"),
    ),
)
