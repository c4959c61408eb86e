"""uvicorn in a thread of its own, for a source that answers HTTP."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

HEADER_BYTES = 64 << 10
REQUEST_SECONDS = 30.0


class HttpServer:
    """Serves an application at `address:port` from `start` to `close`; port 0 takes a free one. Who has not sent whole
    headers after `request_seconds` loses the connection; the body's time is the application's business.
    """

    def __init__(self, listen: str, request_seconds: float = REQUEST_SECONDS) -> None:
        self._request_seconds = request_seconds
        self._host, _, port = listen.rpartition(":")
        self._port = int(port)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self.address = ""

    def ready(self, seconds: float) -> bool:
        """Wait until the port is open; then `address` is `http://host:port`."""
        return self._listening.wait(seconds)

    def start(self, application: Starlette) -> bool:
        """False where it runs already. Raises: OSError, if the port cannot be had."""
        if self._thread is not None:
            return False
        import uvicorn

        host = self._host.strip("[]")
        listener = socket.create_server(
            (host, self._port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
        self.address = f"http://{self._host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=HEADER_BYTES,
            http=_impatient(self._request_seconds),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, args=(self._server, listener), name="receiver", daemon=True)
        self._thread.start()
        self._listening.set()
        return True

    def _run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        with listener:
            asyncio.run(server.serve(sockets=[listener]))

    def close(self) -> None:
        """Finish the answers and close the port."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._listening.clear()


def _impatient(seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's own protocol waits for headers for ever: clients that send a letter a minute would take all connections."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait_for_headers()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait_for_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            if self.late is not None:
                self.late.cancel()
            super().connection_lost(exc)

        def _wait_for_headers(self) -> None:
            if self.late is not None:
                self.late.cancel()
            self.late = self.loop.call_later(seconds, self._give_up)

        def _give_up(self) -> None:
            if self.conn.their_state is h11.IDLE:
                self.transport.close()

    return Impatient
