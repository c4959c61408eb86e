"""Harbor's table `audit_log` as PostgreSQL dumps it (`\\copy audit_log to … csv header`).

`id,project_id,operation,resource_type,resource,username,op_time`, op_time in UTC with up to six digits. The first line may name the
columns in another order. The rows are those of `GET /api/v2.0/audit-logs`, and their events have the same ids: a dump that is
read beside the API counts nothing twice. The newer table `audit_log_ext` has other columns and is not read here.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime

from collector.errors import LineError, NotMine, Unreadable
from collector.harbor_operations import (
    action_of_operation,
    result_of_operation,
    subject_of_operation,
    target_of_operation,
)
from collector.lines import MAX_LINE_BYTES, TOO_LONG, as_text, moment, split_lines, whole, word
from collector.sheet import Sheet, now_utc, numbered_event_id
from collector.stages import Block, Facts, Parsed
from store.event import Channel, Event

_COLUMNS = ("id", "project_id", "operation", "resource_type", "resource", "username", "op_time")


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([as_text(line)], strict=True), [])
    except csv.Error:
        raise Unreadable("torn or mutated CSV") from None


def _is_header(cells: list[str]) -> bool:
    return "op_time" in cells and "operation" in cells


class HarborAuditCsv:
    """See the module."""

    name = "harbor-audit-csv"
    title = "Harbor audit log (dump of the table)"
    registry_kind = "harbor"
    facts = Facts(
        versions="2.x, the classic table",
        tested=True,
        never=("address", "user agent", "bytes", "duration", "denied requests", "digest of a pull by tag"),
    )

    def claims(self, head: bytes) -> float:
        first = head[:4096].partition(b"\n")[0].rstrip(b"\r")
        try:
            cells = _cells(first)
        except LineError:
            return 0.0
        if _is_header(cells):
            return 0.97 if set(_COLUMNS) <= set(cells) and "op_result" not in cells else 0.0
        return 0.6 if _is_row(cells) else 0.0

    def parse(self, block: Block) -> Parsed:
        sheet = Sheet(block, dataset=self.name, registry_kind=self.registry_kind, now=now_utc())
        columns = _columns_before(block)
        for offset, line in split_lines(block.data, block.offset):
            if not line.strip():
                sheet.ignored += 1
                continue
            try:
                if len(line) > MAX_LINE_BYTES:
                    raise Unreadable(TOO_LONG)
                cells = _cells(line)
                if _is_header(cells):
                    columns = tuple(cells)
                    sheet.ignored += 1
                else:
                    sheet.add(offset, line, _event(cells, columns, block.registry))
            except LineError as error:
                sheet.reject(offset, len(line), str(error))
        return sheet.finish()


def _columns_before(block: Block) -> tuple[str, ...]:
    """The columns that the stream's first line names, where it is in reach."""
    for _, line in split_lines(block.before[:4096], 0):
        try:
            cells = _cells(line)
        except LineError:
            continue
        if _is_header(cells):
            return tuple(cells)
        break
    return _COLUMNS


def _is_row(cells: list[str]) -> bool:
    return len(cells) == len(_COLUMNS) and whole(cells[0]) is not None and _op_time(cells[-1]) is not None


def _op_time(text: str) -> datetime | None:
    if len(text) < 19 or text[10] not in " T":
        return None
    try:
        return moment(text if text.endswith("Z") or text[-3:-2] in "+-" else text + "+00:00")
    except LineError:
        return None


def _event(cells: list[str], columns: tuple[str, ...], registry: str | None) -> Event:
    if len(cells) != len(columns):
        raise NotMine("not a row of the audit table")
    row = dict(zip(columns, cells, strict=True))
    number, when = whole(row.get("id")), _op_time(row.get("op_time", ""))
    operation, resource_type = word(row.get("operation")), word(row.get("resource_type"))
    if number is None or when is None or operation is None or resource_type is None:
        raise Unreadable("an audit row without id, op_time, operation or resource_type")
    action = action_of_operation(resource_type, operation)
    event: Event = {
        "event_id": numbered_event_id("harbor", "classic", registry or "", str(number), _as_the_api_says(when)),
        "channel": Channel.AUDIT.value,
        "timestamp": when,
        "action": action.value,
        "actor": word(row.get("username")),
    }
    event |= result_of_operation(True, action)  # the table has only what succeeded
    event |= subject_of_operation(resource_type, word(row.get("resource")), None)
    event |= target_of_operation(resource_type, operation, word(row.get("resource")))
    return event


def _as_the_api_says(when: datetime) -> str:
    """The API cuts times to milliseconds; its text is part of the event's id."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


FORMAT = HarborAuditCsv()
