"""Azure Container Registry's resource logs: who pulled, pushed, deleted or logged in, and from where.

Categories ContainerRegistryRepositoryEvents and ContainerRegistryLoginEvents, as they come from a storage account (one
record a line), an Event Hub (`{"records": […]}`), or as rows of the two tables of Log Analytics, whose columns are the same
names in upper camel case without `properties`. Statuses, durations and sizes are texts; `"<nil>"` is nothing; `tag` holds
the digest where none was asked for by name. A pull is logged for the manifest; layers are never told.

Microsoft Learn, Azure Monitor reference, tables ContainerRegistryRepositoryEvents and ContainerRegistryLoginEvents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from collector.documents import DocumentFormat, as_object, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import address_and_port, milliseconds_ns, moment, whole
from collector.request import Kind, Request, result_of
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_CATEGORY = re.compile(rb"ContainerRegistry(?:Repository|Login)Events\b")
_LOGINS = "ContainerRegistryLoginEvents"
_REPOSITORIES = "ContainerRegistryRepositoryEvents"
_ACTIONS: dict[str, Action] = {
    "pull": Action.PULL,
    "push": Action.PUSH,
    "untag": Action.UNTAG,
    "delete": Action.DELETE,
    "purgetag": Action.UNTAG,
    "purgemanifest": Action.DELETE,
    "importimage": Action.REPLICATE,
    "login": Action.LOGIN,
}


def claims(head: bytes) -> float:
    return 0.95 if head.lstrip()[:1] in (b"{", b"[") and _CATEGORY.search(head[:16_384]) is not None else 0.0


def rows_of(document: Any, registry: str | None) -> Iterator[Event | LineError]:
    records = document.get("records", [document]) if isinstance(document, dict) else document
    if not isinstance(records, list):
        raise NotMine("no record of Azure's resource logs")
    for told in records:
        try:
            fields = _flat(object_or_reject(told, "the record"))
            if fields.get("category") in (_REPOSITORIES, _LOGINS) or fields.get("type") in (_REPOSITORIES, _LOGINS):
                yield _event(fields)
            elif "category" not in fields and "type" not in fields:
                raise NotMine("no record of Azure's resource logs")
        except LineError as error:
            yield error


def _flat(record: dict[str, Any]) -> dict[str, str]:
    """The texts of a record and of its properties, by lower-case name; numbers as texts, `<nil>` left out."""
    found: dict[str, str] = {}
    for name, value in [*as_object(record.get("properties")).items(), *record.items()]:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value and value != "<nil>":
            found[name.lower()] = value
    return found


def _event(fields: dict[str, str]) -> Event:
    told, time = fields.get("operationname"), fields.get("time") or fields.get("timegenerated")
    if told is None or time is None:
        raise Unreadable("a record without operationName or time")
    action = _ACTIONS.get(told.lower(), Action.OTHER)
    tag, digest, actor = fields.get("tag"), fields.get("digest"), fields.get("identity")
    if tag is not None and is_digest(tag):
        tag, digest = None, digest or tag
    client, port = address_and_port(fields.get("calleripaddress"))
    event: Event = {
        "event_id": numbered_event_id(
            "acr", fields.get("correlationid", ""), time, told, fields.get("repository", ""), digest or "", tag or ""
        ),
        "channel": Channel.AUDIT.value,
        "timestamp": moment(time),
        "action": action.value,
        "actor": actor,
        "client_ip": client,
        "client_port": port,
        "client_via": "log" if client else None,
        "user_agent": fields.get("useragent"),
        "host": fields.get("loginserver"),
        "request_id": fields.get("correlationid"),
        "duration_ns": milliseconds_ns(fields.get("durationms")),
        "repository": fields.get("repository"),
        "reference": tag or digest,
        "tag": tag,
        "digest": digest,
        "media_type": fields.get("mediatype"),
        "size_bytes": whole(fields.get("size")),
    }
    return event | _result(fields, action, actor)


def _result(fields: dict[str, str], action: Action, actor: str | None) -> Event:
    """A status where the result is one; a word otherwise. A 401 without a name is not the challenge here: that is not logged."""
    status = whole(fields.get("resultdescription"))
    if status is None or not 100 <= status <= 599:
        status = whole(fields.get("resulttype"))
    if status is not None and 100 <= status <= 599:
        outcome, reason = result_of(Request(kind=Kind.OUTSIDE, action=action), status, actor)
        return {"outcome": outcome.value, "reason": reason, "status": status}
    word = fields.get("resulttype", "").lower()
    if word in ("success", "succeeded"):
        return {"outcome": Outcome.SUCCESS.value}
    if word in ("failure", "failed"):
        return {"outcome": Outcome.FAILURE.value, "error_message": fields.get("resultdescription")}
    return {"outcome": Outcome.UNKNOWN.value}


FORMAT = DocumentFormat(
    name="acr-diagnostics",
    title="Azure Container Registry resource logs",
    registry_kind="acr",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(versions="2025; logins by the published columns", tested=True, never=("bytes", "layers")),
)
