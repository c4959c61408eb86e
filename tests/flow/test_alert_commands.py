"""Silencing, explaining and testing alerts on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alerts.config import AlertsConfig
from alerts.notify import deliver
from alerts.policy import enqueue_new
from analytics.incidents import gather
from store.finding import Finding, Severity, finding_id
from store.locate import open_store

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def inbox() -> Iterator[int]:
    """A port on which anything is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def a_finding(actor: str) -> Finding:
    return Finding(
        id=finding_id("test", actor),
        detector="rules",
        kind="mass_delete",
        severity=Severity.HIGH,
        title=f"{actor} deleted 40 images",
        detected_at=NOW,
        start=NOW - timedelta(minutes=2),
        end=NOW,
        subjects={"actor": [actor]},
        score=1.0,
        expected="none",
        observed="40 in 2 min",
    )


def test_silence_explain_and_test(tmp_path: Path, inbox: int) -> None:
    """What one person silenced is told to the others with the reason; the rest is told, and says to whom and when."""
    url, settings = f"delta:{tmp_path / 'store'}", tmp_path / "regsight.toml"
    settings.write_text(
        f'[store]\nurl = "{url}"\n[[alerts.channels]]\nname = "chat"\napprise = "json://127.0.0.1:{inbox}/"\n'
    )

    def regsight(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "regsight", *arguments, "-c", str(settings)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    added = regsight(
        "silences", "add", "--until", "4h", "--why", "clean-up", "--actor", "robot-*", "--by", "ann", "--json"
    )
    silence = json.loads(added.stdout)
    assert silence["subjects"] == {"actor": "robot-*"} and silence["by"] == "ann"
    assert datetime.fromisoformat(silence["until"]) > NOW + timedelta(hours=3, minutes=59)
    assert regsight("silences", "add", "--until", "4h", "--why", "x").returncode == 2
    assert "actor robot-*" in regsight("silences", "list").stdout

    store = open_store(url)
    for actor in ("robot-1", "mallory"):
        store.put_finding(a_finding(actor))
    gather(store, NOW - timedelta(hours=1))
    config = AlertsConfig.model_validate({"channels": [{"name": "chat", "apprise": f"json://127.0.0.1:{inbox}/"}]})
    enqueue_new(store, config, NOW)
    assert deliver(store, config, NOW).sent == 1
    (incident,) = (one.id for one in store.incidents() if a_finding("mallory").id in one.findings)
    store.close()

    (told,) = map(json.loads, regsight("alerts", "explain", incident, "--json").stdout.splitlines())
    assert (told["channel"], told["state"], told["incident"]) == ("chat", "told", incident)
    hushed = regsight("alerts", "explain", a_finding("robot-1").id).stdout
    assert silence["id"] in hushed.replace("\n", "") and "not told" in hushed
    assert regsight("alerts", "explain", "f-nothing").returncode == 2

    assert regsight("silences", "remove", silence["id"], "--by", "bob").returncode == 0
    assert regsight("silences", "list").stdout.startswith("nothing is silenced")
    (kept,) = map(json.loads, regsight("silences", "list", "--all", "--json").stdout.splitlines())
    assert (kept["removed_by"], kept["active"]) == ("bob", False)
    assert regsight("silences", "remove", "sil-nothing").returncode == 2
    assert regsight("alerts", "test").returncode == 0
