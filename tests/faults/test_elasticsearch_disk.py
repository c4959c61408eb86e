"""What an operator, or a disk, does to Elasticsearch: a full disk, a closed index, a record that is not ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.bench import Bench
from faults.test_elasticsearch import append
from servers.elasticsearch import ALONE, ElasticsearchServer, installed, new_folder

pytestmark = pytest.mark.external_service

# The server looks at its disk every ten seconds at the soonest, and sets and lifts its block by itself.
WATCHED = """\
cluster.routing.allocation.disk.threshold_enabled: true
cluster.routing.allocation.disk.watermark.low: 100mb
cluster.routing.allocation.disk.watermark.high: 90mb
cluster.routing.allocation.disk.watermark.flood_stage: 80mb
cluster.info.update.interval: 10s
path.data: {disk}
"""
DISK_MEGABYTES, FILLER_MEGABYTES = 256, 190


def ask(url: str, path: str, body: Any = None, method: str = "POST") -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


@pytest.mark.fault("F23")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_server_whose_disk_is_full(tmp_path: Path, record: Callable[[dict[str, Any]], None]) -> None:
    """The disk under a real server fills up to its flood stage: the collector waits and says so, and goes on by itself when
    the server has room again."""
    home, java = installed()
    with new_folder() as folder:
        disk = folder / "disk"
        disk.mkdir()
        size = f"size={DISK_MEGABYTES}m"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=False).returncode:
            pytest.skip("tmpfs cannot be mounted here")
        server = None
        try:
            server = ElasticsearchServer(home, java, folder, ALONE + WATCHED.format(disk=disk))
            shutil.chown(disk, "nobody", "nogroup")
            server.start()
            bench = Bench(tmp_path, f"{server.url}?namespace=full", "F23", record)
            bench.log.write_bytes(bench.truth.lines(100))
            with bench.collecting() as collector:
                bench.until_all(collector)
                filler = disk / "filler"
                with filler.open("wb") as file:
                    for _ in range(FILLER_MEGABYTES):
                        file.write(bytes(1 << 20))
                bench.until(lambda: _blocked(server.url), "the server's own block", collector)
                append(bench.log, bench.truth.lines(2000))
                bench.until(lambda: "reading waits" in collector.talk(), "telling", collector)
                assert bench.stored() == 100
                filler.unlink()
                bench.until_all(collector)
            bench.verdict(said="waits for the server's disk")
            bench.close()
        finally:
            if server is not None:
                server.kill()
            subprocess.run(["umount", "-l", str(disk)], check=False)


def _blocked(url: str) -> bool:
    settings = ask(url, "/regsight-events-full*/_settings?flat_settings=true", method="GET")
    return any("index.blocks.read_only_allow_delete" in each["settings"] for each in settings.values())


@pytest.mark.fault("F28")
def test_a_closed_index(elastic_bench: Bench, elasticsearch_url: str) -> None:
    """Somebody closes the index of the day: no event of it becomes a dead letter; when it is opened all are there."""
    bench = elastic_bench
    index = f"/regsight-events-{bench.url.partition('namespace=')[2]}-2026.11.24"
    bench.log.write_bytes(bench.truth.lines(50))
    with bench.collecting() as collector:
        bench.until_all(collector)
        ask(elasticsearch_url, f"{index}/_close")
        append(bench.log, bench.truth.lines(300))
        bench.until(lambda: "reading waits" in collector.talk(), "telling", collector)
        assert collector.alive()
        time.sleep(2)  # some more tries
        ask(elasticsearch_url, f"{index}/_open")
        bench.until_all(collector)
        bench.until_still(1)
    bench.verdict(said="waits for the index to be opened")


@pytest.mark.fault("F22")
@pytest.mark.parametrize("harm", ["gone", "strange", "future"])
def test_a_position_that_cannot_be_trusted(elastic_bench: Bench, elasticsearch_url: str, harm: str) -> None:
    """The document of the position is deleted, is not one, or lies behind the end of the file: read again without doubling,
    or refused in a sentence; never a traceback, never a line passed over."""
    bench = elastic_bench
    state = f"/regsight-state-{bench.url.partition('namespace=')[2]}"
    bench.log.write_bytes(bench.truth.lines(200))
    with bench.collecting() as collector:
        bench.until_all(collector)
    bench.forget()
    wanted = {"query": {"term": {"kind": "position"}}}
    ask(elasticsearch_url, f"{state}/_refresh")
    (hit,) = ask(elasticsearch_url, f"{state}/_search?version=true", wanted)["hits"]["hits"]
    if harm == "gone":
        where = f"{state}/_doc/{hit['_id']}?version={hit['_version'] + 1}&version_type=external&refresh=true"
        ask(elasticsearch_url, where, method="DELETE")
    else:
        changed = {"offset": 10**9} if harm == "future" else {"body": {"value": "no JSON"}}
        where = f"{state}/_doc/{hit['_id']}?version={hit['_version'] + 10**10}&version_type=external&refresh=true"
        ask(elasticsearch_url, where, hit["_source"] | changed, "PUT")
    append(bench.log, bench.truth.lines(100))
    with bench.collecting() as collector:
        bench.until(
            lambda: not collector.alive() or bench.stored() >= bench.truth.count, "reading on, or refusing", None
        )
        refused = not collector.alive()
        if refused:
            assert collector.process.returncode == 1 and "Traceback" not in collector.talk(), collector.talk()
    done = bench.verdict(lost_at_most=100 if refused else 0, said="refused" if refused else "read again, each once")
    assert not done.lost or refused
