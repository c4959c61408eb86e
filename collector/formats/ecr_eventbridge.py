"""AWS ECR's own events in EventBridge: images pushed, deleted, scanned, replicated, cached from upstream, archived.

One event a line or a pretty-printed one, or a body that a rule posted. They are sent on a best-effort basis, and tell neither
of pulls nor of who did it or from where: CloudTrail does. API calls (`AWS API Call via CloudTrail`) come over the same bus
and are another format's, ecr-cloudtrail: a rule for `"detail-type": [{"prefix": "ECR "}]` leaves them out.

Amazon ECR user guide, "Amazon ECR events and EventBridge"; schemas aws.ecr@… of the EventBridge schema registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.lines import moment, word
from collector.posted import read_posted
from collector.severities import severity_text
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_KIND = re.compile(rb'\\?"detail-type\\?"\s*:\s*\\?"ECR ')
_IMAGE_ACTIONS = {"PUSH": Action.PUSH, "DELETE": Action.DELETE, "UPDATE_STORAGE_CLASS": Action.CONFIG}
_ACTIONS: dict[str, Action] = {
    "ECR Image Scan": Action.SCAN,
    "ECR Scan Resource Change": Action.CONFIG,
    "ECR Replication Action": Action.REPLICATE,
    "ECR Pull Through Cache Action": Action.REPLICATE,
}
_OUTCOMES = {
    "SUCCESS": Outcome.SUCCESS,
    "COMPLETE": Outcome.SUCCESS,
    "FAILED": Outcome.FAILURE,
    "FAILURE": Outcome.FAILURE,
}


def claims(head: bytes) -> float:
    return 0.95 if b"aws.ecr" in head and _KIND.search(head[:16_384]) is not None else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    body = read_posted(document).body
    for told in body if isinstance(body, list) else [body]:
        try:
            yield from _events(object_or_reject(told, "the event"))
        except LineError as error:
            yield error


def _events(envelope: dict[str, Any]) -> Iterator[Event]:
    kind, own_id = word(envelope.get("detail-type")), word(envelope.get("id"))
    detail = as_object(envelope.get("detail"))
    if kind is not None and kind.startswith("AWS API Call"):
        raise NotMine("an API call: the format ecr-cloudtrail reads those")
    if envelope.get("source") != "aws.ecr" or kind is None or not kind.startswith("ECR "):
        raise NotMine("no event of ECR")
    if own_id is None:
        raise Unreadable("an event without an id")
    common: Event = {
        "channel": Channel.NOTIFICATION.value,
        "timestamp": moment(envelope.get("time")),
        "action": _action(kind, detail).value,
    }
    changed = detail.get("repositories")
    if isinstance(changed, list):  # one change of the scan settings names each repository that it touches
        for repository in changed:
            name = word(as_object(repository).get("repository-name"))
            if name is not None:
                event_id = numbered_event_id("eventbridge", own_id, name)
                yield common | {"event_id": event_id, "repository": name, "outcome": Outcome.SUCCESS.value}
        return
    yield common | {"event_id": numbered_event_id("eventbridge", own_id)} | _result(kind, detail) | _image(detail)


def _action(kind: str, detail: dict[str, Any]) -> Action:
    told = word(detail.get("action-type")) or ""
    if kind in ("ECR Image Action", "ECR Referrer Action"):
        action = _IMAGE_ACTIONS.get(told, Action.OTHER)
        return Action.SIGN if kind == "ECR Referrer Action" and action is Action.PUSH else action
    return _ACTIONS.get(kind, Action.OTHER)


def _result(kind: str, detail: dict[str, Any]) -> Event:
    told = word(detail.get("result")) or word(detail.get("sync-status")) or word(detail.get("scan-status")) or ""
    if kind == "ECR Scan Resource Change":
        return {"outcome": Outcome.SUCCESS.value}
    outcome, counts = _OUTCOMES.get(told, Outcome.UNKNOWN), detail.get("finding-severity-counts")
    found = severity_text(counts) if isinstance(counts, dict) and outcome is Outcome.SUCCESS else None
    return {
        "outcome": outcome.value,
        "error_code": word(detail.get("failure-code")),
        "error_message": word(detail.get("failure-reason")) or found,
    }


def _image(detail: dict[str, Any]) -> Event:
    tags = detail.get("image-tags")
    only = tags[0] if isinstance(tags, list) and len(tags) == 1 else None  # of several none is the one that was meant
    tag, digest = word(detail.get("image-tag")) or word(only), word(detail.get("image-digest"))
    return {
        "repository": word(detail.get("repository-name")),
        "reference": tag or digest,
        "tag": tag,
        "digest": digest,
        "media_type": word(detail.get("manifest-media-type")),
    }


FORMAT = DocumentFormat(
    name="ecr-eventbridge",
    title="AWS ECR in EventBridge",
    registry_kind="ecr",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="documented examples of all event types",
        tested=False,
        never=("pulls", "user", "address", "user agent", "bytes", "duration", "denied requests"),
    ),
)
