"""`regsight run`: one settings file, one process, from a line written to a log until somebody was told."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from store.contract import EventQuery
from store.locate import open_store

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "tests" / "samples" / "distribution-live" / "v3-json" / "registry.log"
STAMP = re.compile(rb'"time":"(2026-11-24T[0-9:.]+)Z"')
PATIENCE = 60.0


class Inbox:
    """A receiver of alerts on loopback."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                inbox.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box = Inbox()
    yield box
    box.close()


def shifted_to_now(lines: list[bytes]) -> list[bytes]:
    """The captured application lines as if they had been written in the last seconds."""
    stamps = [match[1] for line in lines if (match := STAMP.search(line))]
    last = max(datetime.fromisoformat(stamp.decode()[:26]).replace(tzinfo=UTC) for stamp in stamps)
    shift = datetime.now(UTC) - last

    def move(match: re.Match[bytes]) -> bytes:
        moment = datetime.fromisoformat(match[1].decode()[:26]).replace(tzinfo=UTC) + shift
        return b'"time":"' + moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode() + b'"'

    return [STAMP.sub(move, line) for line in lines]


def until(what: Callable[[], object], process: subprocess.Popen[bytes]) -> object:
    """The first true answer, within PATIENCE and as long as the process lives."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "the process ended"
        try:
            if answer := what():
                return answer
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def test_from_log_line_to_message_in_one_process(tmp_path: Path, inbox: Inbox) -> None:
    """Lines appended to a log are stored, judged, sent, shown and counted; SIGTERM ends everything in order, exit 0."""
    log, port = tmp_path / "registry.log", free_port()
    log.write_bytes(b"")
    settings = tmp_path / "regsight.toml"
    settings.write_text(
        f"""
[store]
url = "delta:{tmp_path}/data"
[[collector.sources]]
type = "file"
name = "staging"
paths = ["{log}"]
[analytics]
detect_every = "2s"
[[alerts.channels]]
name = "inbox"
apprise = "json://127.0.0.1:{inbox.server.server_address[1]}/"
[web]
listen = "127.0.0.1:{port}"
"""
    )
    page = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "regsight", "run", "-c", str(settings)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            until(lambda: get(f"{page}/readyz"), process)
            assert get(f"{page}/healthz")
            lines = [line for line in CAPTURE.read_bytes().splitlines(keepends=True) if line.startswith(b"{")]
            with log.open("ab") as out:
                out.writelines(shifted_to_now(lines))
            until(lambda: [m for m in inbox.messages if "127.1.9.9" in m["title"] + m["message"]], process)
            until(lambda: "127.1.9.9" in get(f"{page}/"), process)
            metrics = get(f"{page}/metrics")
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        talk = process.stderr.read().decode()
    assert "Traceback" not in talk
    assert re.search(
        r'regsight_collector_events_total\{action="push",.*outcome="success",registry="staging"\} \d', metrics
    )
    assert re.search(r'regsight_collector_lines_total\{result="event",source="staging"\} \d', metrics)
    assert re.search(r'regsight_analytics_job_last_success_timestamp_seconds\{job="detect"\} \d', metrics)
    assert re.search(r'regsight_alerts_deliveries_total\{channel="inbox",result="sent"\} [1-9]', metrics)
    store = open_store(f"delta:{tmp_path}/data")
    pushes = [e for e in store.events(EventQuery(action=["push", "sign"])) if e["outcome"] == "success"]
    store.close()
    assert len(pushes) == sum(b'"response completed"' in x and b'"PUT"' in x and b"/manifests/" in x for x in lines)
