"""Harbor's audit log as its REST API gives it: pages (JSON arrays) of two tables, or rows one a line.

`ext`: `GET /api/v2.0/auditlog-exts`, Harbor 2.13 and later; says how it ended and has logins. `classic`: `GET
/api/v2.0/audit-logs`, and the only one before; has only what succeeded. Neither says an address, a client or a size.

The ids of the two tables overlap in a database that was upgraded, so an event's id names the table. Rows are told apart by
`operation_result`, which only `ext` has. Denied pulls are in neither; proxy.log has them.

Fields: AuditLog and AuditLogExt of Harbor's api/v2.0/swagger.yaml; operations: src/pkg/auditext/model and the topics of
src/controller/event.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal
from urllib.parse import unquote

from collector.documents import DocumentFormat, object_or_reject
from collector.errors import LineError, NotMine, Unreadable
from collector.harbor_operations import (
    action_of_operation,
    result_of_operation,
    subject_of_operation,
    target_of_operation,
)
from collector.lines import moment, whole, word
from collector.sheet import numbered_event_id
from collector.stages import Facts, Parsed
from store.event import Action, Channel, Event

Table = Literal["ext", "classic"]


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
    action = action_of_operation(resource_type, operation)
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
    # The classic table has only what succeeded, and says nothing of it.
    event |= result_of_operation(row.get("operation_result") is not False, action)
    event |= subject_of_operation(resource_type, resource, word(row.get("operation_description")))
    return event | target_of_operation(resource_type, operation, resource)


FORMAT = DocumentFormat(
    name="harbor-audit",
    title="Harbor audit log (REST API pages)",
    registry_kind="harbor",
    claim=claims,
    rows_of=rows_of,
    facts=Facts(
        versions="2.0 and later; captures of 2.12.4 (classic table) and 2.15.2 (ext table)",
        tested=True,
        never=(
            "address",
            "user agent",
            "bytes",
            "duration",
            "denied pulls and pushes",
            "digest of a pull by tag (classic)",
        ),
    ),
)


def parse_page(body: bytes, *, table: Table, stream: str, path: str, registry: str | None, offset: int = 0) -> Parsed:
    """The body of one answer of the API. Never raises; `Parsed.lines` is 1, whatever the page holds."""
    return FORMAT.parse_document(
        body, stream=stream, offset=offset, path=path, registry=registry, rows_of=partial(rows_of, table=table)
    )
