"""The receiver, over real HTTP: 200 only when stored, strangers kept out, bad bodies kept and refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
import urllib3
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from collector.backoff import Backoff
from collector.formats import distribution_notifications
from collector.pipeline import Pipeline
from collector.sources.webhook import WebhookReceiver
from collector.telemetry import CollectorTelemetry
from collector.webhook_proof import Endpoint
from store.contract import Committed, DeadLetter, Position
from store.errors import Unavailable

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "distribution-live"
BODIES = [json.loads(line)["body"] for line in (SAMPLES / "v3-text" / "notifications.jsonl").read_bytes().splitlines()]
TOKEN, SECRET = "a long token", "a long secret"
JSON = {"Content-Type": "application/vnd.docker.distribution.events.v1+json"}
BEARER = JSON | {"Authorization": f"Bearer {TOKEN}"}


class SlowStore:
    """Keeps what it is given once `open` is set; until then it is away."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.ids: Counter[str] = Counter()
        self.dead: list[DeadLetter] = []
        self.kept: dict[str, Position] = {}

    def commit(self, events: pa.Table, positions: Sequence[Position], dead: Sequence[DeadLetter] = ()) -> Committed:
        if not self.open.is_set():
            raise Unavailable("away")
        self.ids.update(events["event_id"].to_pylist())
        self.dead.extend(dead)
        self.kept |= {position.stream: position for position in positions}
        return Committed(rows=events.num_rows)

    def position(self, stream: str) -> Position | None:
        return self.kept.get(stream)

    def positions(self) -> list[Position]:
        return list(self.kept.values())


class Running:
    def __init__(self, store: SlowStore, answer_seconds: float) -> None:
        self.registry = CollectorRegistry()
        telemetry = CollectorTelemetry(self.registry)
        name = distribution_notifications.FORMAT.name
        self.receiver = WebhookReceiver(
            "127.0.0.1:0",
            [
                Endpoint(path="/events", format=name, registry="r1", token=SecretStr(TOKEN), max_body_bytes=100_000),
                Endpoint(path="/signed", format=name, registry="r2", hmac_secret=SecretStr(SECRET)),
            ],
            counted=telemetry.request,
            answer_seconds=answer_seconds,
        )
        self.pipeline = Pipeline(
            store,
            [self.receiver],
            [distribution_notifications.FORMAT],
            [],
            telemetry,
            batch_seconds=30,
            backoff=lambda: Backoff(first=0.02, ceiling=0.05),
        )
        self.http = urllib3.PoolManager(retries=False, timeout=15, maxsize=200)

    def post(self, path: str, body: bytes | str, headers: dict[str, str]) -> int:
        return self.http.request("POST", self.receiver.address + path, body=body, headers=headers).status

    def post_again_and_again(self, path: str, body: str, headers: dict[str, str]) -> int:
        """As a registry does: the same body until it is taken. The last status."""
        deadline = time.monotonic() + 15
        while (status := self.post(path, body, headers)) == 503 and time.monotonic() < deadline:
            time.sleep(0.1)
        return status

    def requests(self, endpoint: str, status_class: str) -> float | None:
        labels = {"endpoint": endpoint, "status_class": status_class}
        return self.registry.get_sample_value("regsight_collector_receiver_requests_total", labels)


@contextmanager
def running(store: SlowStore, answer_seconds: float = 10.0) -> Iterator[Running]:
    made = Running(store, answer_seconds)
    thread = threading.Thread(target=made.pipeline.run)
    thread.start()
    try:
        assert made.receiver.ready(10)
        yield made
    finally:
        made.pipeline.stop()
        made.http.clear()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


def test_200_means_stored(store: SlowStore) -> None:
    """What was answered with 200 is in the store at that moment, long before a batch would be due by its age."""
    with running(store) as server:
        for body in BODIES[:3]:
            begun = time.monotonic()
            assert server.post("/events", body, BEARER) == 200
            assert time.monotonic() - begun < 5
            assert {event["id"] for event in json.loads(body)["events"]} and store.ids
        assert store.kept["http:/events"].offset == sum(len(body.encode()) + 1 for body in BODIES[:3])
        assert server.requests("/events", "2xx") == 3


def test_no_answer_before_the_commit(store: SlowStore) -> None:
    """While the store is away a sender waits, then gets 503 with Retry-After; its repetition counts once."""
    store.open.clear()
    with running(store, answer_seconds=0.5) as server:
        answer = server.http.request("POST", server.receiver.address + "/events", body=BODIES[0], headers=BEARER)
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0 and not store.ids
        store.open.set()
        assert server.post_again_and_again("/events", BODIES[0], BEARER) == 200
    with running(store) as server:
        assert server.post("/events", BODIES[0], BEARER) == 200
    assert len(store.ids) == len(json.loads(BODIES[0])["events"])


def test_a_full_queue_refuses_instead_of_growing(store: SlowStore) -> None:
    """With the store away and more senders than places, some get 503 at once; nobody gets 200; all may come again."""
    store.open.clear()
    statuses: list[int] = []
    with running(store, answer_seconds=2) as server:
        senders = [
            threading.Thread(target=lambda body=body: statuses.append(server.post("/events", body, BEARER)))
            for body in (BODIES * 2)[:150]
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(30)
        assert set(statuses) == {503}
        store.open.set()
        assert server.post_again_and_again("/events", BODIES[-1], BEARER) == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/events", JSON, 401),
        ("/events", JSON | {"Authorization": "Bearer wrong"}, 401),
        ("/events", JSON | {"Authorization": f"Basic {TOKEN}"}, 401),
        ("/events", JSON | {"Authorization": "Bearer \xe9".encode("latin-1").decode("latin-1")}, 401),
        ("/signed", JSON, 401),
        ("/signed", JSON | {"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        ("/signed", JSON | {"Authorization": f"Bearer {TOKEN}"}, 401),
        ("/events", BEARER | {"Content-Type": "text/plain"}, 415),
        ("/elsewhere", BEARER, 404),
    ],
)
def test_strangers_are_refused_and_counted(store: SlowStore, path: str, headers: dict[str, str], status: int) -> None:
    """Without the right token or signature nothing is stored, and the answer is counted under its endpoint."""
    with running(store) as server:
        assert server.post(path, BODIES[0], headers) == status
        assert server.requests(path if status != 404 else "other", "4xx") == 1
    assert not store.ids and not store.dead


def test_a_signed_body_is_taken(store: SlowStore) -> None:
    """A body with the HMAC of its bytes is stored; the same signature on another body is not."""
    signature = hmac.new(SECRET.encode(), BODIES[0].encode(), hashlib.sha256).hexdigest()
    with running(store) as server:
        headers = JSON | {"X-Hub-Signature-256": f"sha256={signature}"}
        assert server.post("/signed", BODIES[0], headers) == 200
        assert server.post("/signed", BODIES[1], headers) == 401
    assert len(store.ids) == len(json.loads(BODIES[0])["events"])


def test_a_body_that_is_no_json_is_kept_once_and_refused(store: SlowStore) -> None:
    """400, and one dead letter however often it is sent; a nested bomb, and what is too large, do no harm."""
    with running(store) as server:
        for _ in range(3):
            assert server.post("/events", b'{"events": [\n', BEARER) == 400
        assert server.post("/events", b"[" * 50_000, BEARER) == 400
        assert server.post("/events", b"x" * 100_001, BEARER) == 413
        chunks = server.http.request(
            "POST", server.receiver.address + "/events", body=iter([b"x" * 60_000] * 2), headers=BEARER
        )
        assert chunks.status == 413
        assert server.post("/events", BODIES[0], BEARER) == 200
    assert [letter.length for letter in store.dead] == [len('{"events": [ '), 50_000]


def test_healthz_and_the_order_of_stopping(store: SlowStore) -> None:
    """The receiver says that it lives; a sender that waits when a stop comes still gets its
    answer, the next gets none.
    """
    store.open.clear()
    statuses: list[int] = []
    with running(store) as server:
        assert server.http.request("GET", server.receiver.address + "/healthz").status == 200
        assert server.http.request("GET", server.receiver.address + "/events", headers=BEARER).status == 405
        sender = threading.Thread(target=lambda: statuses.append(server.post("/events", BODIES[0], BEARER)))
        sender.start()
        deadline = time.monotonic() + 5
        while not server.pipeline.summary.lines and time.monotonic() < deadline:
            time.sleep(0.01)
        server.pipeline.stop()
        time.sleep(0.2)
        store.open.set()
        sender.join(10)
    assert statuses == [200] and store.ids
