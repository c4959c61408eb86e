"""Who may see the page: where it may listen, the token, and the headers that keep foreign text from being run."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections import deque
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regsight.web.state import WebState

COOKIE = "regsight_session"
SESSION = timedelta(hours=12)
SHORTEST_TOKEN = 16  # characters; below, guessing over a network is a matter of days
TRIES, TRIES_SPAN = 10, timedelta(minutes=1)
OPEN_PATHS = ("/healthz", "/readyz", "/login")

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def check_bind(listen: str, token: str | None) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8321`, `[::1]:8321` or `:8321` (every address).

    Raises:
        ValueError: not such an address, or reachable from outside without a token of at least 16 characters.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"cannot listen on {listen!r}: write HOST:PORT, for example 127.0.0.1:8321")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104  # allowed with a token only, see below
    if not _loopback(host) and len(token or "") < SHORTEST_TOKEN:
        raise ValueError(
            f"refusing to listen on {listen!r}, which others can reach, without a token of at least {SHORTEST_TOKEN} "
            "characters: the page shows who did what. Set a token, or listen on 127.0.0.1 and use a tunnel"
        )
    return host, int(port)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def same(given: str, wanted: str) -> bool:
    """Equal, in a time that does not tell how far they agree."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def session_value(token: str, now: datetime) -> str:
    """A cookie that proves the token was known, without holding it: end of the session and a MAC over it."""
    until = str(int((now + SESSION).timestamp()))
    return f"{until}.{_mac(token, until)}"


def _mac(token: str, until: str) -> str:
    return hmac.new(token.encode(), f"regsight session until {until}".encode(), hashlib.sha256).hexdigest()


def _session_holds(value: str, token: str, now: datetime) -> bool:
    until, _, mac = value.partition(".")
    return same(mac, _mac(token, until)) and until.isdigit() and int(until) > now.timestamp()


class Tries:
    """Failed logins of the last minute, of everybody together: an address is cheap to change."""

    def __init__(self) -> None:
        self._failed: deque[datetime] = deque(maxlen=TRIES)
        self._lock = Lock()

    def allowed(self, now: datetime) -> bool:
        """False while the last ten failures lie within a minute."""
        with self._lock:
            return len(self._failed) < TRIES or now - self._failed[0] >= TRIES_SPAN

    def failed(self, now: datetime) -> None:
        """Remember one more."""
        with self._lock:
            self._failed.append(now)


class Guard:
    """ASGI middleware around the whole page: refuses foreign hosts and missing tokens, adds the headers everywhere."""

    def __init__(self, app: ASGIApp, state: WebState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only HTTP and the server's own start and stop pass; there are no WebSockets here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if self._state.token is None:
            host = headers.get("host", "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name.lower() in self._state.hosts:
                return None
            return PlainTextResponse("This page answers only to the names it was started with.\n", 421)
        if path in OPEN_PATHS or path.startswith("/static/") or self._known(headers, self._state.token):
            return None
        if path == "/metrics" or path.startswith("/api/"):
            wanted = {"WWW-Authenticate": 'Bearer realm="regsight"'}
            return JSONResponse({"error": "send the token as Authorization: Bearer …"}, 401, wanted)
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse("/login?next=" + quote(path + (f"?{query}" if query else ""), safe=""), 303)

    def _known(self, headers: Headers, token: str) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same(given.strip(), token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and _session_holds(cookie.value, token, self._state.clock())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
