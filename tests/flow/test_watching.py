"""Looking at a registry at work in a terminal: what is new, who is busy, where an event comes from."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from regsight.commands.watching import news
from store.contract import EventQuery, Position, Store
from store.event import schema
from store.locate import open_store

CAPTURE = Path(__file__).parents[1] / "samples" / "distribution-live" / "v3-json" / "registry.log"


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "timestamp": datetime.now(UTC) - timedelta(seconds=30),
        "action": "pull",
        "outcome": "success",
        "channel": "application",
        "stream": "s",
        "offset": number,
        "parts": [f"s:{number}"],
    } | fields


def put(store: Store, *rows: dict[str, Any]) -> None:
    last = max(row["offset"] for row in rows) + 1
    store.commit(pa.Table.from_pylist(list(rows), schema=schema()), [Position(stream="s", offset=last)])


def test_each_new_event_once(tmp_path: Path) -> None:
    """First the newest, then what comes, in whatever order of event time, and never twice."""
    store = open_store(f"delta:{tmp_path / 'store'}")
    put(store, *(row(number) for number in range(5)))
    got: list[str] = []

    def follow() -> None:
        for event in news(store, EventQuery(), 2, follow=True, interval=0.05):
            got.append(event["event_id"])
            if len(got) == 4:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while len(got) < 2:
        assert time.monotonic() < deadline, got
        time.sleep(0.05)
    time.sleep(0.2)  # it is waiting for news now
    put(store, row(5), row(6, timestamp=datetime.now(UTC) - timedelta(minutes=5)))  # one of them late
    thread.join(20)
    assert not thread.is_alive() and len(got) == 4
    assert set(got[2:]) == {"e5", "e6"}
    store.close()


def regsight(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "regsight", *arguments], capture_output=True, text=True, timeout=120)


def test_where_an_event_comes_from(tmp_path: Path) -> None:
    """The very line; and nothing wrong once the file is another one."""
    log, url = tmp_path / "registry.log", f"delta:{tmp_path / 'store'}"
    shutil.copy(CAPTURE, log)
    assert regsight("collect", str(log), "--store", url).returncode == 0
    got = regsight("events", "--action", "push", "--limit", "1", "--json", "--store", url)
    event = json.loads(got.stdout)
    part = next(line for line in log.read_text().splitlines() if event["http.request.id"] in line)
    shown = regsight("why", event["event.id"], "--store", url)
    assert part[:300] in shown.stdout and "no finding" in shown.stdout

    log.write_text("\n".join(["another log"] * 100_000))
    moved = regsight("why", event["event.id"], "--store", url)
    assert "rotated away" in moved.stdout and "another log" not in moved.stdout
    unknown = regsight("why", "nothing", "--store", url)
    assert unknown.returncode == 2 and "event.id" in unknown.stderr


def test_who_is_busy(tmp_path: Path) -> None:
    """Names from logs stay text: no control character reaches the terminal."""
    store = open_store(f"delta:{tmp_path / 'store'}")
    put(
        store,
        *(row(n, actor="ann\x1b[31m", client_ip="10.0.0.1") for n in range(3)),
        row(3, outcome="denied", actor="bob"),
    )
    store.close()
    url = f"delta:{tmp_path / 'store'}"
    shown = regsight("top", "--once", "--store", url)
    assert "4 events" in shown.stdout and "1 refused" in shown.stdout and "10.0.0.1" in shown.stdout
    tailed = regsight("tail", "--no-follow", "--outcome", "denied", "--store", url)
    assert "bob" in tailed.stdout and "ann" not in tailed.stdout
    everything = shown.stdout + regsight("tail", "--no-follow", "--store", url).stdout
    assert "\x1b" not in everything and "ann\\x1b[31m" in everything
