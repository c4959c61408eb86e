"""The registry's combined access lines. An empty referer or agent is `""`; the user is always `-`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from regsight.traffic.requests import Request
from regsight.traffic.writers.timestamps import SECOND, apache


@lru_cache(maxsize=4096)
def _quoted(agent: str) -> str:
    return '"' + agent.replace("\\", "\\\\").replace('"', '\\"') + '"'


def access_line(request: Request) -> str:
    """The line stands at the second at which the request came, as the server's handler has it."""
    return (
        f"{request.address} - - [{apache((request.at - request.duration) // SECOND)}] "
        f'"{request.method} {request.uri} HTTP/1.1" {request.status} {request.written} "" {_quoted(request.agent)}'
    )


class Access:
    """The access lines alone."""

    file = "access.log"

    def tell(self, request: Request) -> list[tuple[int, str]]:
        return [(request.at, access_line(request))] if request.admin is None else []

    def pack(self, lines: Iterable[str]) -> Iterable[str]:
        return lines
