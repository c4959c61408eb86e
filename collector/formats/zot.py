"""zot 2.x: the session log, one JSON line `HTTP API` for each request, and the audit file (`log.audit`).

The address is that of the TCP peer, never of X-Forwarded-For. `Authorization` is masked but present, so a 401 says whether
credentials were refused or missing. The latency is cut to whole seconds: below one nothing is known.

The audit file has a line `HTTP API Audit` for each request that changed something and succeeded; no pulls, no denials. The
session log tells of the same requests, with more: give one of the two to the collector. Where both share a stream, the
session lines speak.

pkg/api/session.go and pkg/log/log.go of project-zot/zot.
"""

from __future__ import annotations

from typing import Any

from collector.errors import LineError, Unreadable
from collector.lines import address_and_port, go_duration_ns, moment, whole, word
from collector.logrus_line import read_json
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.request import Kind, Request, action_of, read_request, result_of
from collector.stages import Facts
from store.event import BAD_CREDENTIALS, NO_CREDENTIALS, Action, Channel, Event, Outcome

_SESSION, _AUDIT = "HTTP API", "HTTP API Audit"
_ANONYMOUS = "anonymous"  # what newer releases write where nobody gave a name


def claims(head: bytes) -> float:
    if b'"HTTP API"' not in head:
        return 0.0
    return 0.9 * share_of_lines(head, _is_zot) + 0.05


def claims_audit(head: bytes) -> float:
    if b'"HTTP API Audit"' not in head or b'"HTTP API"' in head:
        return 0.0
    return 0.9 * share_of_lines(head, _is_zot) + 0.05


def _is_zot(line: bytes) -> bool:
    try:
        return "message" in read_json(line)
    except LineError:
        return False


def parse_line(line: Line) -> Event | None:
    entry = read_json(line.data)
    if entry["msg"] != _SESSION:
        return None
    method, uri = word(entry.get("method")), word(entry.get("path"))
    status = whole(entry.get("statusCode"))
    if method is None or uri is None or status is None:
        raise Unreadable("a request without method, path or status")
    headers = entry.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    request, actor = read_request(method, uri), word(entry.get("username"))
    client, port = address_and_port(entry.get("clientIP"))
    event: Event = {
        "channel": Channel.APPLICATION.value,
        "timestamp": moment(entry["time"]),
        "actor": actor,
        "client_ip": client,
        "client_port": port,
        "client_via": "peer" if client else None,
        "user_agent": _first(headers.get("User-Agent")),
        "method": method,
        "uri": uri,
        "status": status,
        "response_bytes": whole(entry.get("bodySize")),
        "request_bytes": whole(_first(headers.get("Content-Length"))),
        "duration_ns": go_duration_ns(entry.get("latency")) or None,
        "repository": request.repository,
        "reference": request.reference,
        "digest": request.digest,
        "from_repository": request.from_repository,
    }
    event |= _result(request, status, actor, "Authorization" in headers)
    return event


def parse_audit_line(line: Line) -> Event | None:
    entry = read_json(line.data)
    if entry["msg"] != _AUDIT:
        return None
    method, uri, status = word(entry.get("action")), word(entry.get("object")), whole(entry.get("status"))
    if method is None or uri is None or status is None:
        raise Unreadable("an audited request without action, object or status")
    request, subject = read_request(method, uri), word(entry.get("subject"))
    actor = None if subject == _ANONYMOUS else subject
    client, port = address_and_port(entry.get("clientIP"))
    outcome, reason = result_of(request, status, actor)
    return {
        "channel": Channel.AUDIT.value,
        "timestamp": moment(entry["time"]),
        "action": action_of(request, status, actor).value,
        "outcome": outcome.value,
        "reason": reason,
        "actor": actor,
        "client_ip": client,
        "client_port": port,
        "client_via": "peer" if client else None,
        "method": method,
        "uri": uri,
        "status": status,
        "repository": request.repository,
        "reference": request.reference,
        "digest": request.digest,
        "from_repository": request.from_repository,
    }


def _result(request: Request, status: int, actor: str | None, presented: bool) -> Event:
    action = action_of(request, status, actor)
    outcome, reason = result_of(request, status, None)
    if status == 401 and presented:
        action = Action.LOGIN if request.kind is Kind.BASE else action
        outcome, reason = Outcome.DENIED, BAD_CREDENTIALS
    elif status == 401 and request.kind is not Kind.BASE:
        reason = NO_CREDENTIALS
    return {"action": action.value, "outcome": outcome.value, "reason": reason}


def _first(values: Any) -> str | None:
    return word(values[0]) if isinstance(values, list) and values else None


FORMAT = (
    one_by_one(
        "zot",
        claims,
        parse_line,
        title="zot session log",
        registry_kind="zot",
        facts=Facts(versions="2.x", tested=True, never=("duration below a second",)),
    ),
    one_by_one(
        "zot-audit",
        claims_audit,
        parse_audit_line,
        title="zot audit file",
        registry_kind="zot",
        facts=Facts(
            versions="2.x, by the source",
            tested=False,
            never=("pulls", "user agent", "bytes", "duration", "denied requests"),
        ),
    ),
)
