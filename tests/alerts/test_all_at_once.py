"""Webhook, mail and Alertmanager, all away for ten minutes, each killed once between sending and marking: every alert arrives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from servers.alertmanager import Alertmanager, free_port

from store.finding import finding_id
from store.incident import close
from store.records import SqliteRecords

from .conftest import Receiver, make_finding
from .test_faults import SECRET, taken
from .test_incidents_told import put
from .test_mail import Inbox

pytestmark = pytest.mark.external_service

ROOT = Path(__file__).parents[2]
ALERTS = 6

# The notify job in a process of its own, a minute of its clock each pass. It dies at the first delivery of each channel
# that the file names, after the message was taken and before the outbox knows.
_JOB = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
from alerts.config import AlertsConfig
from alerts.notify import deliver
from alerts.policy import enqueue_new
from store.records import SqliteRecords

records, settings, clock, passes, deadly = sys.argv[1:]

class Mortal(SqliteRecords):
    def mark_sent(self, delivery, now):
        left = Path(deadly).read_text().split()
        name = delivery.channel.partition("/")[0]
        if name in left:
            Path(deadly).write_text(" ".join(one for one in left if one != name))
            os.kill(os.getpid(), signal.SIGKILL)
        super().mark_sent(delivery, now)

store, config = Mortal(Path(records)), AlertsConfig.model_validate_json(settings)
now = datetime.fromisoformat(Path(clock).read_text())
for _ in range(int(passes)):
    enqueue_new(store, config, now)
    deliver(store, config, now)
    now += timedelta(minutes=1)
    Path(clock).write_text(now.isoformat())
"""


def test_every_alert_arrives_on_every_channel(
    store: SqliteRecords,
    start_receiver: Callable[[int], Receiver],
    alertmanager_server: Alertmanager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At most one of a channel's messages comes twice; nothing waits in the end; what is closed is over everywhere."""
    monkeypatch.setenv("REGSIGHT_TEST_SECRET", SECRET)
    alertmanager_server.stop()
    hook, post = free_port(), free_port()
    hooked = {"webhook": f"http://127.0.0.1:{hook}/in", "secret_env": "REGSIGHT_TEST_SECRET"}
    mailed = {"smtp": f"smtp://127.0.0.1:{post}", "mail_from": "regsight@example.org", "mail_to": ["ops@example.org"]}
    settings = json.dumps(
        {
            "channels": [
                {"name": "soar", **hooked},
                {"name": "mail", **mailed},
                {"name": "on-call", "alertmanager": alertmanager_server.url},
            ]
        }
    )
    begin = datetime.now(UTC) - timedelta(hours=3)  # Alertmanager has a clock of its own: all stays in its past
    findings = [
        make_finding(
            str(number),
            detected_at=begin,
            start=begin - timedelta(minutes=9),
            end=begin,
            subjects={"actor": [f"user{number}"], "client": [f"198.51.100.{number}"], "repository": []},
        )
        for number in range(ALERTS)
    ]
    for number, one in enumerate(findings):
        put(store, one, id=f"inc-{number}")
    clock, deadly = tmp_path / "clock", tmp_path / "deadly"
    clock.write_text(begin.isoformat())
    deadly.write_text("")

    def run(passes: int) -> int:
        command = [sys.executable, "-c", _JOB, tmp_path / "records.sqlite", settings, clock, str(passes), deadly]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300, check=False
        ).returncode

    assert run(10) == 0
    waiting = store.deliveries()
    assert {one.state for one in waiting} == {"pending"} and len(waiting) == 3 * ALERTS
    assert {one.channel for one in waiting if one.attempts > 1} == {"soar", "mail", "on-call"}

    receiver, inbox = start_receiver(hook), Inbox()
    receiver.answers = [(200, {}), (429, {"Retry-After": "120"})]
    mails = Controller(inbox, hostname="127.0.0.1", port=post)
    mails.start()
    alertmanager_server.start()
    try:
        deadly.write_text("soar mail on-call")
        ended = [run(30) for _ in range(4)]
        assert ended == [-signal.SIGKILL] * 3 + [0] and deadly.read_text() == ""
        assert {one.state for one in store.deliveries()} == {"sent"}
        assert store.due(datetime.now(UTC)) == []
        wanted = {finding_id("credential_probe", str(number)) for number in range(ALERTS)}
        hooks = Counter(taken(receiver))
        posted = Counter(str(mail["Message-ID"]) for mail in inbox.mails)
        assert set(hooks) == {f"{id}-soar" for id in wanted} and receiver.given.count(429) == 1
        assert len(posted) == ALERTS
        for arrived in (hooks, posted):
            assert sorted(arrived.values()) == [1] * (ALERTS - 1) + [2], "the one whose mark was lost is said again"
        assert sorted(one["labels"]["finding_id"] for one in alertmanager_server.alerts()) == sorted(wanted)

        at = datetime.fromisoformat(clock.read_text())
        for number in range(ALERTS):
            store.change_incident(f"inc-{number}", lambda one: close(one, "ann", at) if one else None)
        assert run(2) == 0
        deadline = time.monotonic() + 30
        while alertmanager_server.alerts():
            assert time.monotonic() < deadline, "what was closed still fires"
            time.sleep(0.1)
        assert {one.state for one in store.deliveries()} == {"sent"}
    finally:
        mails.stop()
