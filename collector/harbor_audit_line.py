"""One row of Harbor's audit log as Harbor forwards it (`audit_log_forward_endpoint`, 2.6 and later).

`<time> [INFO] [/pkg/audit/manager.go:82][operator="U" resourceType="T" time="<Go's time>"]: action:<op>, resource:<res>`, and
from 2.13 on `/pkg/auditext/manager.go` with `, operation_description:<text>` behind it. `resourceType` is absent in the first
builds of 2.6. While the endpoint is out of reach the same lines go to core.log.

Nothing in it is escaped. A line in which a marker of this grammar stands twice can be read in two ways, so it names nobody:
it is ambiguous.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from collector.errors import Ambiguous, LineError, Unreadable
from collector.harbor_logger import LoggerLine
from collector.harbor_operations import (
    action_of_operation,
    result_of_operation,
    subject_of_operation,
    target_of_operation,
)
from collector.image_reference import read_image
from collector.lines import moment, word
from collector.sheet import numbered_event_id
from store.event import Action, Channel, Event, Outcome

_FILES = ("/pkg/audit/manager.go", "/pkg/auditext/manager.go")
_FIELDS = re.compile(r'operator="(.*?)"(?: resourceType="([a-z_]{1,60})")? time="([^"]*)"', re.DOTALL)
_MESSAGE = re.compile(r"action:([a-z_]{1,60}), resource:(.*?)(?:, operation_description:(.*))?", re.DOTALL)
# Go's time.String(): nanoseconds without trailing zeros, offset, name of the zone, and the monotonic clock behind it.
_GO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) ([+-]\d\d)(\d\d) \S{1,40}(?: m=[+-]\d{1,20}\.\d{1,9})?"
)
# Nothing ends the last field: a line that was cut is known by half a digest, or by a name without tag and digest.
_NAMED_WHOLLY = re.compile(r"[^@]+@sha256:[0-9a-f]{64}|[^@]+@sha512:[0-9a-f]{128}|[^@]+:[^@:/]+", re.DOTALL)
_ONCE = ('operator="', '" resourceType="', '" time="', '"]: action:', ", resource:", ", operation_description:")
# Of these the newer table has a row only when it was done; of logins and settings also when it was not.
ONLY_DONE = frozenset(("artifact", "tag", "repository"))


def is_audit_line(line: LoggerLine) -> bool:
    return line.file.endswith(_FILES) and line.fields.startswith('operator="')


def audit_event(text: str, line: LoggerLine) -> Event:
    """The event of an audit line; `text` is the whole of it.

    The event's id is made from what the line says, so that the same line from two places is one event. It is not the id
    of the row in the database, which the line does not know.

    Raises:
        Ambiguous, Unreadable.
    """
    if any(text.count(marker) > 1 for marker in _ONCE):
        raise Ambiguous
    fields, message = _FIELDS.fullmatch(line.fields), _MESSAGE.fullmatch(line.message)
    if fields is None or message is None:
        raise Unreadable("an audit line without operator, time or action")
    actor, kind, time = fields.groups()
    operation, resource, description = message.groups()
    if description is None and line.file.endswith("/pkg/auditext/manager.go"):
        raise Unreadable("an audit line without its end")
    action = action_of_operation(kind, operation) if kind else _untyped_action(operation, resource)
    if action is Action.LOGIN and description is not None:
        actor = unquote(actor)  # as in the rows of the API: irina.v%40corp.test
    event: Event = {
        "event_id": numbered_event_id("harbor-audit-line", time, actor, kind or "", operation, resource),
        "channel": Channel.AUDIT.value,
        "timestamp": moment(_rfc3339(time) or line.time),
        "action": action.value,
        "actor": word(actor),
    }
    if description is None or kind in ONLY_DONE:
        event |= result_of_operation(True, action)
    else:
        event["outcome"] = Outcome.UNKNOWN.value  # operation_result is not forwarded
    if kind or action is not Action.OTHER:
        kind = kind or "artifact"
        if kind in ("artifact", "tag") and _NAMED_WHOLLY.fullmatch(resource) is None:
            raise Unreadable("an audit line without its end")
        described = description if description and _NAMED_WHOLLY.fullmatch(description) else None
        event |= subject_of_operation(kind, word(resource), described)
        event |= target_of_operation(kind, operation, word(resource))
    return event


def _untyped_action(operation: str, resource: str) -> Action:
    """Without a type only artifacts named by digest, and pulls, are certain: `repo:tag` may be a push or a tag."""
    if operation == "pull" or read_image(resource).digest is not None:
        return action_of_operation("artifact", operation)
    return Action.OTHER


def _rfc3339(time: str) -> str | None:
    found = _GO_TIME.fullmatch(time)
    if found is None:
        return None
    day, clock, hours, minutes = found.groups()
    stamp = f"{day}T{clock}{hours}:{minutes}"
    try:
        moment(stamp)
    except LineError:
        return None
    return stamp
