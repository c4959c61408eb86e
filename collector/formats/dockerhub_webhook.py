"""Docker Hub's webhook: a tag was pushed. `pushed_at` is in seconds, as `1417566161` or `1.417566161e+09`.

The body has no digest. Its `callback_url` lets whoever knows it answer in the name of the receiver, and is not kept.

Docker documentation, "Webhooks".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.epoch import epoch_moment
from collector.errors import LineError, NotMine, Unreadable
from collector.lines import word
from collector.posted import read_posted
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome


def claims(head: bytes) -> float:
    start = head.lstrip()[:16_384]
    if start[:1] not in (b"{", b"["):
        return 0.0
    return 0.95 if b"push_data" in start and b"pushed_at" in start else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    body = object_or_reject(read_posted(document).body, "the notification")
    if not isinstance(body.get("push_data"), dict):
        raise NotMine("no webhook of Docker Hub's")
    push, repository = body["push_data"], _repository(as_object(body.get("repository")))
    if repository is None:
        raise Unreadable("a webhook without a repository")
    tag, actor, when = word(push.get("tag")), word(push.get("pusher")), epoch_moment(push.get("pushed_at"))
    yield {
        # A delivery that is repeated says the same, to the second.
        "event_id": numbered_event_id("dockerhub-webhook", repository, tag or "", actor or "", when.isoformat()),
        "channel": Channel.NOTIFICATION.value,
        "timestamp": when,
        "action": Action.PUSH.value,
        "outcome": Outcome.SUCCESS.value,
        "actor": actor,
        "repository": repository,
        "reference": tag,
    }


def _repository(told: dict[str, Any]) -> str | None:
    namespace, name = word(told.get("namespace")), word(told.get("name"))
    return word(told.get("repo_name")) or (f"{namespace}/{name}" if namespace and name else None)


FORMAT = DocumentFormat(
    name="dockerhub-webhook",
    title="Docker Hub webhook",
    registry_kind="dockerhub",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2014 to 2026",
        tested=True,
        never=("digest", "address", "user agent", "pulls", "denied requests", "bytes", "duration"),
    ),
)
