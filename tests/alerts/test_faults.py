"""Everything at once that can go wrong on the way: every alert arrives, at most one more than once for each kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.alertmanager import free_port

from alerts.config import AlertsConfig
from alerts.notify import deliver
from alerts.policy import enqueue_new
from store.finding import Severity
from store.records import SqliteRecords

from .conftest import NOW, Receiver
from .test_incidents_told import finding, put

ROOT = Path(__file__).parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

# The notify job in a process of its own: passes on passes, a minute of its clock each.
_JOB = """
import json, sys, time
from datetime import datetime, timedelta
from pathlib import Path
from alerts.config import AlertsConfig
from alerts.notify import deliver
from alerts.policy import enqueue_new
from store.records import SqliteRecords

store = SqliteRecords(Path(sys.argv[1]))
config = AlertsConfig.model_validate_json(sys.argv[2])
now = datetime.fromisoformat(sys.argv[3])
while True:
    enqueue_new(store, config, now)
    deliver(store, config, now)
    now += timedelta(minutes=1)
    Path(sys.argv[4]).write_text(now.isoformat())
"""


@pytest.mark.parametrize("kills", [6])
def test_kills_refusals_and_a_receiver_that_comes_and_goes(
    store: SqliteRecords,
    start_receiver: Callable[[int], Receiver],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: int,
) -> None:
    """kill -9 at any moment, 429 with Retry-After, 503, and nobody there: nothing is lost, the outbox is empty in the end."""
    monkeypatch.setenv("REGSIGHT_TEST_SECRET", SECRET)
    port = free_port()
    config: dict[str, Any] = {
        "channels": [
            {
                "name": "soar",
                "webhook": f"http://127.0.0.1:{port}/in",
                "secret_env": "REGSIGHT_TEST_SECRET",
                "max_per_hour": 1000,
            }
        ],
        "max_age": "30d",
    }
    everything = []
    for number in range(40):
        for severity in (Severity.MEDIUM, Severity.HIGH):
            one = finding(f"{number}{severity}", severity=severity)
            put(store, one, id=f"inc-{number}-{severity}")
            everything.append(one)

    clock = tmp_path / "clock"
    clock.write_text(NOW.isoformat())
    inbox: list[str] = []
    receiver: Receiver | None = None
    for number in range(kills):
        if receiver is None:
            receiver = start_receiver(port)
            receiver.answers = [(200, {}), (429, {"Retry-After": "120"}), (200, {}), (503, {}), (200, {}), (200, {})]
        process = subprocess.Popen(
            [sys.executable, "-c", _JOB, tmp_path / "records.sqlite", json.dumps(config), clock.read_text(), clock],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        seen = len(receiver.requests)
        before = clock.read_text()
        deadline = time.monotonic() + 30
        while clock.read_text() in (before, "") and len(receiver.requests) < seen + 3 + number:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
        if number % 2:  # gone for a while; what it took, it took
            inbox += taken(receiver)
            receiver.close()
            receiver = None
        if not clock.read_text():
            clock.write_text(before)

    if receiver is None:
        receiver = start_receiver(port)
    settings = AlertsConfig.model_validate(config)
    now = NOW + timedelta(hours=6)
    for _ in range(200):
        enqueue_new(store, settings, now)
        deliver(store, settings, now)
        if all(one.state == "sent" for one in store.deliveries()):
            break
        now += timedelta(minutes=5)
    inbox += taken(receiver)
    arrived = Counter(inbox)
    assert set(arrived) == {f"{one.id}-soar" for one in everything}
    assert {one.state for one in store.deliveries()} == {"sent"} and store.due(now) == []
    assert len(inbox) - len(everything) <= kills, "one repeat for each kill at most"
    assert max(arrived.values()) <= 2


def taken(receiver: Receiver) -> list[str]:
    """The ids of what the receiver answered with 200."""
    answered = zip(receiver.requests, receiver.given, strict=False)
    return [headers["webhook-id"] for (_, headers, _), status in answered if status == 200]
