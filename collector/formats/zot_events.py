"""zot's events extension: CloudEvents on images that were stored, deleted, scanned or failed their lint, and new repositories.

Over HTTP the events come in binary mode (attributes in `ce-…` headers), so the endpoint must keep the headers; structured
ones, as NATS carries them, are read too. Newer releases name the user and the request; older ones only the image. There are
no events of pulls and denials. A manifest PUT is in the session log as well: reading both tells a push twice.

pkg/extensions/events of project-zot/zot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collector.cloudevents import cloud_events
from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import address_and_port, moment, word
from collector.posted import read_posted
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_TYPES: dict[str, tuple[Action, Outcome]] = {
    "image.updated": (Action.PUSH, Outcome.SUCCESS),
    "image.deleted": (Action.DELETE, Outcome.SUCCESS),
    "image.lint_failed": (Action.PUSH, Outcome.FAILURE),
    "image.scanned": (Action.SCAN, Outcome.SUCCESS),
    "repository.created": (Action.CONFIG, Outcome.SUCCESS),
}
# The settings may put another word than zotregistry in front of a type.
_KIND = re.compile(r"[\w.-]{1,100}\.(image\.\w{1,40}|repository\.\w{1,40})")
_TYPE = re.compile(rb'"zotregistry\.(?:image|repository)\.')


def claims(head: bytes) -> float:
    return 0.96 if head.lstrip()[:1] in (b"{", b"[") and _TYPE.search(head[:32_768].replace(b"\\", b"")) else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    events = cloud_events(read_posted(document))
    if events is None:
        raise NotMine("no CloudEvent; where the mode is binary, the endpoint must keep the headers")
    for event in events:
        try:
            yield _event(event)
        except LineError as error:
            yield error


def _event(told: dict[str, Any]) -> Event:
    found, own_id = _KIND.fullmatch(word(told.get("type")) or ""), word(told.get("id"))
    if found is None:
        raise NotMine("no event of zot")
    if found[1] not in _TYPES:
        raise Unreadable("an event of an unknown type")
    if own_id is None:
        raise Unreadable("an event without an id")
    action, outcome = _TYPES[found[1]]
    data = object_or_reject(told.get("data"), "the event's data")
    reference, digest = word(data.get("reference")), word(data.get("digest"))
    if action is Action.DELETE and reference is not None and not is_digest(reference):
        action = Action.UNTAG
    request = as_object(data.get("request"))
    client, port = address_and_port(request.get("addr"))
    return {
        "event_id": numbered_event_id("zot-event", own_id),
        "channel": Channel.NOTIFICATION.value,
        "timestamp": moment(told.get("time")),
        "action": action.value,
        "outcome": outcome.value,
        "reason": None if outcome is Outcome.SUCCESS else "invalid",
        "actor": word(as_object(data.get("actor")).get("name")),
        "client_ip": client,
        "client_port": port,
        "client_via": "peer" if client and port is not None else "forwarded" if client else None,
        "user_agent": word(request.get("useragent")),
        "method": word(request.get("method")),
        "repository": word(data.get("name")),
        "reference": reference or digest,
        "digest": digest,
        "media_type": word(data.get("mediaType")),
    }


FORMAT = DocumentFormat(
    name="zot-events",
    title="zot events (CloudEvents)",
    registry_kind="zot",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2.1, by the source",
        tested=False,
        never=("pulls", "bytes", "duration", "denied requests"),
    ),
)
