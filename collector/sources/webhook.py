"""An HTTP receiver: registries post their notifications, and get 200 only when the store has them.

A body becomes one line of the stream `http:<path>`. The offset counts the bytes taken, and goes on from the committed
position after a restart: whoever got no 200 sends again, and the ids inside the bodies make that harmless.

Answers: 200 stored · 400 not JSON (kept as a dead letter, once) · 401 no or wrong token or signature · 405 not POST ·
413 too large · 415 not JSON by its own word · 503 with Retry-After: the queue is full, the store does not answer in
time, or the receiver is stopping.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import queue
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from pydantic import SecretStr

from collector.stages import Block
from store.contract import Position

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

WAITING_BODIES = 64
REMEMBERED_BODIES = 1000  # bad bodies that are not kept a second time: a sender may repeat one for ever
RETRY_SECONDS = "5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path and who may post to it: `token` as `Authorization: Bearer …`, or `hmac_secret` for a signed body."""

    path: str
    format: str
    registry: str | None = None
    token: SecretStr | None = None
    hmac_secret: SecretStr | None = None
    signature_header: str = "X-Hub-Signature-256"
    max_body_bytes: int = 1 << 20


@dataclass(slots=True)
class _Posted:
    """A body on its way to the store, and who waits for it."""

    endpoint: Endpoint
    line: bytes
    stored: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop
    place: tuple[str, int] = field(default=("", 0))


class WebhookReceiver:
    """Source of what is posted. `counted(endpoint, status)` is called for every request; the path of an unknown
    endpoint is never passed on, but counted as "other".
    """

    name = "receiver"
    follow = True

    def __init__(
        self,
        listen: str,
        endpoints: Sequence[Endpoint],
        *,
        counted: Callable[[str, int], None] = lambda endpoint, status: None,
        answer_seconds: float = 10.0,
    ) -> None:
        self._host, _, port = listen.rpartition(":")
        self._port = int(port)
        self._endpoints, self._counted, self._answer_seconds = endpoints, counted, answer_seconds
        self._posted: queue.Queue[_Posted] = queue.Queue(maxsize=WAITING_BODIES)
        self._unstored: dict[tuple[str, int], _Posted] = {}
        self._bad: OrderedDict[bytes, None] = OrderedDict()
        self._stopped = False
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self.address = ""

    def ready(self, seconds: float) -> bool:
        """Wait until the port is open; then `address` is `http://host:port`."""
        return self._listening.wait(seconds)

    # A source.

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Raises: OSError, if the port cannot be had."""
        offsets = {endpoint.path: _offset(committed(f"http:{endpoint.path}")) for endpoint in self._endpoints}
        self._serve()
        while not (self._stopped and self._posted.empty()):
            try:
                posted = self._posted.get(timeout=0.1)
            except queue.Empty:
                continue
            path = posted.endpoint.path
            begin, end = offsets[path], offsets[path] + len(posted.line)
            offsets[path] = end
            posted.place = (f"http:{path}", end)
            self._unstored[posted.place] = posted
            yield Block(
                stream=f"http:{path}",
                offset=begin,
                data=posted.line,
                path=path,
                registry=posted.endpoint.registry,
                after=Position(stream=f"http:{path}", offset=end, detail={"path": path}),
                final=True,  # a body is whole: what it leaves open, no later one will close
            )

    def format_of(self, block: Block) -> str | None:
        """Endpoints differ in format; the pipeline asks for each block."""
        return next((endpoint.format for endpoint in self._endpoints if endpoint.path == block.path), None)

    def stored(self, after: Position) -> None:
        """Answer the sender whose body is now stored."""
        posted = self._unstored.pop((after.stream, after.offset), None)
        if posted is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the sender is gone
                posted.loop.call_soon_threadsafe(_done, posted.stored)

    def stop(self) -> None:
        """Take nothing more; what was taken is still handed on, stored and answered."""
        self._stopped = True

    def close(self) -> None:
        """Finish the answers and close the port. After the last commit."""
        self._stopped = True
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._listening.clear()

    # The server, in a thread of its own.

    def _serve(self) -> None:
        if self._thread is not None:
            return
        import uvicorn

        host = self._host.strip("[]")
        listener = socket.create_server(
            (host, self._port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
        self.address = f"http://{self._host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            self._application(),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=64 << 10,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, args=(self._server, listener), name="receiver", daemon=True)
        self._thread.start()
        self._listening.set()
        log.info("receiver listens", extra={"address": self.address})

    def _run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        with listener:
            asyncio.run(server.serve(sockets=[listener]))

    def _application(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Route

        def answering(endpoint: Endpoint) -> Callable[[Request], object]:
            async def post(request: Request) -> Response:
                response = await self._post(request, endpoint)
                self._counted(endpoint.path, response.status_code)
                return response

            return post

        async def healthz(_: Request) -> Response:
            stopping = self._stopped
            return JSONResponse({"status": "stopping" if stopping else "ok"}, status_code=503 if stopping else 200)

        async def unknown(_: Request, error: Exception) -> Response:
            status = getattr(error, "status_code", 404)
            self._counted("other", status)
            return JSONResponse({"error": "no such endpoint"}, status_code=status)

        routes = [Route(endpoint.path, answering(endpoint), methods=["POST"]) for endpoint in self._endpoints]
        routes.append(Route("/healthz", healthz, methods=["GET"]))
        return Starlette(routes=routes, exception_handlers={404: unknown, 405: unknown})

    async def _post(self, request: Request, endpoint: Endpoint) -> Response:
        """Checks in the order that gives a stranger least: the token before the body is read, the
        signature before JSON.
        """
        if endpoint.token is not None and not _bears(request.headers.get("authorization", ""), endpoint.token):
            return _answer(401, "wrong or missing token")
        if "json" not in request.headers.get("content-type", "application/json").lower():
            return _answer(415, "the body must be JSON")
        body = await _body(request, endpoint.max_body_bytes)
        if body is None:
            return _answer(413, "too large")
        if endpoint.hmac_secret is not None and not _signed(
            body, request.headers.get(endpoint.signature_header, ""), endpoint.hmac_secret
        ):
            return _answer(401, "wrong or missing signature")
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            return await self._refuse(body, endpoint)
        return await self._store(body, endpoint)

    async def _refuse(self, body: bytes, endpoint: Endpoint) -> Response:
        """A body that is no JSON is kept (the format makes a dead letter of it) and refused; a
        repetition only refused.
        """
        seen = hashlib.blake2b(body, digest_size=16).digest()
        if body.strip() and seen not in self._bad:
            response = await self._store(body, endpoint)
            if response.status_code != 200:
                return response
            self._bad[seen] = None
            if len(self._bad) > REMEMBERED_BODIES:
                self._bad.popitem(last=False)
        return _answer(400, "not JSON")

    async def _store(self, body: bytes, endpoint: Endpoint) -> Response:
        if self._stopped:
            return _answer(503, "stopping")
        loop = asyncio.get_running_loop()
        # A newline in JSON is white space outside of strings, so a space in its place changes nothing that it says.
        line = body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
        posted = _Posted(endpoint, line, loop.create_future(), loop)
        try:
            self._posted.put_nowait(posted)
            async with asyncio.timeout(self._answer_seconds):
                await posted.stored
        except queue.Full:
            return _answer(503, "busy")
        except TimeoutError:
            return _answer(503, "the store does not answer")
        finally:
            self._unstored.pop(posted.place, None)
        return _answer(200, "")


def _offset(position: Position | None) -> int:
    return position.offset if position is not None else 0


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _answer(status: int, problem: str) -> Response:
    from starlette.responses import JSONResponse

    headers = {"Retry-After": RETRY_SECONDS} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": problem} if problem else {"status": "stored"}, status_code=status, headers=headers)


async def _body(request: Request, most: int) -> bytes | None:
    """The body; None as soon as it is longer than allowed, whatever its header says."""
    if int(request.headers.get("content-length", "0")) > most:
        return None
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return body


def _bears(header: str, token: SecretStr) -> bool:
    scheme, _, given = header.partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    return scheme.lower() == "bearer" and same


def _signed(body: bytes, header: str, secret: SecretStr) -> bool:
    expected = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(header.strip().removeprefix("sha256=").encode(), expected.encode())
