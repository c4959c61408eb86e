"""The demo's own receiver of alerts: a small HTTP server on loopback that keeps and shows what was sent to it."""

from __future__ import annotations

import json
import threading
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regsight.web.state import SentRow

KEPT = 500
LARGEST_BODY = 1 << 20


class DemoReceiver:
    """Listens on a free loopback port; `url` is the Apprise URL to send to, `messages` what came, in order."""

    def __init__(self) -> None:
        self._messages: deque[SentRow] = deque(maxlen=KEPT)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY)
                receiver._keep(self.rfile.read(length))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the page shows what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo receiver", daemon=True)

    @property
    def url(self) -> str:
        """The Apprise URL of this receiver."""
        return f"json://127.0.0.1:{self._server.server_address[1]}/"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def messages(self) -> list[SentRow]:
        """What came, oldest first: when, channel, title, body."""
        return list(self._messages)

    def _keep(self, body: bytes) -> None:
        try:
            data = json.loads(body)
        except ValueError:
            data = {"message": body.decode("utf-8", "backslashreplace")}
        self._messages.append(
            {
                "received_at": datetime.now(UTC),
                "channel": "demo",
                "title": str(data.get("title", "")),
                "body": str(data.get("message", "")),
            }
        )
