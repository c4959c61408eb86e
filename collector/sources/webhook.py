"""An HTTP receiver: registries post their notifications, and get 200 only when the store has them.

A body becomes one line of the stream `http:<path>`. The offset counts the bytes taken, and goes on from the committed
position after a restart: whoever got no 200 sends again, and the ids inside the bodies make that harmless. Where the
headers say what the body does not (CloudEvents in binary mode, and endpoints with `keep_headers`) the line is
`{"headers": {…}, "body": …}`, without the headers that hold secrets.

Answers: 200 stored, or stored before · 400 not JSON (kept as a dead letter, once) · 401 no or wrong token, signature or time
of signing · 405 not POST · 408 the body takes too long · 413 too large · 415 not JSON by its own word · 503 with Retry-After:
the queue is full, the store does not answer in time, or the receiver is stopping.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import queue
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from collector.http_server import REQUEST_SECONDS, HttpServer
from collector.stages import Block
from collector.webhook_handshake import permission, validation_answer
from collector.webhook_proof import Deliveries, Endpoint, knows_token, signed
from store.contract import Position

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

WAITING_BODIES = 64
REMEMBERED_BODIES = 1000  # bad bodies that are not kept a second time: a sender may repeat one for ever
RETRY_SECONDS = "5"


# Names of headers that may hold what nobody else may know, besides those that an endpoint proves itself by.
_SECRET_HEADER = re.compile(r"auth|cookie|token|secret|signature|password|credential|api-?key|session", re.IGNORECASE)
_BINARY_MODE = "ce-specversion"


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
        request_seconds: float = REQUEST_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._server, self._request_seconds = HttpServer(listen, request_seconds), request_seconds
        self._endpoints, self._counted, self._answer_seconds = endpoints, counted, answer_seconds
        self._clock, self._deliveries = clock, Deliveries()
        self._posted: queue.Queue[_Posted] = queue.Queue(maxsize=WAITING_BODIES)
        self._unstored: dict[tuple[str, int], _Posted] = {}
        self._bad: OrderedDict[bytes, None] = OrderedDict()
        self._stopped = False

    @property
    def address(self) -> str:
        """`http://host:port`, once `ready`."""
        return self._server.address

    def ready(self, seconds: float) -> bool:
        """Wait until the port is open."""
        return self._server.ready(seconds)

    # A source.

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Raises: OSError, if the port cannot be had."""
        offsets = {endpoint.path: _offset(committed(f"http:{endpoint.path}")) for endpoint in self._endpoints}
        if self._server.start(self._application()):
            log.info("receiver listens", extra={"address": self.address})
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
        self._server.close()

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

        routes = [
            Route(endpoint.path, answering(endpoint), methods=["POST", "OPTIONS"]) for endpoint in self._endpoints
        ]
        routes.append(Route("/healthz", healthz, methods=["GET"]))
        return Starlette(routes=routes, exception_handlers={404: unknown, 405: unknown})

    async def _post(self, request: Request, endpoint: Endpoint) -> Response:
        """Checks in the order that gives a stranger least: the token before the body is read, the
        signature before JSON.
        """
        if not knows_token(endpoint, request.headers, request.query_params):
            return _answer(401, "wrong or missing token")
        if request.method == "OPTIONS":
            permitted = permission(request.headers)
            return _told({}, permitted) if permitted is not None else _answer(405, "only POST")
        if "json" not in request.headers.get("content-type", "application/json").lower():
            return _answer(415, "the body must be JSON")
        try:
            async with asyncio.timeout(self._request_seconds):
                body = await _body(request, endpoint.max_body_bytes)
        except TimeoutError:
            return _answer(408, "the body takes too long")
        if body is None:
            return _answer(413, "too large")
        if not signed(endpoint, request.headers, body, self._clock()):
            return _answer(401, "wrong or missing signature")
        names = self._deliveries.names(endpoint, request.headers, body)
        if self._deliveries.known(names):
            return _answer(200, "")
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return await self._refuse(body, endpoint)
        if (wanted := validation_answer(document)) is not None:
            return _told(wanted)
        response = await self._store(_line(request, endpoint, body), endpoint)
        if response.status_code == 200:
            self._deliveries.add(names)
        return response

    async def _refuse(self, body: bytes, endpoint: Endpoint) -> Response:
        """A body that is no JSON is kept (the format makes a dead letter of it) and refused; a
        repetition only refused.
        """
        seen = hashlib.blake2b(body, digest_size=16).digest()
        if body.strip() and seen not in self._bad:
            response = await self._store(_one_line(body), endpoint)
            if response.status_code != 200:
                return response
            self._bad[seen] = None
            if len(self._bad) > REMEMBERED_BODIES:
                self._bad.popitem(last=False)
        return _answer(400, "not JSON")

    async def _store(self, line: bytes, endpoint: Endpoint) -> Response:
        if self._stopped:
            return _answer(503, "stopping")
        loop = asyncio.get_running_loop()
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


def _told(content: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(content, headers=headers)


async def _body(request: Request, most: int) -> bytes | None:
    """The body; None as soon as it is longer than allowed, whatever its header says."""
    if int(request.headers.get("content-length", "0")) > most:
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def _one_line(body: bytes) -> bytes:
    """A newline in JSON is white space outside of strings, so a space in its place changes nothing that it says."""
    return body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def _line(request: Request, endpoint: Endpoint, body: bytes) -> bytes:
    if not endpoint.keep_headers and _BINARY_MODE not in request.headers:
        return _one_line(body)
    secret = endpoint.secret_headers()
    kept = {
        name: value for name, value in request.headers.items() if name not in secret and not _SECRET_HEADER.search(name)
    }
    return orjson.dumps({"headers": kept, "body": orjson.Fragment(_one_line(body).strip())}) + b"\n"
