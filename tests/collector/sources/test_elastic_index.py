"""Logs that are in an Elasticsearch of somebody else's, on a real server: every document once, late ones too."""

from __future__ import annotations

import json
import threading
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from collecting import collect, embedded, events, pipeline, until
from format_samples import SAMPLES, formats
from pydantic import SecretStr

from collector.sources.elastic_index import Access, ElasticIndex, ElasticIndexError
from collector.stages import Block
from store.contract import Position, Store

pytestmark = pytest.mark.external_service

LIVE = SAMPLES / "distribution-live" / "v3-json"
ACCESS = (LIVE / "nginx-access.combined.log").read_text().splitlines()
BEGIN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
FORMAT = "nginx-combined"


class Server:
    """One index of a server, filled as Filebeat does."""

    def __init__(self, url: str) -> None:
        self.url, self.index = url, f"filebeat-{uuid.uuid4().hex}"

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        asked = urllib.request.Request(self.url + path, body, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read())

    def put(self, *documents: dict[str, Any]) -> None:
        lines = [json.dumps(each) for document in documents for each in ({"create": {}}, document)]
        body = "\n".join(lines).encode() + b"\n"
        told = self.request("POST", f"/{self.index}/_bulk?refresh=true", body, "application/x-ndjson")
        assert not told["errors"], told

    def log(self, lines: list[str], first: datetime = BEGIN, step: float = 0.25) -> None:
        self.put(*(filebeat(line, first + timedelta(seconds=step * number)) for number, line in enumerate(lines)))


def filebeat(line: str, moment: datetime) -> dict[str, Any]:
    return {
        "@timestamp": moment.isoformat(),
        "message": line,
        "host": {"name": "node-a"},
        "agent": {"type": "filebeat"},
    }


@pytest.fixture
def server(elasticsearch_url: str) -> Iterator[Server]:
    made = Server(elasticsearch_url)
    yield made
    made.request("DELETE", f"/{made.index}")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with embedded(tmp_path / "store") as opened:
        yield opened


def source(server: Server, **options: Any) -> ElasticIndex:
    access = Access(url=server.url)
    index = options.pop("index", server.index)
    settings = {"registry": "r1", "once": True, "page_size": 10, "interval_seconds": 0.1} | options
    return ElasticIndex("logs", access, index, **settings)


def read(source: ElasticIndex, positions: dict[str, Position]) -> list[Block]:
    blocks = []
    for block in source.blocks(positions.get):
        positions[block.after.stream] = block.after
        blocks.append(block)
    source.close()
    return blocks


def lines(blocks: list[Block]) -> Counter[str]:
    return Counter(line for block in blocks for line in block.data.decode().splitlines())


def test_an_index_gives_what_the_file_gave(server: Server, store: Store, tmp_path: Path) -> None:
    """The captured log by way of Filebeat's documents is the same events as the file; a second run adds none."""
    server.log(ACCESS)
    summary = collect(store, source(server), FORMAT)
    assert (summary.lines, summary.dead_letters) == (len(ACCESS), 0)
    assert collect(store, source(server), FORMAT).lines == 0
    keys = ("timestamp", "action", "repository", "reference", "status", "client_ip")
    from collector.sources.file_tail import FileTail

    with embedded(tmp_path / "other") as other:
        collect(other, FileTail("file", [str(LIVE / "nginx-access.combined.log")], registry="r1"), FORMAT)
        expected = Counter(tuple(event.get(key) for key in keys) for event in events(other))
    assert Counter(tuple(event.get(key) for key in keys) for event in events(store)) == expected


def test_lines_of_one_request_on_two_pages(server: Server) -> None:
    """A format sees the lines in front of a page, so where pages end does not change what it makes of them."""
    registry = (LIVE / "registry.log").read_text().splitlines()[:300]
    server.log(registry)
    blocks = read(source(server, page_size=7), {})
    assert [block.data for block in blocks] and all(block.before.endswith(b"\n") for block in blocks[1:])
    form = formats()["distribution-json"]
    by_page = Counter(row["event_id"] for block in blocks for row in form.parse(block).events.to_pylist())
    (whole,) = read(source(server, page_size=1_000), {})
    assert by_page.keys() == {row["event_id"] for row in form.parse(whole).events.to_pylist()}


def test_late_documents_are_found_and_none_twice(server: Server) -> None:
    """Within the overlap, over restarts; beyond it they are not looked for."""
    positions: dict[str, Position] = {}
    server.log([f"line {number}" for number in range(35)], step=10)
    first = read(source(server, overlap_seconds=60), positions)
    newest = BEGIN + timedelta(seconds=340)
    server.put(filebeat("late", newest - timedelta(seconds=50)), filebeat("too late", newest - timedelta(seconds=70)))
    server.put(filebeat("new", newest + timedelta(seconds=1)))
    second = read(source(server, overlap_seconds=60), positions)
    assert lines(first) == Counter(f"line {number}" for number in range(35))
    assert lines(second) == Counter(["late", "new"])
    assert not read(source(server, overlap_seconds=60), positions)


def test_many_documents_of_one_moment(server: Server) -> None:
    """More than a page holds; a run that is broken off after any page goes on where it was."""
    server.put(*(filebeat(f"line {number}", BEGIN) for number in range(47)))
    expected = Counter(f"line {number}" for number in range(47))
    for cut in range(5):
        positions: dict[str, Position] = {}
        found = []
        reader = source(server)
        for block in reader.blocks(positions.get):
            positions[block.after.stream] = block.after
            found.append(block)
            if len(found) == cut:
                break
        reader.close()
        assert lines(found + read(source(server), positions)) == expected, cut


def test_what_cannot_be_remembered_shortens_the_overlap(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart no line comes twice, since its place is its only name."""
    monkeypatch.setattr("collector.sources.elastic_index.REMEMBERED", 15)
    server.log([f"line {number}" for number in range(60)])
    positions: dict[str, Position] = {}
    assert sum(lines(read(source(server, overlap_seconds=3600), positions)).values()) == 60
    server.log(["new 1", "new 2"], BEGIN + timedelta(seconds=30))
    assert lines(read(source(server, overlap_seconds=3600), positions)) == Counter(["new 1", "new 2"])


def test_a_document_of_the_future_hides_nothing(server: Server) -> None:
    """One clock that is years ahead must not make everything else look old."""
    positions: dict[str, Position] = {}
    now = datetime.now(UTC)
    server.put(filebeat("now", now), filebeat("future", now + timedelta(days=4_000)))
    assert lines(read(source(server), positions)) == Counter(["now", "future"])
    server.put(filebeat("a little later", now + timedelta(seconds=1)))
    assert lines(read(source(server), positions)) == Counter(["a little later"])


def test_other_fields_and_whole_documents(server: Server) -> None:
    """Quay's own documents whole, a field with dots in its name or on its way, only what a query wants; documents without
    the field, or with something else in it, are left out."""
    moment = BEGIN.isoformat()
    server.put(
        {"datetime": moment, "kind_id": 3, "metadata_json": "{}", "log": {"original": "one\r\n"}},
        {"datetime": moment, "kind_id": 4, "log.original": "two"},
        {"datetime": moment, "kind_id": 4, "log": {"original": 5}},
        {"kind_id": 5, "log": {"original": "no time"}},
    )
    whole = read(source(server, field=None, time_field="datetime"), {})
    assert sorted(json.loads(line)["kind_id"] for line in lines(whole)) == [3, 4, 4]
    options = {"field": "log.original", "time_field": "datetime"}
    assert lines(read(source(server, **options), {})) == Counter(["one", "two"])
    only = {"term": {"kind_id": 4}}
    assert lines(read(source(server, query=only, **options), {})) == Counter(["two"])


def test_documents_that_come_while_it_runs(server: Server, store: Store) -> None:
    """By a pattern over indices; the points in time are closed again."""
    server.log(ACCESS[:20])
    run = pipeline(store, source(server, once=False, index=server.index[:-3] + "*"), FORMAT)
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        until(lambda: run.summary.lines == 20)
        server.log(ACCESS[20:50], BEGIN + timedelta(minutes=1))
        until(lambda: run.summary.lines == 50)
    finally:
        run.stop()
        thread.join(20)
    assert not thread.is_alive()
    stats = server.request("GET", "/_nodes/stats/indices/search")
    assert all(node["indices"]["search"]["open_contexts"] == 0 for node in stats["nodes"].values())


def test_refusals_name_the_place_and_no_secret(server: Server) -> None:
    """A server that is away, an index that is not there, a query that makes no sense."""
    server.log(["line"])
    access = Access(url="http://127.0.0.1:9", username="reader", password=SecretStr("the-password"))
    for bad in (
        ElasticIndex("logs", access, "x", once=True),
        source(server, index="not-there"),
        source(server, query={"nonsense": {}}),
    ):
        with pytest.raises(ElasticIndexError) as refused:
            list(bad.blocks(lambda _: None))
        bad.close()
        assert "the-password" not in str(refused.value)
