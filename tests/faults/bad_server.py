"""A bad day of Elasticsearch: a proxy in front of a real one that refuses, breaks off, hangs, or loses its answers."""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HEADERS = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}


class BadServer:
    """`mode` is what happens to bulk requests now, with the probability `share`; everything else is passed on.

    ok · 429 · 503 · 401 · refused (the port is closed) · item429 · item400 · reset · hang · slow · lost (done, and the
    answer is thrown away). `seen` counts the bulk requests by what was done to them. `before` is told of every request, by
    method and path, and may raise OSError: it is then neither passed on nor answered.
    """

    def __init__(self, server: str, seed: int = 1, trusting: ssl.SSLContext | None = None) -> None:
        self.mode, self.share, self.retry_after = "ok", 1.0, ""
        self.seen: Counter[str] = Counter()
        self.times: list[float] = []  # of the bulk requests
        self.bad_ids: set[str] = set()
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self._to, self._chance, self._trusting = urlsplit(server), random.Random(seed), trusting
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def any(self) -> None:
                proxy.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = any

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._handler = Handler
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Listen (again, on the same port)."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)
        self._server.daemon_threads = True
        self._port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Nobody listens any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.before(handler.command, handler.path)
        bulk = handler.path.startswith("/_bulk")
        if bulk:
            self.times.append(time.monotonic())
        mode = self.mode if bulk and self._chance.random() < self.share else "ok"
        if bulk:
            self.seen[mode] += 1
        if mode in ("429", "503", "401"):
            text = json.dumps({"error": {"type": "refused", "reason": "on purpose"}, "status": int(mode)}).encode()
            more = {"Retry-After": self.retry_after} if self.retry_after else {}
            self._send(handler, int(mode), text, HEADERS | more)
        elif mode in ("item429", "item400"):
            self._some_items(handler, body, int(mode[4:]))
        elif mode == "hang":
            while self.mode == "hang":
                time.sleep(0.05)
            handler.close_connection = True
            handler.connection.close()
        else:
            status, headers, text = self._pass_on(handler, body)
            if mode == "lost":
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
            elif mode == "reset":
                handler.send_response(status)
                handler.send_header("Content-Length", str(len(text)))
                handler.end_headers()
                handler.wfile.write(text[: len(text) // 2])
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._send(handler, status, text, headers, slow=mode == "slow")

    def _pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        where = self._to.hostname or "", self._to.port
        connection: http.client.HTTPConnection
        if self._trusting is None:
            connection = http.client.HTTPConnection(*where, timeout=60)
        else:
            connection = http.client.HTTPSConnection(*where, timeout=60, context=self._trusting)
        wanted = {
            n: v for n, v in handler.headers.items() if n.lower() not in ("host", "content-length", "accept-encoding")
        }
        try:
            connection.request(handler.command, handler.path, body or None, wanted)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        headers = {n: v for n, v in answer.getheaders() if n.lower() in ("content-type", "x-elastic-product")}
        return answer.status, headers, text

    def _some_items(self, handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
        """A third of the operations never reaches the server and is answered with `status`."""
        lines = body.splitlines(keepends=True)
        pairs = [(lines[at], lines[at + 1]) for at in range(0, len(lines) - 1, 2)]
        ids = [next(iter(json.loads(head).values()))["_id"] for head, _ in pairs]
        if status == 400:
            self.bad_ids |= set(ids[:1])
            bad = [id in self.bad_ids for id in ids]
        else:
            bad = [self._chance.random() < 0.33 for _ in ids]
        kept = b"".join(b"".join(pair) for pair, refused in zip(pairs, bad, strict=True) if not refused)
        items: list[dict[str, Any]] = []
        headers = dict(HEADERS)
        if kept:
            _, headers, text = self._pass_on(handler, kept)
            items = json.loads(text)["items"]
        told = iter(items)
        error = {
            "type": "es_rejected_execution_exception" if status == 429 else "document_parsing_exception",
            "reason": "on purpose",
        }
        merged = []
        for (head, _), id, refused in zip(pairs, ids, bad, strict=True):
            operation, where = next(iter(json.loads(head).items()))
            merged.append(
                {operation: {"_index": where["_index"], "_id": id, "status": status, "error": error}}
                if refused
                else next(told)
            )
        self._send(handler, 200, json.dumps({"took": 1, "errors": any(bad), "items": merged}).encode(), headers)

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler, status: int, text: bytes, headers: dict[str, str], slow: bool = False
    ) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if slow:
            for start in range(0, len(text), max(1, len(text) // 20)):
                handler.wfile.write(text[start : start + max(1, len(text) // 20)])
                handler.wfile.flush()
                time.sleep(0.1)
        else:
            handler.wfile.write(text)


@contextmanager
def bad_server(server: str, seed: int, trusting: ssl.SSLContext | None = None) -> Iterator[BadServer]:
    proxy = BadServer(server, seed, trusting)
    try:
        yield proxy
    finally:
        proxy.mode = "ok"
        proxy.close()
