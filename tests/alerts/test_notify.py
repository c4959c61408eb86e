"""From the outbox to real receivers."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from servers.alertmanager import free_port

from alerts.config import AlertsConfig
from alerts.notify import Delivered, deliver, send_test
from alerts.policy import enqueue_new
from alerts.telemetry import AlertsTelemetry
from store.finding import Severity
from store.records import SqliteRecords

from .conftest import NOW, Receiver, make_finding

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def webhook_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGSIGHT_TEST_SECRET", SECRET)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a handler of the root logger writes. (caplog also listens to loggers that do not propagate.)"""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def config(*channels: dict[str, Any], **changed: Any) -> AlertsConfig:
    return AlertsConfig.model_validate({"channels": list(channels), **changed})


def json_channel(port: int, name: str = "chat", **changed: Any) -> dict[str, Any]:
    return {"name": name, "apprise": f"json://127.0.0.1:{port}/hook", **changed}


def webhook_channel(receiver_url: str, name: str = "soar", **changed: Any) -> dict[str, Any]:
    return {"name": name, "webhook": f"{receiver_url}/in", "secret_env": "REGSIGHT_TEST_SECRET", **changed}


def test_a_finding_is_sent_through_apprise_once(store: SqliteRecords, receiver: Receiver) -> None:
    """A real HTTP receiver gets title and body with the key; the next pass sends nothing."""
    settings = config(json_channel(receiver.port))
    store.put_finding(make_finding())
    enqueue_new(store, settings, NOW)
    assert deliver(store, settings, NOW) == Delivered(sent=1)
    assert deliver(store, settings, NOW + timedelta(hours=1)) == Delivered()
    ((path, _, body),) = receiver.requests
    content = json.loads(body)
    assert path == "/hook"
    assert content["title"] == "[HIGH] 312 refused logins from 198.51.100.7"
    assert f"Key: {make_finding().id}-chat" in content["message"]
    (delivery,) = store.deliveries()
    assert delivery.state == "sent" and delivery.sent_at == NOW


def test_a_receiver_that_was_down_gets_it_when_it_is_back(
    store: SqliteRecords, start_receiver: Callable[[int], Receiver]
) -> None:
    """A refused connection is retried after a pause, with its reason in the outbox until then."""
    port = free_port()
    settings = config(json_channel(port))
    store.put_finding(make_finding())
    enqueue_new(store, settings, NOW)
    assert deliver(store, settings, NOW) == Delivered(retried=1)
    (delivery,) = store.deliveries()
    assert delivery.state == "pending" and delivery.attempts == 1 and "onnect" in delivery.error
    assert timedelta(seconds=20) < delivery.due_at - NOW < timedelta(seconds=40)
    back = start_receiver(port)
    assert deliver(store, settings, NOW + timedelta(seconds=1)) == Delivered(), "the pause is kept"
    assert deliver(store, settings, delivery.due_at) == Delivered(sent=1)
    assert len(back.requests) == 1


def test_retry_after_is_honoured(store: SqliteRecords, receiver: Receiver) -> None:
    """429 with Retry-After: 900 rests for at least fifteen minutes."""
    settings = config(webhook_channel(receiver.url))
    receiver.answers = [(429, {"Retry-After": "900"})]
    store.put_finding(make_finding())
    enqueue_new(store, settings, NOW)
    assert deliver(store, settings, NOW) == Delivered(retried=1)
    (delivery,) = store.deliveries()
    assert delivery.due_at == NOW + timedelta(minutes=15) and "429" in delivery.error
    assert deliver(store, settings, delivery.due_at) == Delivered(sent=1)
    first, second = (headers["webhook-id"] for _, headers, _ in receiver.requests)
    assert first == second == f"{make_finding().id}-soar"


def test_a_bad_channel_blocks_nobody_and_gives_up_in_the_end(store: SqliteRecords, receiver: Receiver) -> None:
    """While one channel fails, the other gets everything; the failing one is tried once a pass, then given up."""
    settings = config(json_channel(free_port(), "broken"), webhook_channel(receiver.url), max_attempts=2)
    for cause in "abc":
        store.put_finding(make_finding(cause, kind=cause))
    enqueue_new(store, settings, NOW)
    assert deliver(store, settings, NOW) == Delivered(sent=3, retried=1)
    moment = NOW
    for _ in range(5):
        moment += timedelta(minutes=2)
        deliver(store, settings, moment)
    broken = [delivery for delivery in store.deliveries() if delivery.channel == "broken"]
    assert {delivery.state for delivery in broken} == {"failed"}
    assert all("given up after 2 attempts" in delivery.error for delivery in broken)
    assert len(receiver.requests) == 3


def test_a_refused_message_is_given_up_and_the_next_one_sent(store: SqliteRecords, receiver: Receiver) -> None:
    """400 is about this message only."""
    settings = config(webhook_channel(receiver.url))
    receiver.answers = [(400, {})]
    for cause in "ab":
        store.put_finding(make_finding(cause, kind=cause))
    enqueue_new(store, settings, NOW)
    assert deliver(store, settings, NOW) == Delivered(sent=1, failed=1)
    assert sorted(delivery.state for delivery in store.deliveries()) == ["failed", "sent"]


def test_the_limit_per_hour_holds_back_the_less_severe(store: SqliteRecords, receiver: Receiver) -> None:
    """The worst goes first; the rest waits without a counted attempt, and goes an hour later."""
    settings = config(webhook_channel(receiver.url, max_per_hour=1))
    store.put_finding(make_finding("a", kind="a", severity=Severity.MEDIUM))
    store.put_finding(make_finding("b", kind="b", severity=Severity.CRITICAL))
    enqueue_new(store, settings, NOW)
    assert deliver(store, settings, NOW) == Delivered(sent=1)
    assert deliver(store, settings, NOW + timedelta(minutes=30)) == Delivered()
    assert [delivery.attempts for delivery in store.deliveries() if delivery.state == "pending"] == [0]
    assert deliver(store, settings, NOW + timedelta(minutes=61)) == Delivered(sent=1)
    sent = [json.loads(body)["data"]["finding"]["severity"] for _, _, body in receiver.requests]
    assert sent == ["critical", "medium"]


def test_a_finding_that_became_critical_is_sent_again_as_an_update(store: SqliteRecords, receiver: Receiver) -> None:
    """The second message has its own key, the new severity, and says that it is an update; figures name the channel."""
    telemetry = AlertsTelemetry(registry := CollectorRegistry())
    settings = config(json_channel(receiver.port))
    for severity in (Severity.HIGH, Severity.CRITICAL):
        store.put_finding(make_finding(severity=severity))
        enqueue_new(store, settings, NOW)
        assert deliver(store, settings, NOW, telemetry) == Delivered(sent=1)
    first, second = (json.loads(body) for _, _, body in receiver.requests)
    assert first["title"].startswith("[HIGH]") and second["title"].startswith("[CRITICAL]")
    assert "Update: told before with a lower severity" in second["message"] and "Update" not in first["message"]
    assert f"Key: {make_finding().id}-chat-critical" in second["message"]
    labels = {"channel": "chat", "result": "sent"}
    assert registry.get_sample_value("regsight_alerts_deliveries_total", labels) == 2


def test_a_removed_channel_is_given_up_with_the_reason(store: SqliteRecords, receiver: Receiver) -> None:
    """What waits for a channel that the settings no longer have does not wait for ever."""
    store.put_finding(make_finding())
    enqueue_new(store, config(json_channel(receiver.port)), NOW)
    assert deliver(store, config(webhook_channel(receiver.url)), NOW) == Delivered(failed=1)
    assert "no channel of this name" in store.deliveries()[0].error


_SENDER = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from alerts.config import AlertsConfig
from alerts.notify import deliver
from store.records import SqliteRecords

class Killed(SqliteRecords):
    def mark_sent(self, delivery, now):
        if int(sys.argv[4]) == len(list(d for d in self.deliveries() if d.state == "sent")):
            os.kill(os.getpid(), signal.SIGKILL)
        super().mark_sent(delivery, now)

config = AlertsConfig.model_validate_json(sys.argv[2])
deliver(Killed(Path(sys.argv[1])), config, datetime.fromisoformat(sys.argv[3]))
"""


@pytest.mark.parametrize("kill_at", [0, 2])
def test_a_kill_between_sending_and_marking_repeats_at_most_one(
    store: SqliteRecords, receiver: Receiver, tmp_path: Path, kill_at: int
) -> None:
    """After kill -9 and a restart every finding arrived, one of them twice at most, under the same id."""
    settings = {"channels": [webhook_channel(receiver.url)]}
    for cause in "abcd":
        store.put_finding(make_finding(cause, kind=cause))
    enqueue_new(store, AlertsConfig.model_validate(settings), NOW)
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            _SENDER,
            str(tmp_path / "records.sqlite"),
            json.dumps(settings),
            NOW.isoformat(),
            str(kill_at),
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(receiver.requests) == kill_at + 1, "the last one was sent and not marked"
    deliver(store, AlertsConfig.model_validate(settings), NOW)
    ids = [headers["webhook-id"] for _, headers, _ in receiver.requests]
    assert len(set(ids)) == 4 and len(ids) == 5
    assert {delivery.state for delivery in store.deliveries()} == {"sent"}


def test_figures_are_counted(store: SqliteRecords, receiver: Receiver) -> None:
    """Deliveries by channel and result, what waits, and both delays."""
    registry = CollectorRegistry()
    telemetry = AlertsTelemetry(registry)
    settings = config(json_channel(free_port(), "broken"), webhook_channel(receiver.url))
    store.put_finding(make_finding())
    enqueue_new(store, settings, NOW)
    deliver(store, settings, NOW + timedelta(minutes=3), telemetry)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("regsight_alerts_deliveries_total", channel="soar", result="sent") == 1
    assert value("regsight_alerts_deliveries_total", channel="broken", result="retry") == 1
    assert value("regsight_alerts_deliveries_total", channel="soar", result="failed") == 0, "shown from the start"
    assert value("regsight_alerts_outbox_pending") == 1
    assert value("regsight_alerts_detect_to_notify_seconds_sum") == 120
    assert value("regsight_alerts_event_to_notify_seconds_sum") == 180
    assert value("regsight_alerts_event_to_notify_seconds_bucket", le="604800.0") == 1


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"apprise": "jsom://127.0.0.1/T0PSECRET"}, "no service that Apprise knows"),
        ({"apprise": "T0PSECRET"}, "no service that Apprise knows"),
        ({"apprise": "slack://T0PSECRET"}, "not complete for slack://"),
        ({"apprise": "json://user:T0PSECRET@127.0.0.1:1/"}, "onnect"),
        ({"apprise_env": "REGSIGHT_TEST_NOT_SET"}, "REGSIGHT_TEST_NOT_SET is not set"),
        ({"alertmanager": "http://127.0.0.1:1"}, "refused the connection"),
        ({"alertmanager": "http://no-such-host.invalid:9093"}, "host name is not known"),
        ({"webhook": "http://127.0.0.1:1/T0PSECRET", "secret_env": "REGSIGHT_TEST_SECRET"}, "refused the connection"),
        ({"webhook": "https://127.0.0.1:1/T0PSECRET", "secret_env": "REGSIGHT_TEST_SHORT"}, "must be base64"),
        ({"webhook": "gopher://h/T0PSECRET", "secret_env": "REGSIGHT_TEST_SECRET"}, "not a web address"),
    ],
)
def test_a_wrong_channel_says_what_to_do(
    channel: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    """`regsight alerts test` names the cause, and neither the error nor the log holds the secret."""
    monkeypatch.setenv("REGSIGHT_TEST_SHORT", "T0PSECRET!")
    error = send_test(config({"name": "x", **channel}), NOW)["x"]
    assert error is not None and said in error
    assert "T0PSECRET" not in error + logged.getvalue()


@pytest.mark.parametrize(("status", "said"), [(401, "credentials"), (404, "address right"), (302, "address right")])
def test_wrong_settings_wait_for_a_person(store: SqliteRecords, receiver: Receiver, status: int, said: str) -> None:
    """What only a person can put right is tried again rarely and not given up at once."""
    settings = config(webhook_channel(receiver.url))
    receiver.answers = [(status, {"Location": receiver.url})]
    store.put_finding(make_finding())
    enqueue_new(store, settings, NOW)
    assert deliver(store, settings, NOW) == Delivered(retried=1)
    (delivery,) = store.deliveries()
    assert said in delivery.error and delivery.due_at - NOW > timedelta(minutes=40)
    assert len(receiver.requests) == 1, "a redirect is not followed"


def test_the_test_message_reaches_every_channel(receiver: Receiver) -> None:
    """One message each, which says of itself that it is a test, whatever the channel's severity."""
    settings = config(json_channel(receiver.port, min_severity="critical"), webhook_channel(receiver.url))
    assert send_test(settings, NOW) == {"chat": None, "soar": None}
    assert all(b"Test message from Regsight" in body for _, _, body in receiver.requests)
