"""Harbor's webhooks: what a project's policy posts, in the payload format Default or CloudEvents (2.8 and later).

Bodies as they came, or captures with the headers around them. A webhook that was not answered with 2xx is sent again. In
CloudEvents each has an id. Default has none, and its time is a second: bodies that say the same are one event, so that of
several pulls of one image by one user within one second only one counts. CloudEvents is the better choice.

The running state of a replication is no event: its end is told too. A replication names the namespaces of its two sides, but
(2.12) each at the other's place, so no project is taken from it. `auto` and `MANUAL` stand for a trigger, not for a user.

src/pkg/notifier/model/event.go and src/pkg/notifier/formats/cloudevents.go of goharbor/harbor; the 1.x names and
`UPLOAD_CHART` … of releases with ChartMuseum: src/pkg/notification/notification.go of the release branches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from collector.cloudevents import cloud_events
from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.epoch import epoch_moment
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import moment, word
from collector.posted import Posted, read_posted
from collector.scan_overview import ended_scans
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_SUCCESS: tuple[Outcome, str | None] = (Outcome.SUCCESS, None)
# Type of the event → what was done, and how it ended. A warning of the quota is no push, but what the push led to.
_TYPES: dict[str, tuple[Action, tuple[Outcome, str | None]]] = {
    "PUSH_ARTIFACT": (Action.PUSH, _SUCCESS),
    "PULL_ARTIFACT": (Action.PULL, _SUCCESS),
    "DELETE_ARTIFACT": (Action.DELETE, _SUCCESS),
    "SCANNING_COMPLETED": (Action.SCAN, _SUCCESS),
    "SCANNING_FAILED": (Action.SCAN, (Outcome.FAILURE, None)),
    "SCANNING_STOPPED": (Action.SCAN, (Outcome.FAILURE, "aborted")),
    "QUOTA_EXCEED": (Action.PUSH, (Outcome.FAILURE, "quota_exceeded")),
    "QUOTA_WARNING": (Action.OTHER, (Outcome.SUCCESS, "quota_warning")),
    "REPLICATION": (Action.REPLICATE, _SUCCESS),
    "TAG_RETENTION": (Action.RETAIN, _SUCCESS),
}
_SAME_AS = {
    "harbor.artifact.pushed": "PUSH_ARTIFACT",
    "harbor.artifact.pulled": "PULL_ARTIFACT",
    "harbor.artifact.deleted": "DELETE_ARTIFACT",
    "harbor.scan.completed": "SCANNING_COMPLETED",
    "harbor.scan.failed": "SCANNING_FAILED",
    "harbor.scan.stopped": "SCANNING_STOPPED",
    "harbor.quota.exceeded": "QUOTA_EXCEED",
    "harbor.quota.warned": "QUOTA_WARNING",
    "harbor.replication.status.changed": "REPLICATION",
    "harbor.tag_retention.finished": "TAG_RETENTION",
    "pushImage": "PUSH_ARTIFACT",
    "pullImage": "PULL_ARTIFACT",
    "deleteImage": "DELETE_ARTIFACT",
    "scanningCompleted": "SCANNING_COMPLETED",
    "scanningFailed": "SCANNING_FAILED",
    "uploadChart": "PUSH_ARTIFACT",
    "downloadChart": "PULL_ARTIFACT",
    "deleteChart": "DELETE_ARTIFACT",
    "UPLOAD_CHART": "PUSH_ARTIFACT",
    "DOWNLOAD_CHART": "PULL_ARTIFACT",
    "DELETE_CHART": "DELETE_ARTIFACT",
}
_ENDS = {
    "success": Outcome.SUCCESS,
    "succeed": Outcome.SUCCESS,
    "error": Outcome.FAILURE,
    "failed": Outcome.FAILURE,
    "failure": Outcome.FAILURE,
    "stopped": Outcome.FAILURE,
}
_TRIGGERS = ("auto", "MANUAL", "SCHEDULED", "EVENT")
_DEFAULT = re.compile(rb'\\?"event_data\\?"\s*:')
_CLOUD = re.compile(rb'\\?"type\\?"\s*:\s*\\?"harbor\.[a-z_.]{1,60}\\?"')
_SLACK = b"Harbor webhook events"
_LONGEST_MESSAGE = 500


def claims(head: bytes) -> float:
    start = head[:32_768]
    if head.lstrip()[:1] not in (b"{", b"["):
        return 0.0
    if _CLOUD.search(start) is not None or (_DEFAULT.search(start) is not None and b"occur_at" in start):
        return 0.95
    return 0.5 if _SLACK in start else 0.0  # mine, but it says so in words for people


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    posted = read_posted(document)
    for told in cloud_events(posted) or [_default(posted)]:
        try:
            yield from _events(object_or_reject(told, "the webhook"))
        except LineError as error:
            yield error


def _default(posted: Posted) -> dict[str, Any]:
    body = object_or_reject(posted.body, "the webhook")
    if "blocks" in body or "attachments" in body:
        raise NotMine("a payload for Slack: set the webhook's payload format to Default or CloudEvents")
    if "event_data" not in body or "occur_at" not in body:
        raise NotMine("no webhook of Harbor")
    return body


def _events(webhook: dict[str, Any]) -> Iterator[Event]:
    told = word(webhook.get("type")) or ""
    kind = _SAME_AS.get(told, told)
    if kind not in _TYPES:
        raise Unreadable("a webhook of an unknown type")
    data = as_object(webhook.get("event_data") or webhook.get("data"))
    action, (outcome, reason) = _TYPES[kind]
    operator = word(webhook.get("operator"))
    common: Event = {
        "channel": Channel.NOTIFICATION.value,
        "timestamp": _when(webhook),
        "action": action.value,
        "outcome": outcome.value,
        "reason": reason,
        "actor": None if operator in _TRIGGERS else operator,
        "request_id": word(webhook.get("requestid")),
    }
    if kind in ("REPLICATION", "TAG_RETENTION"):
        result = _of_job(as_object(data.get("replication") or data.get("retention")))
        if result is None:
            return
        common |= result
    for image in _images(data):
        yield common | image | {"event_id": _id(webhook, image)}


def _of_job(job: dict[str, Any]) -> Event | None:
    """How a replication or a retention run ended; None while it runs."""
    told = (word(job.get("job_status")) or word(job.get("result")) or "").lower()
    if told not in _ENDS:
        return None
    reason = "aborted" if told == "stopped" else None
    return {"outcome": _ENDS[told].value, "reason": reason, "project": word(job.get("project_name"))}


def _images(data: dict[str, Any]) -> Iterator[Event]:
    """What the event is about, once for each digest. Of several tags of one digest none is the one that was meant."""
    repository = as_object(data.get("repository"))
    name, namespace = word(repository.get("name")), word(repository.get("namespace"))
    full = word(repository.get("repo_full_name")) or ("/".join((namespace, name)) if namespace and name else None)
    details = word(as_object(data.get("custom_attributes")).get("Details"))
    common: Event = {"repository": full} if full else {}
    if details:
        common["error_message"] = details[:_LONGEST_MESSAGE]
    tags: dict[str | None, list[str]] = {}
    scans: dict[str | None, Event] = {}
    resources = data.get("resources")
    for resource in map(as_object, resources if isinstance(resources, list) else []):
        tag, told = word(resource.get("tag")), word(resource.get("digest"))
        digest = told if told and is_digest(told) else None
        known = tags.setdefault(digest, [])
        if tag and not is_digest(tag):
            known.append(tag)
        for scan in ended_scans(resource.get("scan_overview")):
            scans[digest] = scan.told
    for digest, named in tags.items() or [(None, [])]:
        only = named[0] if len(named) == 1 else None
        yield common | scans.get(digest, {}) | {"reference": only or digest, "tag": only, "digest": digest}


def _when(webhook: dict[str, Any]) -> datetime:
    return epoch_moment(webhook["occur_at"]) if "occur_at" in webhook else moment(webhook.get("time"))


def _id(webhook: dict[str, Any], image: Event) -> str:
    own_id, digest = word(webhook.get("id")), image.get("digest") or ""
    if "specversion" in webhook:
        if own_id is None:
            raise Unreadable("a CloudEvent without an id")
        return numbered_event_id("harbor-cloudevent", own_id, digest)
    try:
        told = orjson.dumps(webhook.get("event_data"), option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        raise Unreadable("a webhook nested too deeply") from None
    parts = (str(webhook.get("type")), str(webhook.get("occur_at")), str(webhook.get("operator")), told, digest)
    return numbered_event_id("harbor-webhook", *parts)


FORMAT = DocumentFormat(
    name="harbor-webhook",
    title="Harbor webhooks (Default and CloudEvents)",
    registry_kind="harbor",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2.12 and documented examples of 2.8; 1.x names as documented",
        tested=True,
        never=(
            "address",
            "user agent",
            "bytes",
            "denied requests",
            "failed pulls",
            "pulls of one image within one second",
        ),
    ),
)
