"""`python -m benchmarks.elastic LOG ELASTICSEARCH_URL [ROUNDS]`: a file to Elasticsearch, against its ceiling in the same run.

The ceiling is the same documents as bodies made beforehand, sent over two connections. Both take turns, each into indices of
its own, with ids made of the content: reading again would be refused. Prints one line of JSON; docs a second, CPU seconds of
this process for a million docs, and the ratio of the medians.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from benchmarks.measure import own_cpu, own_peak_mb
from benchmarks.store import _pipeline
from store import bulk_body
from store.bulk import BULK_BYTES, BULK_ROWS, CONNECTIONS
from store.elastic_client import Client
from store.locate import open_store
from store.mapping import events_template


def bodies(log: str, alias: str) -> tuple[list[bytes], int]:
    """What a prebuilt shipper would send, and how many documents it is."""
    from collector.feed import as_feed
    from collector.interpret import Interpreter
    from collector.sources.file_tail import FileTail
    from regsight.discover import enrichers, formats

    source = FileTail("files", [log], registry="r")
    interpreter, feed = Interpreter(formats(), enrichers(None)), as_feed(source, None)
    made: list[bytes] = []
    count = 0
    for block in source.blocks(lambda _: None):
        events = interpreter.interpret(block, feed, datetime.now(UTC)).events
        made += [body for _, _, body in bulk_body.bodies(events, alias, BULK_ROWS, BULK_BYTES)]
        count += events.num_rows
    return made, count


def send(server: str, alias: str, requests: list[bytes]) -> None:
    client = Client(server, None, None, None, 120)
    client.call("PUT", f"/_index_template/{alias}", events_template(alias))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for answer in pool.map(lambda one: client.call("POST", "/_bulk", one, filter_path="errors"), requests):
            if answer[1]["errors"]:
                raise RuntimeError("the server refused documents of the ceiling")
    client.close()


def collect(server: str, namespace: str, log: str) -> int:
    store = open_store(f"{server}?namespace={namespace}")
    summary = _pipeline(store, [log], follow=False).run()
    store.close()
    return int(summary.events)


def timed(docs: int, work: Callable[[], Any]) -> tuple[float, float]:
    """Docs a second, and CPU seconds for a million."""
    cpu, begun = own_cpu(), time.perf_counter()
    work()
    return docs / (time.perf_counter() - begun), (own_cpu() - cpu) / docs * 1e6


def compare(log: str, server: str, rounds: int) -> dict[str, Any]:
    ceiling, whole = [], []
    docs, run = 0, format(time.time_ns(), "x")  # so that it can be run again on the same server
    for number in range(rounds):
        alias = f"regsight-events-ceiling{run}{number}"
        requests, docs = bodies(log, alias)
        ceiling.append(timed(docs, partial(send, server, alias, requests)))
        del requests
        whole.append(timed(docs, partial(collect, server, f"whole{run}{number}", log)))
    told: dict[str, Any] = {"docs": docs, "peak_mb": own_peak_mb()}
    for name, found in (("ceiling", ceiling), ("file", whole)):
        told[f"{name}_docs_per_second"] = [round(speed) for speed, _ in found]
        told[f"{name}_client_cpu_s_per_million"] = [round(cpu, 2) for _, cpu in found]
    medians = [statistics.median(speed for speed, _ in found) for found in (whole, ceiling)]
    return told | {"ratio": medians[0] / medians[1]}


if __name__ == "__main__":
    print(json.dumps(compare(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3)))
