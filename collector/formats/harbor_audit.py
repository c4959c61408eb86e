"""Harbor's audit log as its REST API gives it: pages (JSON arrays) of two tables, or rows one a line.

`ext`: `GET /api/v2.0/auditlog-exts`, Harbor 2.13 and later; says how it ended and has logins. `classic`: `GET
/api/v2.0/audit-logs`, and the only one before; has only what succeeded. Neither says an address, a client or a size.

The ids of the two tables overlap in a database that was upgraded, so an event's id names the table. Rows are told apart by
`operation_result`, which only `ext` has. Denied pulls are in neither; proxy.log has them.

Fields: AuditLog and AuditLogExt of Harbor's api/v2.0/swagger.yaml; operations: src/pkg/auditext/model and the topics of
src/controller/event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal
from urllib.parse import unquote

from collector.documents import DocumentFormat, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.image_reference import read_image
from collector.lines import moment, whole, word
from collector.sheet import numbered_event_id
from collector.stages import Parsed
from store.event import BAD_CREDENTIALS, Action, Channel, Event, Outcome

Table = Literal["ext", "classic"]

_ACTIONS: dict[tuple[str, str], Action] = {
    ("artifact", "create"): Action.PUSH,
    ("artifact", "pull"): Action.PULL,
    ("artifact", "delete"): Action.DELETE,
    ("tag", "create"): Action.TAG,
    ("tag", "delete"): Action.UNTAG,
    ("repository", "delete"): Action.DELETE,
    ("user", "login"): Action.LOGIN,
    ("user", "logout"): Action.LOGOUT,
}
# Whatever else is done to these.
_BY_RESOURCE: dict[str, Action] = {
    "project": Action.CONFIG,
    "repository": Action.CONFIG,
    "configuration": Action.CONFIG,
    "user": Action.PERMISSION,
    "member": Action.PERMISSION,
    "robot": Action.PERMISSION,
}
_ROBOT_OF_PROJECT = re.compile(r"[^$]{0,100}\$([^+]{1,255})\+")


def claims(head: bytes) -> float:
    start = head.lstrip()[:8192]
    if start[:1] not in (b"[", b"{"):
        return 0.0
    if b'"op_time"' in start and b'"operation"' in start and b'"resource_type"' in start:
        return 0.95
    return 0.35 if start.rstrip() == b"[]" else 0.0  # a page behind the last row


def rows_of(document: Any, registry: str | None, table: Table | None = None) -> Iterator[Event | LineError]:
    if isinstance(document, dict) and "op_time" not in document:
        raise NotMine("no page of an audit log")  # the API's own error answers: {"errors": [...]}
    for row in document if isinstance(document, list) else [document]:
        try:
            yield _event(object_or_reject(row, "the audit row"), registry, table)
        except LineError as error:
            yield error


def _event(row: dict[str, Any], registry: str | None, table: Table | None) -> Event:
    number, operation, resource_type = whole(row.get("id")), word(row.get("operation")), word(row.get("resource_type"))
    if number is None or operation is None or resource_type is None:
        raise Unreadable("an audit row without id, operation or resource_type")
    came_from = table or ("ext" if "operation_result" in row or "operation_description" in row else "classic")
    action = _ACTIONS.get((resource_type, operation)) or _BY_RESOURCE.get(resource_type, Action.OTHER)
    resource, actor = word(row.get("resource")), word(row.get("username"))
    if action is Action.LOGIN and came_from == "ext" and actor is not None:
        actor = unquote(actor)  # login rows alone hold the name as the URL had it: irina.v%40corp.test
    event: Event = {
        "event_id": numbered_event_id("harbor", came_from, registry or "", str(number), str(row.get("op_time"))),
        "channel": Channel.AUDIT.value,
        "timestamp": moment(row.get("op_time")),
        "action": action.value,
        "actor": actor,
    }
    event |= _result(row, action)
    event |= _subject(resource_type, resource, word(row.get("operation_description")))
    return event


def _result(row: dict[str, Any], action: Action) -> Event:
    if row.get("operation_result") is not False:  # the classic table has only what succeeded
        return {"outcome": Outcome.SUCCESS.value}
    if action is Action.LOGIN:
        return {"outcome": Outcome.DENIED.value, "reason": BAD_CREDENTIALS}
    return {"outcome": Outcome.FAILURE.value}


def _subject(resource_type: str, resource: str | None, description: str | None) -> Event:
    if resource is None:
        return {}
    if resource_type in ("artifact", "tag"):
        image = read_image(resource)
        # `push artifact: repo@sha256:…` names the digest also where the resource has only the tag.
        described = read_image((description or "").rpartition(" ")[2])
        digest = image.digest or described.digest
        return {
            "repository": image.repository,
            "reference": image.tag or image.digest,
            "tag": image.tag,
            "digest": digest,
        }
    if resource_type == "repository":
        return {"repository": resource}
    if resource_type == "project":
        return {"project": resource}
    if resource_type == "robot" and (found := _ROBOT_OF_PROJECT.match(resource)) is not None:
        return {"project": found[1]}
    return {}


FORMAT = DocumentFormat(
    name="harbor-audit",
    title="Harbor audit log (REST API pages)",
    registry_kind="harbor",
    claim=claims,
    rows_of=rows_of,
)


def parse_page(body: bytes, *, table: Table, stream: str, path: str, registry: str | None, offset: int = 0) -> Parsed:
    """The body of one answer of the API. Never raises; `Parsed.lines` is 1, whatever the page holds."""
    return FORMAT.parse_document(
        body, stream=stream, offset=offset, path=path, registry=registry, rows_of=partial(rows_of, table=table)
    )
