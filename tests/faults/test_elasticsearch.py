"""A real Elasticsearch that is overloaded, away, breaks off, or loses its answers."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from faults.bad_server import BadServer, bad_server
from faults.bench import SEED, Bench, Collector, size

from store.locate import open_store

pytestmark = pytest.mark.external_service


@contextmanager
def between(bench: Bench, url: str) -> Iterator[tuple[BadServer, Collector]]:
    """The collector writes through the bad server; the test asks the real one."""
    with bad_server(url, SEED) as server:
        namespace = bench.url.partition("?")[2]
        direct, bench.url = bench.url, f"{server.url}?{namespace}"
        bench.log.write_bytes(bench.truth.lines(50))
        with bench.collecting() as collector:
            bench.url = direct
            bench.until_all(collector)
            yield server, collector


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def spell(bench: Bench, server: BadServer, collector: Collector, mode: str, seconds: float, share: float = 1.0) -> int:
    """Write while the server is bad for so long, then see everything arrive. How much memory it took at most."""
    before = most = collector.resident()
    server.mode, server.share = mode, share
    until, met = time.monotonic() + seconds, server.seen[mode]
    # A collector that has just started may not have sent anything yet: it must meet what is counted at least once.
    counted = mode in ("lost", "429", "item429", "503")
    while time.monotonic() < until or (counted and server.seen[mode] == met and time.monotonic() < until + 30):
        append(bench.log, bench.truth.lines(size(50, 500)))
        time.sleep(0.2)
        most = max(most, collector.resident())
    server.mode = "ok"
    bench.until_all(collector)
    return most - before


@pytest.mark.quick
@pytest.mark.fault("F25")
def test_too_many_requests(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """429 for some, half and all requests, for whole requests and single items: everything once, with pauses between."""
    bench = elastic_bench
    with between(bench, elasticsearch_url) as (server, collector):
        server.retry_after = "1"
        for mode, share in (("429", 0.1), ("429", 0.5), ("item429", 1.0), ("429", 1.0))[size(2, 0) :]:
            begun = len(server.times)
            spell(bench, server, collector, mode, size(4, 20), share)
        tries = server.times[begun:]
        bench.until_still(1)
    bench.runs = size(2, 4)
    bench.verdict(said=f"429 to {server.seen['429']} requests, items of {server.seen['item429']}")
    assert server.seen["429"] and server.seen["item429"]
    pauses = [after - before for before, after in pairwise(tries)]
    assert max(pauses) >= 0.9  # Retry-After was a second


@pytest.mark.fault("F26")
@pytest.mark.parametrize("mode", ["503", "refused", "reset", "slow", "hang"])
def test_a_server_that_breaks_off(elastic_bench: Bench, elasticsearch_url: str, mode: str) -> None:
    """It waits, with flat memory, and goes on by itself."""
    bench = elastic_bench
    with between(bench, elasticsearch_url) as (server, collector):
        if mode == "refused":
            server.close()
            append(bench.log, bench.truth.lines(5000))
            time.sleep(size(3, 10))
            assert collector.alive()
            server.open()
            bench.until_all(collector)
            grown = 0
        else:
            grown = spell(bench, server, collector, mode, size(3, 10), 0.7 if mode == "reset" else 1.0)
        bench.until_still(1)
    bench.verdict(said=f"{mode}; memory +{grown >> 20} MiB")
    # Six blocks of 4 MiB with their rows (read, interpreted, waiting, sent) and the bodies of requests that are sent again: over
    # 70 seconds of resets it comes to 224 MiB at most and stays there.
    assert grown < 256 << 20


@pytest.mark.quick
@pytest.mark.fault("F27")
def test_an_answer_that_is_lost(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """The server has it and nobody hears: sent again it is known, and counts once."""
    bench = elastic_bench
    with between(bench, elasticsearch_url) as (server, collector):
        spell(bench, server, collector, "lost", size(3, 10), 0.5)
        bench.until_still(1)
    bench.verdict(said=f"{server.seen['lost']} answers lost")
    assert server.seen["lost"]


@pytest.mark.fault("F28")
def test_one_item_that_never_fits(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """A mapping conflict of one event: it is a dead letter, the others are stored."""
    bench = elastic_bench
    with between(bench, elasticsearch_url) as (server, collector):
        server.mode = "item400"
        append(bench.log, bench.truth.lines(300))
        bench.until(lambda: bench.stored() >= bench.truth.count - len(server.bad_ids), "storing the others", collector)
        bench.until(lambda: bench.store.dead_letter_counts(), "keeping the one", collector)
        bad = len(server.bad_ids)
        server.mode = "ok"
        bench.until_still(1)
    done = bench.verdict(lost_at_most=bad, dead_letters=bad, said=f"{bad} dead letters")
    assert len(done.lost) == bad


@pytest.mark.fault("F28")
def test_an_index_that_is_read_only(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """As behind the flood stage of a full disk: it waits and goes on when the block is taken away."""
    bench = elastic_bench
    with between(bench, elasticsearch_url) as (_, collector):
        alias = "regsight-events-" + bench.url.partition("namespace=")[2]

        def block(value: object) -> None:
            body = json.dumps({"index.blocks.read_only_allow_delete": value}).encode()
            request = urllib.request.Request(
                f"{elasticsearch_url}/{alias}/_settings", body, {"Content-Type": "application/json"}, method="PUT"
            )
            with urllib.request.urlopen(request, timeout=30):
                pass

        block(True)
        append(bench.log, bench.truth.lines(300))
        bench.until(lambda: "reading waits" in collector.talk(), "telling", collector)
        assert collector.alive() and bench.stored() == 50
        block(None)
        bench.until_all(collector)
    bench.verdict()


@pytest.mark.fault("F28")
def test_wrong_credentials(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """401 ends the run with the cause: no storm of tries. With the right ones the next run goes on."""
    bench = elastic_bench
    with bad_server(elasticsearch_url, SEED) as server:
        namespace = bench.url.partition("?")[2]
        server.mode = "401"
        bench.log.write_bytes(bench.truth.lines(50))
        collector = Collector(bench.folder, f"{server.url}?{namespace}", bench.log)
        assert collector.process.wait(300) == 1
        collector.kill()
        assert "401" in collector.talk() and server.seen["401"] == 1
        server.mode = "ok"
        with bench.collecting() as again:
            bench.until_all(again)
    bench.verdict(said="ended with the cause")


@pytest.mark.fault("F29")
def test_one_of_many_fails_for_a_while(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """A third of the items of each bulk is refused for a while: the others are stored once, those when they are taken."""
    bench = elastic_bench
    with between(bench, elasticsearch_url) as (server, collector):
        spell(bench, server, collector, "item429", size(3, 10), 1.0)
        bench.until_still(1)
    bench.verdict(said=f"items of {server.seen['item429']} bulks refused")
    store = open_store(bench.url)
    assert store.total() == bench.truth.count
    store.close()
