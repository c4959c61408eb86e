"""The page on a real server, over the seeded store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from seeded_store import ATTACK, END, HOSTILE

from regsight.web.serve import make_server
from regsight.web.state import WebState
from store.contract import Store


@contextmanager
def serving(state: WebState) -> Iterator[str]:
    """Address of the page of `state`, as long as the block runs."""
    server = make_server(state, "127.0.0.1:0")
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


def seeded_state(store: Store) -> WebState:
    """The state of the demo: data that ended, sources, jobs and messages, hostile ones among them."""
    return WebState(
        store=store,
        anchor_time=END,
        demo=True,
        sources=lambda: [
            {
                "name": "registry.log",
                "path": "/var/log/registry.log",
                "events": 4000,
                "lag_bytes": 2048,
                "lag_seconds": 95.0,
            },
            {"name": HOSTILE["actor"], "path": HOSTILE["repository"], "events": None},
        ],
        jobs=lambda: [
            {"name": "detect", "last": END, "state": "ok", "next": END + timedelta(minutes=5), "note": "2 findings"},
            {"name": "report", "last": None, "state": None, "next": None},
        ],
        sent=lambda: [
            {"received_at": ATTACK, "channel": "local", "title": "first", "body": HOSTILE["user_agent"]},
            {"received_at": END, "channel": "local", "title": "second", "body": "one line\nanother"},
        ],
        metrics=lambda: (b"regsight_collector_batches_total 3.0\n", "text/plain; version=0.0.4; charset=utf-8"),
        settings=lambda: {"web": {"listen": "127.0.0.1:8080"}, "alerts": {"channels": [{"name": HOSTILE["actor"]}]}},
        ready=lambda: (False, "the store does not answer"),
    )
