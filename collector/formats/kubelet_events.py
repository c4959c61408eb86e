"""Kubernetes events of the kubelet about images: which node pulled what, or could not. Two formats.

`kubelet-events`: Event objects as JSON (core/v1 or events.k8s.io/v1), one a line as event exporters write them, a List, or the
objects of a watch. `kubelet-events-text`: the table of `kubectl get events`, whose ages are relative to a moment that it does not
say: `timestamp` is the time of reading, and the node is not named.

`Pulled` that says `Successfully pulled` is a pull; that the image was there already is none. `Failed` is a pull that did not work.
`BackOff` says that the kubelet waits before it tries again: nothing was asked of the registry, but the earlier events may
be gone by then (they are kept for an hour), so it is told as a failed pull with error code BackOff. `Error: ErrImagePull` repeats a
`Failed` without the image, and `Pulling` is followed by how it ended: both are ignored, as is everything that is not about images.

Kubernetes counts repetitions in one object: each update of its count is one event here, a snapshot is one whatever its count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import read_pulled_image
from collector.lines import as_text, go_duration_ns, moment, whole, word
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.pull_messages import cause_of
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_PULLED = re.compile(
    r'Successfully pulled image "([^"]{1,600})"(?: in ([0-9a-zµ.]{1,30}))?(?: \([^)]{1,80}\))?\.?'
    r"(?: Image size: (\d{1,18}) bytes\.?)?"
)
_FAILED = re.compile(r'Failed to pull image "([^"]{1,600})": ?(.*)', re.DOTALL)
_BACK_OFF = re.compile(r'Back-off pulling image "([^"]{1,600})"(.*)', re.DOTALL)
_ROW = re.compile(
    r"(?:[a-z0-9][a-z0-9.-]{0,252} +)?(?:<unknown>|<invalid>|(?:\d{1,6}[smhdy]){1,3})"
    r"(?: \(x\d{1,9} over (?:\d{1,6}[smhdy]){1,3}\))? +"
    r"(?:Normal|Warning) +([A-Za-z]{1,60}) +([A-Za-z./]{1,100}/[^ ]{1,253}) +(.*)",
    re.DOTALL,
)
_HEADING = re.compile(r"(?:NAMESPACE +)?LAST SEEN +TYPE +REASON +OBJECT .*MESSAGE.*")
_NOTHING = re.compile(r"No resources found.*")


def about_image(reason: str, message: str) -> Event | None:
    """What a reason and a message of the kubelet say of an image; None if nothing, or nothing of their own."""
    if reason == "Pulled" and (pulled := _PULLED.fullmatch(message.strip())) is not None:
        image, took, size = pulled.groups()
        return _event(image, Outcome.SUCCESS) | {"duration_ns": go_duration_ns(took), "size_bytes": whole(size)}
    if reason == "Failed" and (failed := _FAILED.fullmatch(message)) is not None:
        return _event(failed[1], *cause_of(failed[2])) | {"error_code": reason, "error_message": failed[2]}
    if reason == "BackOff" and (waits := _BACK_OFF.fullmatch(message)) is not None:
        # The newest kubelets put the earlier error behind the name.
        return _event(waits[1], *cause_of(waits[2])) | {"error_code": reason, "error_message": message}
    return None


def _event(image: str, outcome: Outcome, reason: str | None = None) -> Event:
    host, named = read_pulled_image(image)
    return {
        "channel": Channel.NOTIFICATION.value,
        "action": Action.PULL.value,
        "outcome": outcome.value,
        "reason": reason,
        "actor_kind": "node",
        "host": host,
        "repository": named.repository,
        "reference": named.tag or named.digest,
        "tag": named.tag,
        "digest": named.digest,
    }


def claims(head: bytes) -> float:
    start = head.lstrip()[:65_536]
    if start[:1] not in (b"{", b"[") or b'"reason"' not in start:
        return 0.0
    return 0.9 if b'"involvedObject"' in start or (b'"regarding"' in start and b'"note"' in start) else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    objects = document if isinstance(document, list) else [document]
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        objects = document["items"]
    for one in objects:
        try:
            told = _told(object_or_reject(one, "the event"))
            if told is not None:
                yield told
        except LineError as error:
            yield error


def _told(wrapped: dict[str, Any]) -> Event | None:
    inner = wrapped.get("object") or wrapped.get("event")  # of a watch, of an exporter
    told = inner if isinstance(inner, dict) else wrapped
    if "involvedObject" not in told and "regarding" not in told:
        raise NotMine("not an event of Kubernetes")
    reason, message = word(told.get("reason")), word(told.get("message")) or word(told.get("note"))
    event = about_image(reason, message) if reason and message else None
    if event is None:
        return None
    event["timestamp"] = moment(_when(told))
    event["actor"] = _node(told)
    metadata = as_object(told.get("metadata"))
    number = word(metadata.get("uid"))
    if number is not None:
        event["event_id"] = numbered_event_id("kubernetes", number, str(_count(told)))
    return event


def _when(told: dict[str, Any]) -> str:
    """When it was last seen; an object has some of these times, depending on its version and age."""
    series, metadata = as_object(told.get("series")), as_object(told.get("metadata"))
    times = (
        series.get("lastObservedTime"),
        told.get("lastTimestamp"),
        told.get("deprecatedLastTimestamp"),
        told.get("eventTime"),
        told.get("firstTimestamp"),
        metadata.get("creationTimestamp"),
    )
    for time in times:
        if word(time) is not None:
            return str(time)
    raise Unreadable("an event without a time")


def _node(told: dict[str, Any]) -> str | None:
    for source in (told.get("source"), told.get("deprecatedSource")):
        if (host := word(as_object(source).get("host"))) is not None:
            return host
    return word(told.get("reportingInstance"))


def _count(told: dict[str, Any]) -> int:
    series = as_object(told.get("series"))
    return whole(series.get("count")) or whole(told.get("count")) or whole(told.get("deprecatedCount")) or 1


def text_claims(head: bytes) -> float:
    if b"Normal" not in head and b"Warning" not in head:
        return 0.0
    return 0.9 * share_of_lines(head, lambda line: _is_row(as_text(line)))


def _is_row(text: str) -> bool:
    return _ROW.fullmatch(text) is not None or _HEADING.fullmatch(text) is not None


def parse_line(line: Line) -> Event | None:
    text = as_text(line.data)
    found = _ROW.fullmatch(text)
    if found is None:
        if _HEADING.fullmatch(text) or _NOTHING.fullmatch(text):
            return None
        raise NotMine("not a row of kubectl get events")
    reason, _object, message = found.groups()
    event = about_image(reason, message.strip())
    return None if event is None else event | {"timestamp": line.wrapper_time or line.now}


_NEVER = (
    "address",
    "user",
    "user agent",
    "denied requests of other clients",
    "pulls of images that a node already has",
)

FORMAT = (
    DocumentFormat(
        name="kubelet-events",
        title="Kubernetes events about images (JSON)",
        registry_kind="kubernetes",
        claim=claims,
        rows_of=rows_of,
        facts=Facts(versions="core/v1, events.k8s.io/v1", tested=False, never=(*_NEVER, "bytes sent")),
    ),
    one_by_one(
        "kubelet-events-text",
        text_claims,
        parse_line,
        title="Kubernetes events about images (kubectl get events)",
        registry_kind="kubernetes",
        facts=Facts(versions="any", tested=True, never=(*_NEVER, "time", "node")),
    ),
)
