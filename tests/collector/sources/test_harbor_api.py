"""Harbor's audit API, served by a small HTTP server from rows that a real Harbor gave."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from collector.backoff import Backoff
from collector.formats import harbor_audit
from collector.sources import harbor_api
from collector.sources.harbor_api import HarborAuditPoller
from collector.stages import Block
from store.contract import Position

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "harbor-live"
CLASSIC = SAMPLES / "v2.12.4" / "api.audit-logs.json"
EXT = SAMPLES / "v2.15.2-harbor-log" / "api.auditlog-exts.page1.json"
PASSWORD = "Harbor12345"


class Harbor:
    """Answers as Harbor does: basic auth, `q=op_time=[…~]`, `sort`, `page`, `page_size`. `answers` come first, one
    each; `between` is called after every page given, with the table, and may change the rows.
    """

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]] | None] = {
            "/api/v2.0/auditlog-exts": json.loads(EXT.read_bytes()),
            "/api/v2.0/audit-logs": json.loads(CLASSIC.read_bytes()),
        }
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.asked: list[str] = []
        self.password = PASSWORD
        self.between = lambda rows: None

    def page(self, path: str, query: dict[str, str]) -> list[dict[str, Any]] | None:
        rows = self.tables.get(path)
        if rows is None:
            return None
        bound = re.fullmatch(r"op_time=\[(.+)~\]", query["q"])
        assert bound is not None and query["sort"] == "op_time"
        since = datetime.strptime(bound[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        chosen = sorted((row for row in rows if moment(row) >= since), key=lambda row: (moment(row), row["id"]))
        page, size = int(query["page"]), int(query["page_size"])
        given = chosen[(page - 1) * size : page * size]
        self.between(rows)
        return given


def moment(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["op_time"])


@pytest.fixture
def harbor() -> Iterator[tuple[Harbor, str]]:
    state = Harbor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append(self.path)
            parts = urlsplit(self.path)
            expected = "Basic " + base64.b64encode(f"auditor:{state.password}".encode()).decode()
            if self.headers["Authorization"] != expected:
                return self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]})
            if state.answers:
                status, headers = state.answers.pop(0)
                return self.answer(status, {"errors": []}, headers)
            rows = state.page(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})
            return self.answer(404, {"errors": [{"code": "NOT_FOUND"}]}) if rows is None else self.answer(200, rows)

        def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield state, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harbor_api, "PAGE_SIZE", 10)


def poller(url: str, **options: Any) -> HarborAuditPoller:
    options = {"registry": "harbor", "once": True, "backoff": lambda: Backoff(first=0.01, ceiling=0.02)} | options
    return HarborAuditPoller("harbor", url, "auditor", SecretStr(PASSWORD), **options)


def read(source: HarborAuditPoller, positions: dict[str, Position]) -> list[Block]:
    blocks = []
    for block in source.blocks(positions.get):
        positions[block.after.stream] = block.after
        blocks.append(block)
    source.close()
    return blocks


def ids(blocks: list[Block], table: str) -> Counter[int]:
    return Counter(row["id"] for block in blocks if table in block.stream for row in json.loads(block.data))


def test_every_row_of_both_tables_comes_once(harbor: tuple[Harbor, str]) -> None:
    """All captured rows arrive page by page, each is an event with an id of its own, and asking
    again gives no new id.
    """
    _, url = harbor
    positions: dict[str, Position] = {}
    blocks = read(poller(url), positions)
    assert ids(blocks, ":classic") == Counter(range(1, 74)) and ids(blocks, ":ext") == Counter(range(1, 52))
    events = [event for block in blocks for event in harbor_audit.FORMAT.parse(block).events.to_pylist()]
    known = {event["event_id"] for event in events}
    assert len(events) == len(known) == 73 + 51 and {event["registry"] for event in events} == {"harbor"}
    again = read(poller(url), positions)
    assert {row["event_id"] for block in again for row in harbor_audit.FORMAT.parse(block).events.to_pylist()} <= known
    for stream in positions:
        own = [block for block in blocks if block.stream == stream]
        assert all(earlier.after.offset == later.offset for earlier, later in pairwise(own))


def test_only_what_is_new_is_asked_after_the_overlap(harbor: tuple[Harbor, str]) -> None:
    """A restart asks from the cursor less the overlap, and a row that was committed late within it is found."""
    state, url = harbor
    positions: dict[str, Position] = {}
    read(poller(url, overlap_seconds=5), positions)
    newest = state.tables["/api/v2.0/audit-logs"][0]
    late = newest | {"id": 74, "op_time": (moment(newest) - timedelta(seconds=3)).isoformat()}
    state.tables["/api/v2.0/audit-logs"].append(late)
    again = ids(read(poller(url, overlap_seconds=5), positions), ":classic")
    assert again[74] == 1 and len(again) < 40


@pytest.mark.parametrize("change", ["purged", "inserted"])
def test_rows_that_shift_between_pages_are_not_missed(harbor: tuple[Harbor, str], change: str) -> None:
    """While Harbor purges its oldest rows, or late rows appear in front, every other row still comes."""
    state, url = harbor
    added = iter(range(1000, 2000))

    def between(rows: list[dict[str, Any]]) -> None:
        oldest = min(rows, key=moment)
        if change == "purged":
            for row in sorted(rows, key=moment)[:3]:
                rows.remove(row)
        else:
            rows.extend(oldest | {"id": next(added)} for _ in range(3))

    state.between = between
    blocks = read(poller(url), {})
    assert set(ids(blocks, ":classic")) >= set(range(1, 74)) and set(ids(blocks, ":ext")) >= set(range(1, 52))


def test_a_second_fuller_than_a_page_is_read_whole(harbor: tuple[Harbor, str]) -> None:
    """More rows in one second than a page holds are asked by page number, and the round ends."""
    state, url = harbor
    row = state.tables["/api/v2.0/audit-logs"][0]
    state.tables["/api/v2.0/audit-logs"] += [row | {"id": number} for number in range(100, 145)]
    assert set(range(100, 145)) <= set(ids(read(poller(url), {}), ":classic"))


def test_refusals_are_waited_out(harbor: tuple[Harbor, str]) -> None:
    """429, 500 and 503 only delay; Retry-After is honoured; no row is lost."""
    state, url = harbor
    state.answers = [(500, {}), (429, {"Retry-After": "1"}), (503, {}), (502, {})]
    begun = time.monotonic()
    assert sum(ids(read(poller(url), {}), ":classic").values()) == 73
    assert time.monotonic() - begun >= 1


def test_a_harbor_without_the_newer_table_is_read(harbor: tuple[Harbor, str]) -> None:
    """404 on one table (Harbor before 2.13) leaves the other."""
    state, url = harbor
    state.tables["/api/v2.0/auditlog-exts"] = None
    blocks = read(poller(url), {})
    assert {block.stream.rpartition(":")[2] for block in blocks} == {"classic"}
    assert ids(blocks, ":classic") == Counter(range(1, 74))


def test_wrong_credentials_are_said_without_the_password(
    harbor: tuple[Harbor, str], caplog: pytest.LogCaptureFixture
) -> None:
    """401 is asked again with pauses until the password is right again; no log record holds it;
    stop ends the waiting.
    """
    state, url = harbor
    state.password = "another"
    source = poller(url, once=False, interval_seconds=0.05)
    blocks: list[Block] = []
    thread = threading.Thread(target=lambda: blocks.extend(read(source, {})))
    thread.start()
    deadline = time.monotonic() + 10
    while len(state.asked) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not blocks
    state.password = PASSWORD
    while len(state.asked) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    source.stop()
    thread.join(5)
    assert not thread.is_alive() and ids(blocks, ":ext") == Counter(range(1, 52))
    assert any("401" in str(record.__dict__.get("error")) for record in caplog.records)
    assert not any(PASSWORD in str(record.__dict__) for record in caplog.records)


def test_a_row_of_the_future_hides_nothing(harbor: tuple[Harbor, str]) -> None:
    """One row that a wrong clock stamped years ahead must not make all that come after it look old."""
    state, url = harbor
    table = state.tables["/api/v2.0/audit-logs"]
    assert table is not None
    table.append(table[0] | {"id": 500, "op_time": (datetime.now(UTC) + timedelta(days=4_000)).isoformat()})
    positions: dict[str, Position] = {}
    assert ids(read(poller(url), positions), ":classic")[500] == 1
    table.append(table[0] | {"id": 501, "op_time": datetime.now(UTC).isoformat()})
    assert ids(read(poller(url), positions), ":classic") == Counter([501])


def test_a_table_that_is_read_up_to_now_is_given_once_over_restarts(harbor: tuple[Harbor, str]) -> None:
    """What the overlap gives again is known from the position, for each table by itself: their ids overlap."""
    state, url = harbor
    positions: dict[str, Position] = {}
    read(poller(url), positions)
    assert not read(poller(url), positions)
    for path in state.tables:
        rows = state.tables[path]
        assert rows is not None
        rows.append(rows[0] | {"id": 600})
    assert sorted(block.stream.rpartition(":")[2] for block in read(poller(url), positions)) == ["classic", "ext"]
