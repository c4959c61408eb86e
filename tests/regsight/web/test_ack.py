"""The link in a message: looking changes nothing, confirming acknowledges, and it opens nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from seeded_store import END, seed
from web_server import serving

from alerts.ack_link import sign
from regsight.web.access import Access, Role
from regsight.web.state import WebState
from store.contract import Store
from store.incident import State
from store.locate import open_store

SECRET = "a secret of acknowledge links, long enough"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path}")
    seed(opened)
    yield opened
    opened.close()


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def test_the_link_acknowledges_without_signing_in(store: Store, http: urllib3.PoolManager) -> None:
    """GET as often as one likes leaves the incident open; POST acknowledges in the name that was typed."""
    access = Access(tokens={Role.OPERATOR: "correct horse battery staple"})
    state = WebState(store=store, clock=lambda: END, access=access, ack_secret=lambda: SECRET)
    incident = store.incidents()[0]
    token = sign(SECRET, incident.id, "mail", END + timedelta(days=1))
    with serving(state) as site:
        for _ in range(2):
            shown = http.request("GET", f"{site}/ack?{urlencode({'token': token})}", redirect=False)
            assert shown.status == 200
            assert incident.id in shown.data.decode() and 'method="post"' in shown.data.decode()
            assert "unsafe" not in shown.headers["Content-Security-Policy"]
        assert store.incidents()[0].state is State.OPEN
        done = http.request("POST", site + "/ack", body=urlencode({"token": token, "name": "maria"}))
        assert done.status == 200
        assert http.request("GET", f"{site}/incidents/{incident.id}", redirect=False).status == 303
    assert store.incidents()[0].state is State.ACKNOWLEDGED
    assert store.incidents()[0].owner == "maria"


@pytest.mark.parametrize(("change", "status"), [("forged", 403), ("late", 410), ("none", 403), ("gone", 404)])
def test_a_link_that_does_not_hold(store: Store, http: urllib3.PoolManager, change: str, status: int) -> None:
    """A forged link, one that has run out, none at all, or one for an incident that is not stored acknowledges nothing."""
    incident = store.incidents()[0]
    token = {
        "forged": sign("another secret", incident.id, "mail", END + timedelta(days=1)),
        "late": sign(SECRET, incident.id, "mail", END - timedelta(seconds=1)),
        "none": "",
        "gone": sign(SECRET, "inc-gone", "mail", END + timedelta(days=1)),
    }[change]
    with serving(WebState(store=store, clock=lambda: END, ack_secret=lambda: SECRET)) as site:
        for method, body in (("GET", None), ("POST", urlencode({"token": token, "name": "eve"}))):
            assert http.request(method, f"{site}/ack?{urlencode({'token': token})}", body=body).status == status
    assert store.incidents()[0].state is State.OPEN


def test_without_a_secret_there_are_no_links(store: Store, http: urllib3.PoolManager) -> None:
    """Where no secret is set, the address leads nowhere."""
    with serving(WebState(store=store, clock=lambda: END)) as site:
        assert http.request("GET", site + "/ack?token=x").status == 404
