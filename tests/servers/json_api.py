"""A small HTTP server that answers as some JSON API does, for sources that poll one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request as the API sees it."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any = None


@dataclass
class JsonApi:
    """`answer` gives status and body. `refusals` come first, one each, for requests that are not `free`; `now` is the time
    of its clock."""

    answer: Callable[[Asked], tuple[int, Any]]
    url: str = ""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@contextmanager
def json_api(answer: Callable[[Asked], tuple[int, Any]]) -> Iterator[JsonApi]:
    state = JsonApi(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            length = int(self.headers.get("Content-Length", "0"))
            body = json.loads(self.rfile.read(length)) if length else None
            asked = Asked(self.command, parts.path, query, dict(self.headers), body)
            state.asked.append(asked)
            status, headers = state.refusals.pop(0) if state.refusals else (0, {})
            told: Any = {"error": "refused"}
            if not status:
                status, told = state.answer(asked)
            data = json.dumps(told).encode()
            self.send_response_only(status)
            sent = {"Date": format_datetime(state.now(), usegmt=True), "Content-Length": str(len(data)), **headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
