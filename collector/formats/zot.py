"""zot 2.x, the session log: one JSON line `HTTP API` for each request.

The address is that of the TCP peer, never of X-Forwarded-For. `Authorization` is masked but present, so a 401 says whether
credentials were refused or missing. The latency is cut to whole seconds: below one nothing is known. The audit lines
(`HTTP API Audit`) repeat requests that the session log tells of, with less, and are ignored.

pkg/api/session.go and pkg/log/log.go of project-zot/zot.
"""

from __future__ import annotations

from typing import Any

from collector.errors import LineError, Unreadable
from collector.lines import address_and_port, go_duration_ns, moment, whole, word
from collector.logrus_line import read_json
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.request import Kind, Request, action_of, read_request, result_of
from store.event import BAD_CREDENTIALS, NO_CREDENTIALS, Action, Channel, Event, Outcome


def claims(head: bytes) -> float:
    if b'"HTTP API' not in head:
        return 0.0
    return 0.9 * share_of_lines(head, _is_zot) + 0.05


def _is_zot(line: bytes) -> bool:
    try:
        return "message" in read_json(line)
    except LineError:
        return False


def parse_line(line: Line) -> Event | None:
    entry = read_json(line.data)
    if entry["msg"] != "HTTP API":
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


FORMAT = one_by_one("zot", claims, parse_line, title="zot session log", registry_kind="zot")
