"""The Elasticsearch store on a real server: its indices, its refusals, and its absence."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from servers.elasticsearch import running

from store import bulk_body
from store.contract import EventQuery, Position
from store.elastic import ElasticStore
from store.errors import Rejected, Unavailable
from store.mapping import events_template
from store.merge import merge

pytestmark = pytest.mark.external_service

ARTICLE = """{"query": {"bool": {"must": [{ "term": { "action": "push" } },
    { "range": { "@timestamp": { "gte": "now-1h" } } }]}}}"""


@pytest.fixture
def elastic(elasticsearch_url, request):
    name = f"e{abs(hash(request.node.name))}"
    store = ElasticStore(elasticsearch_url, namespace=name)
    yield store
    store.close()


def _post(url, body, method="POST"):
    request = urllib.request.Request(url, body, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_the_query_of_the_article_works_word_for_word(elastic, elasticsearch_url, row, table):
    """People may ask `action` instead of `event.action`, over all our event indices."""
    now = datetime.now(UTC)
    fresh, old, other = (
        row(1, action="push", timestamp=now - timedelta(minutes=5)),
        row(2, action="push", timestamp=now - timedelta(hours=2)),
        row(3, action="pull", timestamp=now),
    )
    elastic.commit(table(fresh, old, other), [])
    assert elastic.total() == 3
    hits = _post(f"{elasticsearch_url}/regsight-events-*/_search", ARTICLE.encode())["hits"]["hits"]
    found = [hit for hit in hits if elastic._alias in hit["_index"]]
    assert [hit["_source"]["event.id"] for hit in found] == [fresh["event_id"]]
    assert found[0]["_index"] == f"{elastic._alias}-{fresh['timestamp']:%Y.%m.%d}"
    assert found[0]["_id"] == fresh["event_id"]


def test_the_template_is_strict_and_small(elastic, elasticsearch_url, row, table):
    """Fields nobody declared are not indexed, keywords are cut, segments are compressed well."""
    elastic.commit(table(row(1)), [])
    with urllib.request.urlopen(f"{elasticsearch_url}/{elastic._alias}-2026.11.01") as answer:
        (index,) = json.load(answer).values()
    assert index["mappings"]["dynamic"] == "false"
    assert index["mappings"]["properties"]["action"] == {"type": "alias", "path": "event.action"}
    assert index["mappings"]["properties"]["user"]["properties"]["name"] == {"type": "keyword", "ignore_above": 1024}
    assert index["settings"]["index"]["codec"] == "best_compression"
    assert list(index["aliases"]) == [elastic._alias]


def test_an_event_that_never_fits_is_a_dead_letter_and_the_others_go_on(elastic, elasticsearch_url, row, table, start):
    """One document that Elasticsearch refuses stops neither its neighbours nor the position."""
    strange = {"mappings": {"properties": {"oci.repository": {"type": "long"}}}}
    elastic.commit(table(), [])  # the template is there; the index of one day is somebody else's
    _post(f"{elasticsearch_url}/{elastic._alias}-2026.11.05", json.dumps(strange).encode(), "PUT")
    bad, long = row(2, timestamp=start + timedelta(days=4), repository="shop/web"), row(3, event_id="x" * 600)
    elastic.commit(table(row(1), bad, long, row(4)), [Position(stream="s1", offset=500)])
    assert {event["event_id"] for event in elastic.events(EventQuery())} == {row(1)["event_id"], row(4)["event_id"]}
    assert elastic.dead_letter_counts() == {"store_document_parsing_exception": 1, "store_invalid_event_id": 1}
    assert {letter.offset for letter in elastic.dead_letters()} == {200, 300}
    assert elastic.position("s1").offset == 500


def test_rows_that_are_known_cost_little(elastic, row, table, monkeypatch):
    """After a crash whole batches are: were they dearer than new ones, a collector that is killed often would not move on.
    Beside new ones whose bodies are made by columns, as on a machine without the compiled module.
    """
    monkeypatch.setattr(bulk_body, "compiled", lambda: None)
    rows = table(*(row(number) for number in range(5_000)))
    elastic.commit(table(row(5_000)), [])  # template, index, connections
    spent = []
    for known in (0, 5_000, 5_000):
        begun = time.process_time()
        assert elastic.commit(rows, []).known == known
        spent.append(time.process_time() - begun)
    assert min(spent[1:]) < 5 * spent[0], spent


def test_parts_that_are_known_are_told_from_new_ones(elastic, row, table):
    """In one batch: a part that an event of two has, one that it lacks, and an event that nobody told of."""
    line = row(1, event_id="r-1", channel="application", actor="ann")
    told = row(2, event_id="r-1", channel="notification", digest="d", stream="s2")
    other = row(3, event_id="r-3", channel="application")
    later = row(3, event_id="r-3", channel="application", revision=1, actor="bob")
    elastic.commit(table(line, told, other), [])
    assert elastic.commit(table(told, later, row(4)), []).known == 1
    assert elastic.commit(table(line, later), []).known == 2
    expected = {"r-1": merge([line, told]), "r-3": merge([other, later]), row(4)["event_id"]: row(4)}
    assert {event["event_id"]: event for event in elastic.events(EventQuery())} == expected


def test_writers_of_parts_of_the_same_events_do_not_lose_any(elasticsearch_url, elastic, row, table):
    """Two processes that bring different parts of the same fifty requests at once end with both parts in each."""
    other = ElasticStore(elasticsearch_url, namespace=elastic._alias.rsplit("-", 1)[1])
    lines = [row(n, event_id=f"r-{n}", channel="application", actor="ann", request_id="q") for n in range(50)]
    told = [
        row(n, event_id=f"r-{n}", channel="notification", digest="d", stream="s2", request_id="q") for n in range(50)
    ]
    threads = [
        threading.Thread(target=store.commit, args=(table(*rows), []))
        for store, rows in ((elastic, lines), (other, told))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    expected = {f"r-{n}": merge([lines[n], told[n]]) for n in range(50)}
    assert {event["event_id"]: event for event in elastic.events(EventQuery())} == expected


def test_the_password_is_shown_nowhere(elasticsearch_url):
    """Neither the address that is shown nor an error holds the password."""
    store = ElasticStore(elasticsearch_url.replace("http://", "http://ann:s3cret@") + "?namespace=a", timeout_seconds=5)
    assert "s3cret" not in store.url
    assert "ann" not in store.url
    store.close()


def test_a_closed_port_is_unavailable(row, table):
    """Nobody listens: the store can be opened all the same, and each question says that it may be asked again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store = ElasticStore(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout_seconds=2)
        for ask in (
            lambda: store.commit(table(row(1)), []),
            lambda: store.position("s1"),
            store.total,
            lambda: list(store.events(EventQuery())),
            store.findings,
        ):
            with pytest.raises(Unavailable, match="does not answer"):
                ask()
        store.close()


@pytest.mark.slow
def test_a_server_that_stops_answering_or_dies_loses_nothing(row, table):
    """Unavailable while it hangs and while it is dead; on the same data again, the same commit counts once."""
    with running() as server:
        store = ElasticStore(server.url, timeout_seconds=60)
        store.commit(table(row(1)), [Position(stream="s1", offset=100)])
        store.close()
        store = ElasticStore(server.url, timeout_seconds=1)
        rows, position = table(row(1), row(2)), Position(stream="s1", offset=200)
        server.pause()
        with pytest.raises(Unavailable):
            store.commit(rows, [position])
        server.resume()
        server.wait()
        server.kill()
        with pytest.raises(Unavailable):
            store.commit(rows, [position])
        store.close()
        server.start()
        store = ElasticStore(server.url, timeout_seconds=60)
        assert store.position("s1").offset == 100
        store.commit(rows, [position])
        assert (store.total(), store.position("s1")) == (2, position)
        store.close()


@pytest.fixture
def answering():
    """A server that answers everything with one status."""

    class Handler(BaseHTTPRequestHandler):
        status, headers_out = 200, {}

        def do_PUT(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(Handler.status)
            for name, value in (
                Handler.headers_out | {"content-length": "2", "content-type": "application/json"}
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_PUT

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "error", "after"),
    [(429, Unavailable, 7), (503, Unavailable, 7), (502, Unavailable, 7), (401, Rejected, None), (403, Rejected, None)],
)
def test_each_status_is_told_as_what_it_means(answering, row, table, status, error, after):
    """Overload asks for patience, with the server's own span of it; wrong credentials never get better."""
    url, handler = answering
    handler.status, handler.headers_out = status, {"x-elastic-product": "Elasticsearch", "retry-after": "7"}
    store = ElasticStore(url, namespace="a", password="s3cret")
    with pytest.raises(error) as caught:
        store.commit(table(row(1)), [])
    assert getattr(caught.value, "retry_after_seconds", None) == after
    assert "s3cret" not in str(caught.value)
    store.close()


def test_another_product_behind_the_address_is_refused(answering):
    """What does not say that it is Elasticsearch is not written to."""
    url, handler = answering
    handler.status, handler.headers_out = 200, {}
    store = ElasticStore(url)
    with pytest.raises(Rejected, match="no Elasticsearch"):
        store.total()
    store.close()


def test_indices_of_an_earlier_release_learn_the_new_fields(elastic, elasticsearch_url, row, table):
    """An index that is there already is told of fields that are new since: they are searchable in what is written now."""
    old = events_template(elastic._alias)["template"] | {"aliases": {elastic._alias: {}}}
    for name in ("oci.ci.system", "oci.traffic.class"):
        del old["mappings"]["properties"][name]
    _post(f"{elasticsearch_url}/{elastic._alias}-2026.11.01", json.dumps(old).encode(), "PUT")
    start = row(1)["timestamp"]
    elastic.commit(table(row(1), row(2, traffic_class="ci", ci_system="gitlab")), [])
    assert [one["traffic_class"] for one in elastic.events(EventQuery())] == [None, "ci"]
    counted = elastic.counts(start, start + timedelta(hours=1), ("traffic_class",))
    assert dict(zip(counted["traffic_class"], counted["events"], strict=True)) == {None: 1, "ci": 1}


def test_a_strange_index_does_not_stop_the_start(elastic, elasticsearch_url, row, table):
    """Where an index of our name has fields of other types, its documents are refused one by one, and the rest go on."""
    strange = {"mappings": {"properties": {"oci.repository": {"type": "long"}}}, "aliases": {elastic._alias: {}}}
    _post(f"{elasticsearch_url}/{elastic._alias}-2026.11.05", json.dumps(strange).encode(), "PUT")
    elastic.commit(table(row(1)), [])
    assert elastic.total() == 1
