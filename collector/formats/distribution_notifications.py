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

from collector.documents import DocumentFormat, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.notification import notification_event
from collector.posted import read_posted
from collector.stages import Facts, Parsed
from store.event import Event

_ENVELOPE = re.compile(rb'\\?"events\\?"\s*:\s*\[')
_TARGET = re.compile(rb'\\?"target\\?"\s*:\s*\{')


def claims(head: bytes) -> float:
    if head.lstrip()[:1] != b"{" or b'"msg"' in head[:4096] or _TARGET.search(head) is None:
        return 0.0
    if _ENVELOPE.search(head[:4096]) is not None:
        return 0.95
    return 0.8 if b'"action"' in head[:4096] and b'"repository"' in head[:8192] else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    whole_document = object_or_reject(read_posted(document).body, "the notification")
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
            yield notification_event(object_or_reject(event, "the notification"))
        except LineError as error:
            yield error


FORMAT = DocumentFormat(
    name="distribution-notifications",
    title="Distribution notifications (webhook)",
    registry_kind="distribution",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2.x, 3.x; captures of 2.8.2 and 3.1.2",
        tested=True,
        never=("denied requests", "failures", "HTTP status", "bytes", "duration"),
    ),
)


def parse_body(body: bytes, *, stream: str, offset: int, path: str, registry: str | None) -> Parsed:
    """The body of one request to the webhook receiver. Never raises; `Parsed.lines` is 1, whatever the body holds."""
    return FORMAT.parse_document(body, stream=stream, offset=offset, path=path, registry=registry)
