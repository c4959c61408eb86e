"""What Azure Container Registry tells of pushes and deletions: its webhooks, and its events in Event Grid.

A webhook posts one bare notification in Distribution's form. Event Grid delivers a list of envelopes (its own schema, or
CloudEvents 1.0) whose `data` is the same notification, so that an event that comes both ways, or twice, counts once. Neither
tells of pulls, tells an address, or names who did it. The `ping` of a new webhook and Event Grid's question whether an
endpoint is willing are no events.

Articles "Azure Container Registry webhook reference" and "Azure Container Registry as an Event Grid source" of
MicrosoftDocs/azure-docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collector.cloudevents import cloud_events
from collector.documents import DocumentFormat, object_or_reject
from collector.errors import LineError, NotMine
from collector.lines import word
from collector.notification import notification_event
from collector.posted import read_posted
from collector.stages import Facts
from store.event import Action, Event

_CHARTS = {"chart_push": Action.PUSH, "chart_delete": Action.DELETE}
# An image that is kept aside until a scanner releases it has been pushed, but it is the release that is told as `push`.
_OTHERS = {"quarantine": Action.OTHER}
_HOST = re.compile(rb'\\?"host\\?"\s*:\s*\\?"[\w.-]{1,200}\.azurecr\.(?:io|cn|us)\b')
_GRID_TYPE = re.compile(rb'\\?"(?:eventType|type)\\?"\s*:\s*\\?"Microsoft\.ContainerRegistry\.')
_TYPE = "Microsoft.ContainerRegistry."
_VALIDATION = "Microsoft.EventGrid.Subscription"
_NEVER = ("pulls", "user", "address", "bytes", "duration", "denied requests")


def claims_webhook(head: bytes) -> float:
    if b'"events"' in head[:256] or _GRID_TYPE.search(head) is not None:
        return 0.0
    return 0.96 if b"target" in head and _HOST.search(head) is not None else 0.0


def claims_grid(head: bytes) -> float:
    return 0.97 if _GRID_TYPE.search(head[:16_384]) is not None else 0.0


def rows_of_webhook(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    notification = object_or_reject(read_posted(document).body, "the notification")
    if notification.get("action") == "ping" and "target" not in notification:
        return
    if "action" not in notification or "target" not in notification:
        raise NotMine("no notification of a registry")
    yield _event(notification)


def rows_of_grid(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    posted = read_posted(document)
    events = cloud_events(posted) or (posted.body if isinstance(posted.body, list) else [posted.body])
    for told in events:
        try:
            event = object_or_reject(told, "the event")
            kind = word(event.get("eventType")) or word(event.get("type")) or ""
            if kind.startswith(_VALIDATION):
                continue
            if not kind.startswith(_TYPE):
                raise NotMine("no event of a container registry")
            yield _event(object_or_reject(event.get("data"), "the event's data"))
        except LineError as error:
            yield error


def _event(notification: dict[str, Any]) -> Event:
    told = notification.get("action")
    known = _CHARTS | _OTHERS
    return notification_event(notification, known.get(told) if isinstance(told, str) else None)


FORMAT = (
    DocumentFormat(
        name="acr-webhook",
        title="Azure Container Registry webhooks",
        registry_kind="acr",
        claim=claims_webhook,
        rows_of=rows_of_webhook,
        facts=Facts(versions="documented examples", tested=False, never=_NEVER),
    ),
    DocumentFormat(
        name="acr-eventgrid",
        title="Azure Container Registry in Event Grid",
        registry_kind="acr",
        claim=claims_grid,
        rows_of=rows_of_grid,
        facts=Facts(versions="Event Grid schema and CloudEvents 1.0, documented examples", tested=False, never=_NEVER),
    ),
)
