"""JFrog's router, router-request.log: one JSON object for each request to any of its services (Traefik's access log).

Durations are nanoseconds. The router knows no users; Artifactory's own logs name them under the same trace id. Requests that
are not for images, and those of other services, are ignored.
"""

from __future__ import annotations

from typing import Any

import orjson

from collector.artifactory import asked, docker_request, numbered, trace_id
from collector.errors import LineError, NotMine, Unreadable
from collector.lines import address_and_port, moment, whole, word
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Channel, Event


def claims(head: bytes) -> float:
    if b'"RequestPath"' not in head or b'"DownstreamStatus"' not in head:
        return 0.0
    return 0.95 * share_of_lines(head, _is_router)


def _is_router(line: bytes) -> bool:
    try:
        return "TraceId" in _entry(line)
    except LineError:
        return False


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = orjson.loads(line)
    except ValueError:
        raise Unreadable("torn or mutated JSON") from None
    if not isinstance(entry, dict) or "RequestPath" not in entry or "DownstreamStatus" not in entry:
        raise NotMine("no request of JFrog's router")
    return entry


def parse_line(line: Line) -> Event | None:
    entry = _entry(line.data)
    method, uri, status = word(entry.get("RequestMethod")), word(entry.get("RequestPath")), entry["DownstreamStatus"]
    if method is None or uri is None or not isinstance(status, int):
        raise Unreadable("a request without method, path or status")
    request = docker_request(method, uri)
    if request is None:
        return None
    client, port = address_and_port(entry.get("ClientAddr"))
    event: Event = {
        "channel": Channel.ACCESS.value,
        "timestamp": moment(entry.get("StartUTC") or entry.get("time")),
        "client_ip": client,
        "client_port": port,
        "client_via": "peer" if client else None,
        "user_agent": word(entry.get("request_User-Agent")),
        "method": method,
        "uri": uri,
        "host": word(entry.get("RequestHost")),
        "status": whole(status),
        "response_bytes": whole(entry.get("DownstreamContentSize")),
        "request_bytes": whole(entry.get("RequestContentSize")),
        "duration_ns": whole(entry.get("Duration")),
    }
    event |= asked(request, status, None)
    return numbered(event, trace_id(entry.get("TraceId")))


FORMAT = one_by_one(
    "artifactory-router",
    claims,
    parse_line,
    title="JFrog router request log",
    registry_kind="artifactory",
    facts=Facts(versions="7.x (form of 7.161)", tested=False, never=("user", "wrong passwords")),
)
