"""Search, tags, sources, settings, the live page, and that pages and JSON tell the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from seeded_store import ATTACKER, END, HOSTILE, VICTIM, digest
from web_server import seeded_state, serving

from analytics.blast import blast
from analytics.reports.audit import audit
from analytics.reports.costs import costs
from analytics.reports.figures import TOP, figures
from analytics.sessions import sessions_of
from analytics.tag_ledger import tag_ledger
from regsight.web import investigate
from regsight.web.investigate import guess
from regsight.web.settings_shown import MASK, rows, shown
from regsight.web.usual import UsualTraffic
from store.contract import EventQuery, Store
from store.locate import open_store

WEEK = END - timedelta(days=7)
IMAGE = digest("shop/api" + "latest")


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def get(http: urllib3.PoolManager, address: str, **params: str) -> str:
    answer = http.request("GET", f"{address}?{urlencode(params)}")
    assert answer.status == 200, answer.data
    return answer.data.decode()


def without_date(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "generated_at"}


def test_a_word_is_understood(seeded: Store) -> None:
    """A digest whole or as it begins, an address, an account, a repository with or without tag; what is none is nothing."""
    assert [(one.kind, one.name) for one in guess(seeded, IMAGE)] == [("digest", IMAGE)]
    assert [(one.kind, one.name) for one in guess(seeded, IMAGE.removeprefix("sha256:")[:10])] == [("digest", IMAGE)]
    assert [(one.kind, one.name) for one in guess(seeded, f" {ATTACKER} ")] == [("client", ATTACKER)]
    assert [(one.kind, one.name) for one in guess(seeded, "alice")] == [("actor", "alice")]
    for text in ("shop/api", "shop/api:latest", "docker://shop/api:v1.0"):
        assert [(one.kind, one.name) for one in guess(seeded, text)] == [("repository", "shop/api")]
    assert guess(seeded, "nobody-of-that-name") == guess(seeded, "abcdef123456") == guess(seeded, "  ") == []


def test_search_shows_what_the_blast_radius_says(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """Page and JSON of a digest are those of the analysis: everybody who pushed and pulled, tags, picture, sessions."""
    since = END + timedelta(microseconds=1) - timedelta(days=30)
    radius = blast(seeded, digest=IMAGE, since=since, until=END + timedelta(microseconds=1))
    found = json.loads(get(http, site + "/api/blast", digest=IMAGE))
    expected = json.loads(json.dumps(radius.as_json()))
    assert {name: found[name] for name in expected} == expected
    assert radius.pulled and radius.tags and not found["cut"]
    text = get(http, site + "/search", q=IMAGE)
    for contact in (*radius.pushed[:25], *radius.pulled[:25]):
        assert contact.actor is not None and contact.actor in text
    assert text.count("<svg") == 1 and "<style" not in text and " style=" not in text
    assert f'href="/tags?repository=shop%2Fapi&amp;tag={radius.tags[0].tag}"' in text
    assert len(found["sessions"]) == text.count('data-label="requests">')


def test_sessions_of_an_account_are_those_of_its_events(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """The newest pulls and pushes, folded from the account's own events."""
    folded = sessions_of(seeded.events(EventQuery(actor="alice")))
    found = json.loads(get(http, site + "/api/blast", actor="alice"))["sessions"]
    assert found == [json.loads(json.dumps(one.as_json())) for one in folded[:-31:-1]]
    assert len(found) == 30


def test_search_of_an_attacker(site: str, http: urllib3.PoolManager) -> None:
    """An address that tried has refusals and findings, and a picture of whom it tried."""
    text = get(http, site + "/search", q=ATTACKER)
    assert f"{ATTACKER} guessed passwords and got in as {VICTIM}" in text
    assert "Refused" in text
    picture = text.partition('<svg xmlns="http://www.w3.org/2000/svg" class="blast"')[2].partition("</svg>")[0]
    assert VICTIM in picture and " refused" in picture


def test_search_of_a_hostile_name_is_inert(site: str, http: urllib3.PoolManager) -> None:
    """Names of logs stay text on every page of the investigation, the drawing included."""
    for path, params in (
        ("/search", {"actor": HOSTILE["actor"]}),
        ("/search", {"repository": HOSTILE["repository"]}),
        ("/search", {"q": HOSTILE["reference"]}),
        ("/tags", {"repository": HOSTILE["repository"], "tag": HOSTILE["reference"]}),
        ("/tags", {"repository": HOSTILE["actor"]}),
        ("/live", {"actor": HOSTILE["actor"]}),
        ("/sources", {}),
    ):
        text = get(http, site + path, **params)
        assert "<img src=x" not in text and "<svg/onload" not in text and "<script>" not in text
        assert not set(text) & set("\x1b\u202e\u2066")


def test_much_of_one_subject_is_cut_and_said(
    seeded: Store, site: str, http: urllib3.PoolManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more events than a page reads, the newest are shown, and from when on."""
    monkeypatch.setattr(investigate, "MOST_EVENTS", 50)
    newest = list(seeded.events(EventQuery(actor="alice", limit=50, newest_first=True)))
    found = json.loads(get(http, site + "/api/blast", actor="alice"))
    assert found["cut"] and found["since"][:19] == newest[-1]["timestamp"].isoformat()[:19]
    assert "only the newest 50 events" in get(http, site + "/search", actor="alice")


@pytest.mark.parametrize(
    ("params", "says"), [({}, "name a digest"), ({"actor": "x", "since": "someday"}, "is no time")]
)
def test_a_question_that_is_none(site: str, http: urllib3.PoolManager, params: dict[str, str], says: str) -> None:
    """400 with what to ask."""
    answer = http.request("GET", f"{site}/api/blast?{urlencode(params)}")
    assert (answer.status, says in answer.data.decode()) == (400, True)


def test_tags_are_the_ledger(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """Page and JSON have every entry, the newest first."""
    ledger = tag_ledger(seeded, "shop/api")
    found = json.loads(get(http, site + "/api/tags", repository="shop/api"))["tags"]
    assert found == [json.loads(json.dumps(one.as_json())) for one in ledger]
    assert found
    text = get(http, site + "/tags", repository="shop/api")
    assert text.count('data-label="pulls"') == len(ledger)
    assert get(http, site + "/tags", repository="shop/api", tag="v1.0").count('data-label="pulls"') == len(
        [one for one in ledger if one.tag == "v1.0"]
    )
    assert "Pushed to lately" in get(http, site + "/tags")
    assert http.request("GET", site + "/api/tags").status == 400


def test_sources_say_what_could_not_be_read(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """Lag, events of the day, the dead letter with its line and reason, jobs with their next run."""
    text = get(http, site + "/sources")
    for part in ("2.0 KiB", "1.6 min", "not json", "{&#34;time&#34;:&#34;202", "byte 900", "2026-11-24 00:05:00"):
        assert part in text
    today = sum(1 for _ in seeded.events(EventQuery(since=END - timedelta(days=1), until=END)))
    state = replace(seeded_state(seeded), sources=lambda: [{"name": "registry.log", "stream": "s-seeded"}])
    with serving(state) as there:
        assert f'<td class="num">{today}</td>' in get(http, there + "/sources")


def test_known_losses_are_shown(tmp_path: Path, http: urllib3.PoolManager) -> None:
    """What the collector noticed to be missing is listed, but for what was found after all."""
    store = open_store(f"delta:{tmp_path}")
    gap = {
        "kind": "file_gone",
        "source": "main",
        "path": "/var/log/<gone>.log",
        "start": "2026-11-23T00:00:00.000000Z",
        "end": "2026-11-23T01:00:00.000000Z",
        "bytes": 4096,
        "lines": 20,
        "text": "",
        "noticed_at": "2026-11-23T01:00:05.000000Z",
    }
    store.put_note("gap/g-1", {**gap, "resolved_at": None})
    store.put_note("gap/g-2", {**gap, "path": "/found/again.log", "resolved_at": "2026-11-23T02:00:00.000000Z"})
    with serving(replace(seeded_state(store), anchor_time=END)) as site:
        text = get(http, site + "/sources")
    store.close()
    assert "file gone" in text and "/var/log/&lt;gone&gt;.log" in text and "4.0 KiB" in text
    assert "/found/again.log" not in text


def test_settings_hide_every_secret(seeded: Store, http: urllib3.PoolManager) -> None:
    """Keys that name secrets, addresses with users, and what pydantic hid are masked; files and names are shown."""
    settings = {
        "store": {"url": "https://elastic:hunter2@es:9200?api_key=abc", "password_file": "/etc/regsight/password"},
        "alerts": {
            "channels": [{"name": "ops", "webhook": "**********", "bearer_env": "TOKEN"}],
            "ack_secret": "hunter2",
        },
        "web": {"listen": "127.0.0.1:8080", "user_header": None, "operators": ["olga"]},
        "reports": {"monthly_audit": True},
    }
    listed = list(rows(settings))
    assert ("store", "url", f"https://{MASK}@es:9200?api_key={MASK}") in listed
    assert ("store", "password_file", "/etc/regsight/password") in listed
    assert ("alerts.channels 1", "webhook", MASK) in listed and ("alerts.channels 1", "bearer_env", "TOKEN") in listed
    assert ("alerts", "ack_secret", MASK) in listed
    assert ("web", "user_header", "not set") in listed and ("web", "operators", "olga") in listed
    assert ("reports", "monthly_audit", "true") in listed
    assert shown("max_age", "PT24H") == "PT24H"
    with serving(replace(seeded_state(seeded), settings=lambda: settings)) as site:
        text = get(http, site + "/settings")
        assert "hunter2" not in text and "abc" not in text
        assert 'href="/settings"' in get(http, site + "/")


def test_the_live_page_filters(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """The newest events that fit, and a filter that is none says so."""
    newest = list(seeded.events(EventQuery(actor=VICTIM, outcome=["denied"], limit=60, newest_first=True)))
    text = get(http, site + "/live", actor=VICTIM, outcome="denied")
    assert re.findall(r'data-id="([^"]+)"', text) == [event["event_id"] for event in newest]
    assert http.request("GET", site + "/live?action=steal").status == 400


def test_the_band_is_learned_from_the_weeks_before(seeded: Store) -> None:
    """A working hour is expected to be busier than a night hour, and the day of the attack does not make itself usual."""
    usual = UsualTraffic(seeded)
    band = usual.band("requests", END - timedelta(days=1), 24)
    assert band is not None
    assert band.high[14] > band.high[3] > 0
    assert all(low <= high for low, high in zip(band.low, band.high, strict=True))
    denied = usual.band("denied", END - timedelta(days=1), 24)
    assert denied is not None and denied.high[2] < 40 and denied.above([0.0] * 2 + [40.0] + [0.0] * 21) == 1
    assert usual.band("requests", END - timedelta(days=12), 24) is None  # two days are known before


class Cells(HTMLParser):
    """The plain values of all cells with a number, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs).get("data-value")
        if tag == "td" and found:
            self.values.append(found)


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


@pytest.mark.parametrize(("page", "api"), [("/report", "/api/report"), ("/report/audit", "/api/report/audit")])
def test_reports_say_what_the_api_says(site: str, http: urllib3.PoolManager, page: str, api: str) -> None:
    """Every number in a table of a report is a number of the JSON for the same span."""
    span = {"since": "2026-11-17", "until": "2026-11-24"}
    known = set(numbers(json.loads(get(http, site + api, **span))))
    shown_ = [float(value) for value in Cells(get(http, site + page, **span)).values]
    assert len(shown_) > 100
    assert set(shown_) <= known


def test_the_api_says_what_the_analysis_says(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """Report, auditor's report and costs as JSON are the figures themselves."""
    span = {"since": "2026-11-17", "until": "2026-11-24"}
    plain = {
        name: json.loads(json.dumps(made(seeded, WEEK, END)))
        for name, made in (("report", figures), ("report/audit", audit))
    }
    for name, expected in plain.items():
        assert without_date(json.loads(get(http, f"{site}/api/{name}", **span))) == expected
    found = json.loads(get(http, site + "/api/costs", **span, price_per_gib="0.09"))
    assert {**found, "since": None, "until": None} == {
        **costs(seeded, WEEK, END, TOP, 0.09),
        "since": None,
        "until": None,
    }
    for wrong in ("cheap", "-1", "nan"):
        assert http.request("GET", f"{site}/api/costs?price_per_gib={wrong}").status == 400


def test_incidents_as_json(seeded: Store, site: str, http: urllib3.PoolManager) -> None:
    """List and one incident have times in seconds and the story."""
    found = json.loads(get(http, site + "/api/incidents"))["incidents"]
    assert [one["id"] for one in found] == [one.id for one in seeded.incidents()]
    assert found[0]["times"] == {
        "detect_seconds": 780.0,
        "notify_seconds": 20.0,
        "acknowledge_seconds": None,
        "close_seconds": None,
    }
    one = json.loads(get(http, f"{site}/api/incidents/{found[0]['id']}"))
    assert [chapter["what"] for chapter in one["story"]][-1] == "told local"
    assert json.loads(get(http, site + "/api/incidents", state="resolved")) == {"incidents": []}
    assert http.request("GET", site + "/api/incidents?state=lost").status == 400
    assert http.request("GET", site + "/api/incidents/inc-none").status == 404
