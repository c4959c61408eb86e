"""Three Elasticsearch nodes with TLS and accounts: nodes that die, shards that move, blocks, and doors that stay shut."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.bad_server import bad_server
from faults.bench import SEED, Bench, Collector, size
from servers.elasticsearch_cluster import NODES, PASSWORD, Cluster, running_cluster

from store.elastic import ElasticStore
from store.errors import Rejected

pytestmark = pytest.mark.external_service


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as three:
        yield three


@pytest.fixture
def three(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record: Callable[[dict[str, Any]], None],
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """A bench on the cluster, with the account that may write, in a namespace of its own."""
    monkeypatch.setenv("REGSIGHT_ES_PASSWORD", PASSWORD)
    namespace = f"c{os.getpid()}_{abs(hash(request.node.name)) % 10**6}"
    made = Bench(tmp_path, "", str(request.node.get_closest_marker("fault").args[0]), record)
    # Node `one` is asked; where it is that dies, a load balancer would stand in front.
    made.url = f"{cluster.store_url(namespace=namespace)}&ca_file={cluster.folder / 'authority.pem'}"
    yield made
    made.close()


def day_index(bench: Bench) -> str:
    return f"regsight-events-{bench.url.partition('namespace=')[2].partition('&')[0]}-2026.11.24"


def green(cluster: Cluster, index: str) -> None:
    cluster.until(lambda: cluster.ask(f"/_cluster/health/{index}")["status"] == "green", 300)


@pytest.mark.fault("F26")
def test_the_node_with_the_primary_dies_and_shards_move(three: Bench, cluster: Cluster) -> None:
    """kill -9 of the node that holds the primary while lines come in, its return, and the primary moved by hand."""
    bench = three
    bench.log.write_bytes(bench.truth.lines(50))
    with bench.collecting() as collector:
        bench.until_all(collector)
        index = day_index(bench)
        green(cluster, index)
        if cluster.primary_of(index) == "one":  # the collector speaks to it
            move(cluster, index, "one")
            green(cluster, index)
        victim = cluster.primary_of(index)
        cluster.nodes[victim].kill()
        for _ in range(size(10, 100)):
            with bench.log.open("ab") as log:
                log.write(bench.truth.lines(50))
            time.sleep(0.1)
        bench.until_all(collector)
        assert cluster.primary_of(index) != victim
        cluster.nodes[victim].launch()
        cluster.until(lambda: cluster.ask("/_cluster/health")["number_of_nodes"] == 3, 300)
        green(cluster, index)
        at = cluster.primary_of(index)
        move(cluster, index, at)
        with bench.log.open("ab") as log:
            log.write(bench.truth.lines(size(500, 5_000)))
        bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 2
    bench.verdict(said="primary's node killed and primary moved")


def move(cluster: Cluster, index: str, source: str) -> None:
    """Send the shard copy of `source` to the node that has none."""
    cluster.until(lambda: _try_to_move(cluster, index, source), 60)
    cluster.until(lambda: cluster.ask(f"/_cluster/health/{index}")["relocating_shards"] == 0, 120)


def _try_to_move(cluster: Cluster, index: str, source: str) -> bool:
    state = cluster.ask(f"/_cluster/state/routing_table,nodes/{index}")
    (shards,) = (table["shards"]["0"] for table in state["routing_table"]["indices"].values())
    used = {state["nodes"][shard["node"]]["name"] for shard in shards if shard["node"]}
    target = next(name for name in NODES if name not in used)
    words = {"index": index, "shard": 0, "from_node": source, "to_node": target}
    cluster.ask("/_cluster/reroute", {"commands": [{"move": words}]})
    return True


@pytest.mark.fault("F26")
def test_a_rolling_restart(three: Bench, cluster: Cluster) -> None:
    """One node after the other is killed and comes back, as in an upgrade, while lines come in; the collector waits for the
    one that it speaks to."""
    bench = three
    bench.log.write_bytes(bench.truth.lines(50))
    with bench.collecting() as collector:
        bench.until_all(collector)
        index = day_index(bench)
        for name in NODES:
            green(cluster, index)
            cluster.nodes[name].kill()
            for _ in range(size(10, 50)):
                with bench.log.open("ab") as log:
                    log.write(bench.truth.lines(20))
                time.sleep(0.1)
            cluster.nodes[name].launch()
            cluster.until(lambda: cluster.ask("/_cluster/health")["number_of_nodes"] == 3, 400)
            bench.until_all(collector)
        bench.until_still(1)
    bench.runs = 3
    bench.verdict(said="each node away once")


@pytest.mark.fault("F28")
def test_flood_stage(three: Bench, cluster: Cluster) -> None:
    """The block that the cluster sets when a disk is nearly full: it waits, and goes on when it is taken away."""
    bench = three
    bench.log.write_bytes(bench.truth.lines(50))
    with bench.collecting() as collector:
        bench.until_all(collector)
        settings = f"/{day_index(bench)}/_settings"
        cluster.ask(settings, {"index.blocks.read_only_allow_delete": True}, "PUT")
        with bench.log.open("ab") as log:
            log.write(bench.truth.lines(300))
        bench.until(lambda: "reading waits" in collector.talk(), "telling", collector)
        assert collector.alive() and bench.stored() == 50
        cluster.ask(settings, {"index.blocks.read_only_allow_delete": None}, "PUT")
        bench.until_all(collector)
    bench.verdict(said="waits for the block to go")


@pytest.mark.fault("F28")
@pytest.mark.parametrize("door", ["password", "right", "authority"])
def test_a_shut_door_ends_the_run_with_its_cause(
    three: Bench, cluster: Cluster, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong password, an account that may only read, an authority that nobody trusts: one sentence, and an end."""
    bench = three
    bench.log.write_bytes(bench.truth.lines(50))
    url, said = bench.url, {"password": "answers 401", "right": "answers 403", "authority": "is not accepted"}[door]
    if door == "password":
        monkeypatch.setenv("REGSIGHT_ES_PASSWORD", "wrong")
    elif door == "right":
        url = url.replace("://regsight@", "://reader@")
    else:
        url = url.replace("authority.pem", "stranger.pem")
    begun = time.monotonic()
    collector = Collector(bench.folder, url, bench.log)
    assert collector.process.wait(300) == 1
    collector.kill()
    talk = collector.talk()
    assert said in talk and PASSWORD not in talk and "Traceback" not in talk
    assert talk.count("answers 40") + talk.count("is not accepted") <= 2
    monkeypatch.undo()
    monkeypatch.setenv("REGSIGHT_ES_PASSWORD", PASSWORD)
    with bench.collecting() as again:
        bench.until_all(again)
    bench.verdict(said=f"ended with the cause after {time.monotonic() - begun:.0f} s at most")


@pytest.mark.fault("F28")
def test_a_certificate_that_expires(three: Bench, cluster: Cluster) -> None:
    """While it runs: new connections are refused with the cause. With a fresh one the next run goes on."""
    bench = three
    bench.log.write_bytes(bench.truth.lines(50))
    with bench.collecting() as collector:
        bench.until_all(collector)
    cluster.use_certificate("one", "expired")

    def refused() -> bool:
        store = ElasticStore(bench.url)
        try:
            store.total()
        except Rejected as error:
            return "expired" in str(error)
        finally:
            store.close()
        return False

    try:
        cluster.until(refused, 60)
        with bench.log.open("ab") as log:
            log.write(bench.truth.lines(50))
        collector = Collector(bench.folder, bench.url, bench.log)
        assert collector.process.wait(300) == 1
        collector.kill()
        assert "expired" in collector.talk() and "Traceback" not in collector.talk()
    finally:
        cluster.use_certificate("one", "good")
    cluster.until(lambda: not refused(), 60)
    with bench.collecting() as again:
        bench.until_all(again)
    bench.verdict(said="told, then renewed")


@pytest.mark.fault("F29")
def test_an_item_that_never_fits(three: Bench, cluster: Cluster) -> None:
    """A real mapping conflict in one day's index: that event is a dead letter, its neighbours are stored."""
    bench = three
    strange = {"mappings": {"properties": {"oci.reference": {"type": "long"}}}}
    cluster.ask(f"/{day_index(bench).replace('11.24', '11.25')}", strange, "PUT")
    bench.log.write_bytes(bench.truth.lines(20))
    odd = bench.truth.line().replace(b"24/Nov/2026", b"25/Nov/2026") + b"\n"
    with bench.collecting() as collector:
        with bench.log.open("ab") as log:
            log.write(odd + bench.truth.lines(20))
        bench.until(lambda: bench.store.dead_letter_counts(), "keeping the one", collector)
        bench.until(lambda: bench.stored() == 40, "storing the others", collector)
    done = bench.verdict(lost_at_most=1, dead_letters=1, said="one dead letter")
    assert done.lost == {20}


@pytest.mark.fault("F27")
def test_lost_answers_and_refusals_in_front_of_the_cluster(three: Bench, cluster: Cluster) -> None:
    """A proxy that ends TLS and answers 429, 503, or loses what the cluster said: everything once."""
    bench = three
    trusting = ssl.create_default_context(cafile=str(cluster.folder / "authority.pem"))
    direct, bench.log = bench.url, bench.folder / "access.log"
    bench.log.write_bytes(bench.truth.lines(50))
    with bad_server(cluster.urls["two"], SEED, trusting) as server:
        namespace = direct.partition("?")[2].partition("&")[0]
        bench.url = f"{server.url.replace('://', '://regsight@')}?{namespace}"
        with bench.collecting() as collector:
            bench.url = direct
            bench.until_all(collector)
            for mode, share in (("429", 0.5), ("503", 0.5), ("lost", 0.5), ("item429", 0.5)):
                server.mode, server.share = mode, share
                for _ in range(size(5, 50)):
                    with bench.log.open("ab") as log:
                        log.write(bench.truth.lines(20))
                    time.sleep(0.2)
            server.mode = "ok"
            bench.until_all(collector)
            bench.until_still(1)
    bench.verdict(said=f"{sum(server.seen[mode] for mode in ('429', '503', 'lost', 'item429'))} bad answers")
