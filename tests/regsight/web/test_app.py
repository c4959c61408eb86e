"""Pages and JSON over HTTP, on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import urllib3
from seeded_store import ATTACK, ATTACKER, END, HOSTILE, VICTIM
from web_server import serving

from regsight.web.guard import HEADERS
from regsight.web.state import WebState
from store.contract import EventQuery, Store
from store.errors import Unavailable
from store.event import to_ecs
from store.finding import Severity
from store.locate import open_store

PAGES = [
    "/", "/live", "/incidents", "/search?q=alice", "/tags?repository=shop/api", "/sources", "/settings", "/events", "/findings",
    "/report", "/report/audit", "/sent", "/login", "/ack?token=x", "/static/page.css", "/api/events", "/nowhere",
]  # fmt: skip


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def get(http: urllib3.PoolManager, address: str) -> tuple[int, str]:
    answer = http.request("GET", address)
    return answer.status, answer.data.decode()


def ask(http: urllib3.PoolManager, address: str, **params: Any) -> Any:
    status, text = get(http, f"{address}?{urlencode(params, doseq=True)}")
    assert status == 200, text
    return json.loads(text)


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(site: str, http: urllib3.PoolManager, path: str) -> None:
    """Nothing of this page is kept, framed, sniffed, or may load from elsewhere."""
    answer = http.request("GET", site + path)
    for name in HEADERS:
        assert name in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    ["/", "/live", "/incidents", "/events", "/findings", "/report", "/report/audit", "/sources", "/settings", "/sent"],
)
def test_names_out_of_logs_are_inert(site: str, http: urllib3.PoolManager, path: str) -> None:
    """No page has an unescaped name, an escape sequence or a change of direction in it."""
    status, text = get(http, site + path)
    assert status == 200
    assert "<img src=x" not in text and "<svg/onload" not in text and "<script>" not in text
    assert not set(text) & set("\x1b\u202e\u2066")


def test_overview_compares_two_days(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """The first page counts the last day, shows open incidents, findings with their severity, what is usual, sources with
    lag, jobs with next run.
    """
    _, text = get(http, site + "/")
    today = sum(1 for _ in seeded.events(EventQuery(since=END - timedelta(days=1), until=END)))
    assert f"<dd>{today} <small>" in text
    assert (
        text.index('href="/incidents/inc-') < text.index(">low<") < text.rindex(">critical<")
    )  # the newer finding first
    assert "usual at this hour of the day" in text
    assert "2.0 KiB" in text and "1.6 min" in text
    assert "2026-11-24 00:05:00" in text and "never ran" in text


def test_a_finding_tells_its_story(site: str, http: urllib3.PoolManager) -> None:
    """Seen, usual, what to check, all evidence, and to whom it went when."""
    found = ask(http, site + "/api/findings", severity="critical")["findings"]
    assert len(found) == 1
    status, text = get(http, site + "/findings/" + found[0]["id"])
    assert status == 200
    for part in (found[0]["observed"], found[0]["expected"], "2026-11-23 02:30:20", "the mail server did not answer"):
        assert part in text
    assert text.count('href="/events/l-') == len(found[0]["evidence"]) == 41
    assert f"<code>regsight events --actor {VICTIM}</code>" in text


@pytest.mark.parametrize(
    "filters",
    [
        {"actor": VICTIM, "outcome": "denied"},
        {"client": "203.0.*"},
        {"repository": "shop/*", "action": ["push", "pull"], "since": "2026-11-20", "until": "2026-11-21T12:00:00Z"},
        {"since": "24h", "reference": "v1.?"},
        {"actor": HOSTILE["actor"]},
    ],
)
def test_filters_are_those_of_the_store(
    seeded: Store, site: str, http: urllib3.PoolManager, filters: dict[str, Any]
) -> None:
    """Page and JSON show exactly the events that the store gives for the same filter."""
    times = {"2026-11-20": datetime.fromisoformat("2026-11-20T00:00:00Z"), "24h": END - timedelta(days=1)}
    query = EventQuery(
        since=times.get(filters.get("since", "")),
        until=datetime.fromisoformat(filters["until"]) if "until" in filters else None,
        action=filters.get("action", ()),
        outcome=[filters["outcome"]] if "outcome" in filters else (),
        **{name: filters.get(name) for name in ("actor", "client", "repository", "reference")},
        newest_first=True,
        limit=1000,
    )
    expected = [to_ecs(event) for event in seeded.events(query)]
    assert expected
    shown = ask(http, site + "/api/events", limit=1000, **filters)
    assert shown["events"] == expected
    _, text = get(http, f"{site}/events?{urlencode({**filters, 'limit': 1000}, doseq=True)}")
    assert text.count('href="/events/l-') == len(expected)


def test_pages_of_events_follow_without_gap(site: str, http: urllib3.PoolManager) -> None:
    """Page after page gives every event once."""
    whole = ask(http, site + "/api/events", client=ATTACKER, limit=1000)["events"]
    pieces = [ask(http, site + "/api/events", client=ATTACKER, limit=15, page=page) for page in (1, 2, 3)]
    assert [event for piece in pieces for event in piece["events"]] == whole
    assert [piece["more"] for piece in pieces] == [True, True, False]
    _, text = get(http, f"{site}/events?client={ATTACKER}&limit=15&page=2")
    assert f"client={ATTACKER}&amp;limit=15&amp;page=3" in text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("since=yesterday-ish", "is no time"),
        ("until=99999999w", "is no time"),
        ("action=steal", "is none of pull"),
        ("outcome=maybe", "is none of success"),
        ("limit=0", "is no number from 1"),
        ("page=-1", "is no number from 1"),
        ("limit=%D9%A1", "is no number from 1"),
    ],
)
def test_a_filter_that_is_none_is_refused(site: str, http: urllib3.PoolManager, query: str, says: str) -> None:
    """400 with the way to write it, on the page and as JSON, and what was typed stays in the form."""
    for path in ("/events", "/api/events"):
        status, text = get(http, f"{site}{path}?{query}")
        assert status == 400
        assert says in text


def test_hostile_filter_comes_back_inert(site: str, http: urllib3.PoolManager) -> None:
    """What was typed is shown again as text."""
    status, text = get(http, f"{site}/events?since={quote(HOSTILE['reference'])}&actor={quote(HOSTILE['actor'])}")
    assert status == 400
    assert "<svg/onload" not in text and "<img src=x" not in text
    assert 'value="&lt;img src=x onerror=alert(1)&gt;' in text


def test_an_event_shows_where_it_came_from(site: str, http: urllib3.PoolManager) -> None:
    """Each event has a page with all fields down to file and offset; an unknown one is 404."""
    event = ask(http, site + "/api/events", limit=1)["events"][0]
    _, text = get(http, f"{site}/events/{event['event.id']}")
    assert "log.file.path" in text and str(event["oci.offset"]) in text
    assert get(http, site + "/events/l-none")[0] == 404
    assert get(http, site + "/findings/f-none")[0] == 404


def test_report_by_span(site: str, http: urllib3.PoolManager) -> None:
    """The report is the last week unless asked otherwise, and its figures are there as JSON."""
    figures = ask(http, site + "/api/report")
    assert (figures["since"][:10], figures["until"][:10]) == ("2026-11-17", "2026-11-24")
    day = ask(http, site + "/api/report", since="2026-11-23", until="2026-11-24")
    assert day["totals"]["bad_credentials"] == 40
    assert get(http, site + "/report?since=2026-11-24&until=2026-11-23")[0] == 400
    assert "Back to what is happening now" in get(http, site + "/report")[1]


def test_report_of_old_data_is_all_of_it(seeded: Store, http: urllib3.PoolManager) -> None:
    """Where the last week is empty because the data is old, the report covers what there is."""
    with serving(WebState(store=seeded, clock=lambda: END + timedelta(days=90))) as site:
        figures = ask(http, site + "/api/report")
    assert figures["totals"]["requests"] == figures["stored"]["events"] == seeded.total()


def test_machines_are_answered(site: str, http: urllib3.PoolManager) -> None:
    """Health, readiness with its reason, metrics with their type, status with store, sources and jobs."""
    assert get(http, site + "/healthz") == (200, "ok\n")
    assert get(http, site + "/readyz") == (503, "the store does not answer\n")
    metrics = http.request("GET", site + "/metrics")
    assert metrics.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert metrics.data == b"regsight_collector_batches_total 3.0\n"
    status = ask(http, site + "/api/status")
    assert status["store"]["dead_letters"] == {"not_json": 1}
    assert status["sources"][0]["lag_bytes"] == 2048
    assert status["jobs"][0]["next"] == "2026-11-24T00:05:00.000000Z"


def test_what_is_not_there(site: str, http: urllib3.PoolManager) -> None:
    """404 in words on a page, as JSON below /api, and no file outside our few."""
    assert "There is no page /nowhere." in get(http, site + "/nowhere")[1]
    assert json.loads(get(http, site + "/api/nowhere")[1])["error"].startswith("no /api/nowhere")
    assert get(http, site + "/static/..%2Fapp.py")[0] == 404


def test_empty_store_says_what_to_do(tmp_path: Path, http: urllib3.PoolManager) -> None:
    """Every page of an empty store opens and names the command that fills it."""
    store = open_store(f"delta:{tmp_path}")
    with serving(WebState(store=store, clock=lambda: ATTACK)) as site:
        for path, hint in {
            "/": "regsight collect",
            "/events": "regsight collect",
            "/findings": "regsight detect",
            "/live": "regsight run",
            "/incidents": "regsight detect",
            "/search": "Enter a digest",
            "/tags": "Enter a repository",
            "/sources": "regsight collect",
            "/report/audit": "regsight status",
            "/report": "regsight collect",
            "/sent": "regsight alerts test",
        }.items():
            status, text = get(http, site + path)
            assert status == 200
            assert hint in text
    store.close()


def test_a_store_that_does_not_answer(seeded: Store, http: urllib3.PoolManager) -> None:
    """503 in words and as JSON, without what the error says: it may name an address with a secret."""

    def broken() -> list[Any]:
        raise Unavailable("https://user:secret@es:9200 refused")

    with serving(WebState(store=seeded, clock=lambda: END, sources=broken)) as site:
        for path in ("/", "/api/status"):
            status, text = get(http, site + path)
            assert status == 503
            assert "does not answer" in text
            assert "secret" not in text
        assert get(http, site + "/findings")[0] == 200


@pytest.mark.parametrize("least", list(Severity))
def test_findings_by_severity(site: str, http: urllib3.PoolManager, seeded: Store, least: Severity) -> None:
    """Those that are at least so severe, and no other; an unknown word narrows nothing."""
    _, text = get(http, f"{site}/findings?severity={least}")
    wanted = {one.id for one in seeded.findings(min_severity=least)}
    everything = {one.id for one in seeded.findings()}
    assert {id for id in everything if f"/findings/{id}" in text} == wanted
    _, text = get(http, f"{site}/findings?severity=odd")
    assert all(f"/findings/{id}" in text for id in everything)
