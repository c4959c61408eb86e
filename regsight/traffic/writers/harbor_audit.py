"""The same traffic as Harbor's ext audit log tells it over REST: pages of 100 rows, newest first, one page a line.

There are rows for manifests and logins only, with neither address nor agent, and nothing of pulls that were refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

from regsight.traffic.calendar import moment
from regsight.traffic.requests import Request

PAGE = 100


class HarborAudit:
    """Row ids follow the clock (microseconds since the start), so that a row keeps its id whatever else happens."""

    file = "auditlog-exts.jsonl"

    def __init__(self, start: int) -> None:
        self._start = start

    def row_id(self, request: Request) -> int:
        return (request.at - self._start) // 1000 + 1

    def tell(self, request: Request) -> list[tuple[int, str]]:
        told = _told(request)
        if told is None:
            return []
        operation, description, resource, kind, right, user = told
        row = {
            "id": self.row_id(request),
            "op_time": f"{moment(request.at):%Y-%m-%dT%H:%M:%S}.{request.at // 1_000_000 % 1000:03d}Z",
            "operation": operation,
            "operation_description": description,
            "operation_result": right,
            "resource": resource,
            "resource_type": kind,
            "username": user,
        }
        return [(request.at, json.dumps(row, separators=(",", ":"), ensure_ascii=False))]

    def pack(self, lines: Iterable[str]) -> Iterable[str]:
        rows = list(lines)
        for first in range(0, len(rows), PAGE):
            yield "[" + ",".join(reversed(rows[first : first + PAGE])) + "]"


def _told(request: Request) -> tuple[str, str, str, str, bool, str] | None:
    """operation, description, resource, kind of resource, whether it went well, user."""
    if request.admin is not None:
        operation, kind, resource = request.admin
        return operation, f"{operation} {kind} {resource}", resource, kind, True, request.actor
    if request.uri == "/v2/" and (request.refused or request.status == 200):
        user = quote(request.refused or request.actor, safe="$.+-")
        return ("login", "login", user, "user", not request.refused, user)
    verbs = {"GET": ("pull", "pull"), "PUT": ("create", "push"), "DELETE": ("delete", "delete")}
    if "/manifests/" not in request.uri or request.status >= 300 or request.method not in verbs:
        return None
    operation, word = verbs[request.method]
    separator = "@" if request.reference.startswith("sha256:") else ":"
    return (
        operation,
        f"{word} artifact: {request.name}@{request.target}",
        f"{request.name}{separator}{request.reference}",
        "artifact",
        True,
        request.actor or "anonymous",
    )
