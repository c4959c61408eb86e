"""From a real registry, used by a real client, into the real embedded store."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from servers.registry import Registry, image, registry, running_registry

from collector.formats import distribution_access, distribution_json, distribution_notifications
from collector.pipeline import Pipeline
from collector.sources.file_tail import FileTail
from collector.sources.webhook import Endpoint, WebhookReceiver
from collector.stages import Source
from collector.telemetry import CollectorTelemetry
from store.contract import EventQuery, Store
from store.locate import open_store

__all__ = ["registry"]

FORMATS = [distribution_json.FORMAT, distribution_access.FORMAT, distribution_notifications.FORMAT]

pytestmark = pytest.mark.external_service


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"delta:{tmp_path / 'data'}")
    yield opened
    opened.close()


@contextmanager
def collecting(store: Store, sources: Sequence[Source]) -> Iterator[None]:
    telemetry = CollectorTelemetry(CollectorRegistry())
    pipeline = Pipeline(store, sources, FORMATS, [], telemetry, batch_seconds=0.2)
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    try:
        yield
    finally:
        pipeline.stop()
        thread.join(20)
        assert not thread.is_alive()


def use(registry: Registry, folder: Path) -> tuple[str, str]:
    """Two pushes, three pulls, and three that are refused. The digests."""
    first, digest = image(folder / "first", "hello")
    second, other = image(folder / "second", "world")
    assert registry.push(first, "team/app:1", "irina") == 0
    assert registry.push(second, "team/app:2", "tomasz") == 0
    assert registry.pull("team/app:1", "tomasz") == 0
    assert registry.pull("team/app:1", "irina") == 0
    assert registry.pull(f"team/app@{other}", "irina") == 0
    assert registry.pull("team/app:1", "irina", "guessed") != 0
    assert registry.pull("team/app:1", "mallory", "guessed") != 0
    assert registry.push(first, "team/app:3", None) != 0
    return digest, other


def seen(store: Store) -> Counter[tuple[Any, ...]]:
    events = store.events(EventQuery())
    keys = ("action", "outcome", "actor", "repository", "reference", "digest")
    kept = ("push", "pull")
    return Counter(
        tuple(event[key] for key in keys)
        for event in events
        if event["action"] in kept and event["outcome"] == "success"
    )


def until(condition: Callable[[], bool], explain: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.2)


def test_what_was_done_at_a_registry_is_what_is_stored(registry: Registry, store: Store, tmp_path: Path) -> None:
    """Each push and pull of a real client is one event; refused ones are denied and name who tried.

    (The log of 2.8 does not name who was let in: that is in the notifications, see below.)
    """
    tail = FileTail("registry", [str(registry.log)], registry="r1", follow=True, poll_seconds=0.05)
    with collecting(store, [tail]):
        _, other = use(registry, tmp_path)
        expected = Counter({
            ("push", "1"): 1,
            ("push", "2"): 1,
            ("pull", "1"): 2,
            ("pull", other): 1,
        })  # fmt: skip

        def found() -> Counter[tuple[Any, ...]]:
            return Counter((row[0], row[4]) for row in seen(store).elements())

        until(lambda: found() == expected, found)

        # The refused ones came last: they may be read a moment after the others.
        def refused() -> list[dict[str, Any]]:
            return list(store.events(EventQuery(outcome=["denied"])))

        def tried() -> set[Any]:
            return {event["actor"] for event in refused() if event["reason"] == "bad_credentials"}

        until(lambda: tried() >= {"irina", "mallory"} and len(refused()) >= 3, refused)
        assert {event["client_ip"] for event in refused()} == {"127.0.0.1"}
    assert store.dead_letter_counts() == {}


def test_notifications_complete_the_log(store: Store, tmp_path: Path) -> None:
    """Told by its log and by its notifications, each push and pull is still one event, now with the digest."""
    receiver = WebhookReceiver(
        "127.0.0.1:0",
        [Endpoint(path="/events", format="distribution-notifications", registry="r1", token=SecretStr("let me in"))],
    )
    log = tmp_path / "registry" / "registry.log"
    log.parent.mkdir()
    tail = FileTail("registry", [str(log)], registry="r1", follow=True, poll_seconds=0.05)
    with collecting(store, [tail, receiver]):
        assert receiver.ready(10)
        notify = (f"{receiver.address}/events", "Bearer let me in")
        with running_registry(log.parent, notify) as registry:
            digest, other = use(registry, tmp_path)
            expected = Counter({
                ("push", "success", "irina", "team/app", "1", digest): 1,
                ("push", "success", "tomasz", "team/app", "2", other): 1,
                ("pull", "success", "tomasz", "team/app", "1", digest): 1,
                ("pull", "success", "irina", "team/app", "1", digest): 1,
                ("pull", "success", "irina", "team/app", other, other): 1,
            })  # fmt: skip
            until(lambda: seen(store) == expected, lambda: seen(store))

            def pushes() -> list[dict[str, Any]]:
                return list(store.events(EventQuery(action=["push"], outcome=["success"])))

            until(lambda: all(len(event["parts"]) >= 2 for event in pushes()), pushes)
            assert {event["join_confidence"] for event in pushes()} == {"certain"}
    assert store.dead_letter_counts() == {}
