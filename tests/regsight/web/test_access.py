"""Roles, the proxy that names people, and forms that only our own pages may send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from seeded_store import END, START, seed
from web_server import serving

from analytics.incidents import gather
from regsight.config import ConfigError, WebConfig, load
from regsight.web.access import Access, Role, web_access
from regsight.web.guard import check_access
from regsight.web.state import WebState
from store.contract import Store
from store.incident import State
from store.locate import open_store

OPERATOR, VIEWER, AUDITOR = "correct horse battery staple", "look but do not touch it", "count every single line"
TOKENS = {Role.OPERATOR: OPERATOR, Role.VIEWER: VIEWER, Role.AUDITOR: AUDITOR}
PROXIED = Access(
    user_header="X-Forwarded-User",
    trusted_proxies=(ip_network("127.0.0.0/8"),),
    operators=frozenset({"olga"}),
    auditors=frozenset({"aron"}),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own: here incidents are acted on."""
    opened = open_store(f"delta:{tmp_path}")
    seed(opened)
    gather(opened, START)
    yield opened
    opened.close()


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


@contextmanager
def page_of(store: Store, access: Access | None = None) -> Iterator[str]:
    settings = {"web": {"token": "s3cret"}}
    state = WebState(store=store, clock=lambda: END, access=access or Access(), settings=lambda: settings)
    with serving(state) as address:
        yield address


def act(
    http: urllib3.PoolManager, site: str, store: Store, headers: dict[str, str] | None = None, **fields: str
) -> urllib3.BaseHTTPResponse:
    """Send the form of the one incident as its page has it; `form` overrides the hidden field."""
    address = f"{site}/incidents/{store.incidents()[0].id}"
    shown = http.request("GET", address, headers=headers or {}).data.decode()
    hidden = re.search(r'name="form" value="([0-9a-f]+)"', shown)
    body = urlencode({"form": hidden[1] if hidden else "", "did": "acknowledge", **fields})
    return http.request("POST", address + "/act", body=body, headers=headers or {}, redirect=False)


def signed_in(http: urllib3.PoolManager, site: str, token: str, name: str = "") -> dict[str, str]:
    body = urlencode({"token": token, "name": name})
    cookie = http.request("POST", site + "/login", body=body, redirect=False).headers["Set-Cookie"]
    return {"Cookie": cookie.partition(";")[0]}


def test_each_token_opens_its_role(store: Store, http: urllib3.PoolManager) -> None:
    """All may look; settings and the auditor's report are not for viewers; only the operator acts."""
    with page_of(store, Access(tokens=TOKENS)) as site:
        for token, settings, acted in ((VIEWER, 403, 403), (AUDITOR, 200, 403), (OPERATOR, 200, 303)):
            headers = signed_in(http, site, token, "maria")
            assert http.request("GET", site + "/incidents", headers=headers).status == 200
            for path in ("/settings", "/report/audit", "/api/report/audit"):
                assert http.request("GET", site + path, headers=headers).status == settings
            assert act(http, site, store, headers).status == acted
    assert store.incidents()[0].owner == "maria"
    assert [one.did for one in store.incidents()[0].history].count("acknowledged") == 1


def test_a_role_cannot_be_written_into_the_cookie(store: Store, http: urllib3.PoolManager) -> None:
    """A viewer's cookie with another role or another name is no cookie."""
    with page_of(store, Access(tokens=TOKENS)) as site:
        value = signed_in(http, site, VIEWER, "eve")["Cookie"]
        for forged in (value.replace(".viewer.", ".operator."), value.replace("ZXZl", "cm9vdA"), value[:-1] + "0"):
            if forged != value:
                answer = http.request("GET", site + "/events", headers={"Cookie": forged}, redirect=False)
                assert answer.status == 303


def test_the_proxy_says_who(store: Store, http: urllib3.PoolManager) -> None:
    """The header of a trusted proxy decides the role and the name in the audit trail; without it nobody is let in."""
    with page_of(store, PROXIED) as site:
        assert http.request("GET", site + "/events").status == 403
        assert http.request("GET", site + "/api/events").status == 401
        for name, settings in (("victor", 403), ("aron", 200), ("olga", 200)):
            headers = {"X-Forwarded-User": name}
            assert http.request("GET", site + "/events", headers=headers).status == 200
            assert http.request("GET", site + "/settings", headers=headers).status == settings
        assert act(http, site, store, {"X-Forwarded-User": "aron"}).status == 403
        assert act(http, site, store, {"X-Forwarded-User": "olga"}, by="somebody else").status == 303
        for name in ("", " ", "a" * 200, "ol\tga"):
            assert http.request("GET", site + "/events", headers={"X-Forwarded-User": name}).status == 403
    assert store.incidents()[0].owner == "olga"


def test_anybody_elses_header_is_not_looked_at(store: Store, http: urllib3.PoolManager) -> None:
    """From an address that is no trusted proxy the header opens nothing."""
    elsewhere = Access(user_header="X-Forwarded-User", trusted_proxies=(ip_network("192.0.2.7/32"),))
    with page_of(store, elsewhere) as site:
        headers = {"X-Forwarded-User": "olga", "X-Forwarded-For": "192.0.2.7"}
        assert http.request("GET", site + "/events", headers=headers).status == 403


def test_an_address_beyond_loopback_needs_token_or_proxy() -> None:
    """Where others reach the page, a token or a trusted proxy is needed, and the shortest token decides."""
    assert check_access("0.0.0.0:80", PROXIED) == ("0.0.0.0", 80)
    assert check_access("0.0.0.0:80", Access(tokens=TOKENS))[1] == 80
    for access in (Access(), Access(tokens={**TOKENS, Role.VIEWER: "short"})):
        with pytest.raises(ValueError, match="without a token"):
            check_access("0.0.0.0:80", access)
    with pytest.raises(ValueError, match="trusted_proxies"):
        check_access("127.0.0.1:80", Access(user_header="X-User"))


def test_forms_are_ours(store: Store, http: urllib3.PoolManager) -> None:
    """Without the hidden field, with somebody else's, or from a foreign page nothing is changed."""
    with page_of(store) as site:
        assert act(http, site, store, by="eve", form="").status == 403
        assert act(http, site, store, by="eve", form="0" * 64).status == 403
        assert act(http, site, store, {"Sec-Fetch-Site": "cross-site"}, by="eve").status == 403
        assert act(http, site, store, {"Sec-Fetch-Site": "same-site"}, by="eve").status == 403
        assert http.request("POST", site + f"/incidents/{store.incidents()[0].id}/act", body="x" * 99_999).status == 413
        assert store.incidents()[0].state is State.OPEN
        assert act(http, site, store, {"Sec-Fetch-Site": "same-origin"}, by="maria").status == 303
    assert store.incidents()[0].owner == "maria"


def test_a_program_acts_with_its_token(store: Store, http: urllib3.PoolManager) -> None:
    """What sends the token in a header needs no hidden field, and says who acts."""
    with page_of(store, Access(tokens=TOKENS)) as site:
        address = f"{site}/incidents/{store.incidents()[0].id}/act"
        for token, status in ((VIEWER, 403), (OPERATOR, 303)):
            body = urlencode({"did": "acknowledge", "by": "on-call bot"})
            headers = {"Authorization": f"Bearer {token}"}
            assert http.request("POST", address, body=body, headers=headers, redirect=False).status == status
    assert store.incidents()[0].owner == "on-call bot"


def test_what_is_done_wrong_is_said(store: Store, http: urllib3.PoolManager) -> None:
    """No name, an unknown act, an empty note: 400 with what to do, and what was typed is kept."""
    with page_of(store) as site:
        for fields, says in (
            ({}, "Say who you are"),
            ({"by": "maria", "did": "explode"}, "Nothing is known"),
            ({"by": "maria", "did": "note"}, "Write the note first"),
            ({"by": "maria", "did": "assign"}, "who looks after it"),
        ):
            answer = act(http, site, store, **fields)
            assert answer.status == 400
            assert says in answer.data.decode()
        kept = act(http, site, store, note="<b>half a thought").data.decode()
        assert "&lt;b&gt;half a thought</textarea>" in kept
        assert act(http, site, store, by="maria", did="note", note="it was the scanner\x1b[31m").status == 303
        missing = http.request("POST", site + "/incidents/inc-none/act", body="", headers={})
        assert missing.status == 403
    last = store.incidents()[0].history[-1]
    assert (last.by, last.did, last.note) == ("maria", "noted", "it was the scanner [31m")


def test_the_whole_life_of_an_incident(store: Store, http: urllib3.PoolManager) -> None:
    """Acknowledged, assigned, closed as expected, reopened, resolved: the audit trail has each with name and note."""
    with page_of(store) as site:
        for did, note in (
            ("acknowledge", ""),
            ("assign", "carla"),
            ("expected", "pen test"),
            ("reopen", "not ours"),
            ("resolve", ""),
        ):
            assert act(http, site, store, did=did, by="maria", note=note).status == 303
        shown = http.request("GET", f"{site}/incidents/{store.incidents()[0].id}").data.decode()
    done = [(one.did, one.note) for one in store.incidents()[0].history if one.by == "maria"]
    assert done == [
        ("acknowledged", ""),
        ("assigned", "carla"),
        ("expected", "pen test"),
        ("reopened", "not ours"),
        ("resolved", ""),
    ]
    assert "expected by maria: pen test" in shown
    assert store.incidents()[0].state is State.RESOLVED


def test_settings_say_what_is_missing(tmp_path: Path) -> None:
    """A header without proxies is refused when the settings are read, an empty token file when the page is built."""
    path = tmp_path / "regsight.toml"
    path.write_text('[web]\nuser_header = "X-Forwarded-User"\n')
    with pytest.raises(ConfigError, match="trusted_proxies"):
        load(path, {})
    path.write_text('[web]\ntrusted_proxies = ["not an address"]\n')
    with pytest.raises(ConfigError, match="trusted_proxies"):
        load(path, {})
    empty = tmp_path / "token"
    empty.write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        web_access(WebConfig(viewer_token_file=empty))
    empty.write_text("x" * 20)
    assert web_access(WebConfig(viewer_token_file=empty)).role_of("x" * 20) is Role.VIEWER
