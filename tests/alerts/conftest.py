"""Real receivers on loopback ports, a real outbox, and findings to send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from servers.alertmanager import alertmanager_server

from store.finding import Finding, Severity, finding_id
from store.records import SqliteRecords

__all__ = ["alertmanager_server"]

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Receiver:
    """Keeps every request; answers with the next of `answers` (status, headers), then with 200."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.given: list[int] = []  # the status of each answer, in the order of `requests`
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers = outer.answers.pop(0) if outer.answers else (200, {})
                outer.given.append(status)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def start_receiver() -> Iterator[Callable[[int], Receiver]]:
    """Starts a receiver on a given port, in the middle of a test."""
    started: list[Receiver] = []

    def start(port: int) -> Receiver:
        started.append(Receiver(port))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteRecords]:
    """The outbox of the embedded store."""
    records = SqliteRecords(tmp_path / "records.sqlite")
    yield records
    records.close()


def make_finding(cause: str = "a", **changed: Any) -> Finding:
    """A finding that ended at `NOW`."""
    values: dict[str, Any] = {
        "id": finding_id("credential_probe", cause),
        "detector": "credential_probe",
        "kind": "many_refused",
        "severity": Severity.HIGH,
        "title": "312 refused logins from 198.51.100.7",
        "detected_at": NOW + timedelta(minutes=1),
        "start": NOW - timedelta(minutes=30),
        "end": NOW,
        "subjects": {"actor": ["alice"], "client": ["198.51.100.7"], "repository": ["team/app"]},
        "score": 9.5,
        "expected": "at most 5 refused logins in an hour (usual: 1)",
        "observed": "312 refused logins in 30 minutes, then one that succeeded",
        "evidence": ["l-1", "l-2"],
        "explanation": "one address tried 40 passwords on one account",
        "next_step": "Ask alice whether the success at 11:58 was hers.",
    }
    return Finding(**{**values, **changed})
