"""Who may see the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
import urllib3
from seeded_store import END
from web_server import serving

from regsight.web.guard import SESSION, check_bind
from regsight.web.state import WebState
from store.contract import Store

TOKEN = "correct horse battery staple"


@dataclass
class Clock:
    now: datetime = field(default=END)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def locked(seeded: Store, clock: Clock) -> Iterator[str]:
    with serving(WebState(store=seeded, clock=clock, token=TOKEN)) as address:
        yield address


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def log_in(http: urllib3.PoolManager, site: str, token: str, target: str = "/events") -> urllib3.BaseHTTPResponse:
    form = urlencode({"token": token, "next": target})
    return http.request("POST", site + "/login", body=form, redirect=False)


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:8321", ("127.0.0.1", 8321)),
        ("127.9.9.9:1", ("127.9.9.9", 1)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:8321", ("::1", 8321)),
    ],
)
def test_loopback_needs_no_token(listen: str, expected: tuple[str, int]) -> None:
    """On the machine itself the page opens without further ado."""
    assert check_bind(listen, None) == expected


@pytest.mark.parametrize("listen", ["0.0.0.0:8321", ":8321", "[::]:8321", "192.0.2.7:80", "registry.example.org:80"])
def test_elsewhere_needs_a_token(listen: str) -> None:
    """Where others reach it, no token or a short one is refused; a long one passes."""
    for token in (None, "", "short"):
        with pytest.raises(ValueError, match="without a token of at least 16"):
            check_bind(listen, token)
    assert check_bind(listen, TOKEN)[1] in (80, 8321)


@pytest.mark.parametrize("listen", ["", "8321", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "127.0.0.1:²"])
def test_no_address(listen: str) -> None:
    """What is no address is refused with an example."""
    with pytest.raises(ValueError, match=r"for example 127\.0\.0\.1:8321"):
        check_bind(listen, TOKEN)


def test_foreign_names_are_turned_away(site: str, http: urllib3.PoolManager) -> None:
    """A name that somebody else points at this address (DNS rebinding) gets nothing."""
    port = site.rpartition(":")[2]
    for name in ("evil.example.org", f"evil.example.org:{port}", "127.0.0.1.evil.example.org", ""):
        assert http.request("GET", site + "/api/events", headers={"Host": name}).status == 421
    for name in (f"localhost:{port}", "localhost", f"[::1]:{port}", "LOCALHOST"):
        assert http.request("GET", site + "/api/status", headers={"Host": name}).status == 200


def test_without_token_there_is_nothing_but_the_door(locked: str, http: urllib3.PoolManager) -> None:
    """Pages lead to the form, JSON and metrics are 401; only health and the form's own files are open."""
    for path in ("/", "/events?actor=x", "/findings/f-1", "/report", "/nowhere"):
        answer = http.request("GET", locked + path, redirect=False)
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/login?next=%2F")
    for path in ("/api/events", "/api/status", "/metrics"):
        answer = http.request("GET", locked + path, redirect=False)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for path in ("/healthz", "/readyz", "/login", "/static/site.css"):
        assert http.request("GET", locked + path, redirect=False).status == 200


def test_bearer_opens(locked: str, http: urllib3.PoolManager) -> None:
    """Programs send the token in a header; another one does not open."""
    for given, status in ((TOKEN, 200), (TOKEN + "x", 401), ("", 401), ("ü" * 16, 401)):
        headers = {"Authorization": f"Bearer {given}".encode().decode("latin-1")}
        assert http.request("GET", locked + "/api/status", headers=headers).status == status


def test_login_gives_a_cookie_that_ends(locked: str, http: urllib3.PoolManager, clock: Clock) -> None:
    """The form leads where one wanted to go, with a cookie no script and no foreign page can use, for twelve hours."""
    answer = log_in(http, locked, TOKEN)
    assert (answer.status, answer.headers["Location"]) == (303, "/events")
    cookie = SimpleCookie(answer.headers["Set-Cookie"])["regsight_session"]
    assert cookie["httponly"] and cookie["samesite"] == "strict"
    assert TOKEN not in answer.headers["Set-Cookie"]
    session = {"Cookie": f"regsight_session={cookie.value}"}
    assert http.request("GET", locked + "/events", headers=session, redirect=False).status == 200
    until, _, mac = cookie.value.partition(".")
    forged = {"Cookie": f"regsight_session={int(until) + 1}.{mac}"}
    assert http.request("GET", locked + "/events", headers=forged, redirect=False).status == 303
    clock.now += SESSION + timedelta(seconds=1)
    assert http.request("GET", locked + "/events", headers=session, redirect=False).status == 303


def test_wrong_token_and_guessing(locked: str, http: urllib3.PoolManager, clock: Clock) -> None:
    """A wrong token is 401; after ten within a minute even the right one must wait."""
    for _ in range(10):
        answer = log_in(http, locked, "wrong")
        assert answer.status == 401
        assert "Set-Cookie" not in answer.headers
    assert log_in(http, locked, TOKEN).status == 429
    clock.now += timedelta(minutes=1)
    assert log_in(http, locked, TOKEN).status == 303


@pytest.mark.parametrize(
    "target", ["//evil.example.org/", "https://evil.example.org/", "/\\evil.example.org", "/a\r\nb"]
)
def test_login_leads_nowhere_else(locked: str, http: urllib3.PoolManager, target: str) -> None:
    """Only a path of this page is a place to go on to."""
    assert log_in(http, locked, TOKEN, target).headers["Location"] == "/"


def test_a_form_without_end_is_cut(locked: str, http: urllib3.PoolManager) -> None:
    """A body that is too long for a token is refused without reading on."""
    assert http.request("POST", locked + "/login", body=b"token=" + b"x" * 10_000).status == 413


def test_the_token_is_not_printed(seeded: Store) -> None:
    """The state can be logged without giving the token away."""
    assert TOKEN not in repr(WebState(store=seeded, token=TOKEN))
