"""Who may see the page: where it may listen, the token, and the headers that keep foreign text from being run."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections import deque
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regsight.web.access import Access, Role, Visitor, same, seal
from regsight.web.state import WebState

COOKIE = "regsight_session"
SESSION = timedelta(hours=12)
SHORTEST_TOKEN = 16  # characters; below, guessing over a network is a matter of days
TRIES, TRIES_SPAN = 10, timedelta(minutes=1)
OPEN_PATHS = ("/healthz", "/readyz", "/login", "/ack")
BEARER = "bearer"  # the session of a program that sends its token with each request
ANYBODY = Visitor(Role.OPERATOR)  # on the machine itself, where nobody is asked

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


def check_bind(listen: str, token: str | None, behind_proxy: bool = False) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8321`, `[::1]:8321` or `:8321` (every address). `behind_proxy`: a trusted proxy says
    who somebody is, and nobody else is let in.

    Raises:
        ValueError: not such an address, or reachable from outside without a token of at least 16 characters.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"cannot listen on {listen!r}: write HOST:PORT, for example 127.0.0.1:8321")
    host = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104  # allowed with a token only, see below
    guarded = len(token or "") >= SHORTEST_TOKEN or (behind_proxy and not token)
    if not _loopback(host) and not guarded:
        raise ValueError(
            f"refusing to listen on {listen!r}, which others can reach, without a token of at least {SHORTEST_TOKEN} "
            "characters: the page shows who did what. Set a token, or listen on 127.0.0.1 and use a tunnel"
        )
    return host, int(port)


def check_access(listen: str, access: Access) -> tuple[str, int]:
    """`check_bind` for every token that opens the page.

    Raises:
        ValueError: see there; or a header is to name people and no proxy is trusted with it.
    """
    if access.user_header is not None and not access.trusted_proxies:
        raise ValueError("[web] user_header needs trusted_proxies: the addresses of the proxies that may send it")
    tokens = list(access.tokens.values())
    shortest = min(tokens, key=len) if tokens else None
    return check_bind(listen, shortest, behind_proxy=access.user_header is not None)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def session_value(token: str, now: datetime, role: Role = Role.OPERATOR, name: str = "") -> str:
    """A cookie that proves the token was known, without holding it: end of the session, role, the name that was given,
    and a MAC over all three.
    """
    said = base64.urlsafe_b64encode(name.encode("utf-8", "replace")).decode().rstrip("=")
    body = f"{int((now + SESSION).timestamp())}.{role}.{said}"
    return f"{body}.{seal(token, f'regsight session {body}')}"


def _session(value: str, access: Access, now: datetime) -> Visitor | None:
    """Whose cookie it is, if a token that still holds made it and its time is not over."""
    body, _, mac = value.rpartition(".")
    until, _, rest = body.partition(".")
    role, _, said = rest.partition(".")
    token = access.tokens.get(Role(role)) if role in list(Role) else None
    if token is None or not same(mac, seal(token, f"regsight session {body}")):
        return None
    if not until.isdigit() or int(until) <= now.timestamp():
        return None
    try:
        name = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    return Visitor(Role(role), name, value)


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


def visitor_of(request: Request) -> Visitor:
    """Who sent the request, as the guard found out."""
    visitor: Visitor = request.scope["regsight.visitor"]
    return visitor


class Guard:
    """ASGI middleware around the whole page: refuses foreign hosts and unknown visitors, adds the headers everywhere."""

    def __init__(self, app: ASGIApp, state: WebState) -> None:
        self._app = app
        self._state = state
        self._access = state.who()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only HTTP and the server's own start and stop pass; there are no WebSockets here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            headers = Headers(scope=scope)
            visitor = self._known(scope, headers)
            scope["regsight.visitor"] = visitor or Visitor(Role.VIEWER)
            scope["regsight.known"] = visitor is not None
            refusal = self._refusal(scope, headers, visitor)
            await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers, visitor: Visitor | None) -> Response | None:
        path = scope["path"]
        # With a token a foreign name that points here reads nothing; without one the name itself must be ours.
        if not self._access.tokens and not self._is_ours(headers) and path not in ("/healthz", "/readyz"):
            return PlainTextResponse("This page answers only to the names it was started with.\n", 421)
        if visitor is not None or path in OPEN_PATHS or path.startswith("/static/"):
            return None
        if path == "/metrics" or path.startswith("/api/"):
            wanted = {"WWW-Authenticate": 'Bearer realm="regsight"'}
            return JSONResponse({"error": "send the token as Authorization: Bearer …"}, 401, wanted)
        if not self._access.tokens:
            return PlainTextResponse("The proxy in front did not say who you are.\n", 403)
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse("/login?next=" + quote(path + (f"?{query}" if query else ""), safe=""), 303)

    def _is_ours(self, headers: Headers) -> bool:
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return name.lower() in self._state.hosts

    def _known(self, scope: Scope, headers: Headers) -> Visitor | None:
        access = self._access
        if access.is_open:
            return ANYBODY
        if access.user_header is not None and access.trusts((scope.get("client") or ("",))[0]):
            names = headers.getlist(access.user_header)
            if len(names) == 1 and (visitor := access.named(names[0])) is not None:
                return visitor
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (role := access.role_of(given.strip())) is not None:
            return Visitor(role, session=BEARER)
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return None
        return None if cookie is None else _session(cookie.value, access, self._state.clock())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
