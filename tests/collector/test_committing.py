"""Batches on their way into the store: one at a time, in order, the next one made ready meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry
from rows_to_join import application, nginx, table

from collector.backoff import Backoff
from collector.batches import Batch
from collector.committing import Committer
from collector.feed import Feed
from collector.interpret import Interpreted
from collector.joins.joiner import Joiner
from collector.telemetry import CollectorTelemetry
from store.contract import Committed, EventQuery, Position
from store.embedded import EmbeddedStore
from store.errors import Rejected, Unavailable


class Slow:
    """A store that takes a commit when the door is open; `failures` are raised by the next ones."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.door = threading.Event()
        self.failures: list[Exception] = []
        self.begun: list[int] = []  # positions of the commits that were begun
        self.asked: list[int] = []  # how many commits were over, at each question
        self.over = 0

    def commit(self, events: pa.Table, positions: list[Position], dead: Any = ()) -> Committed:
        self.begun += [position.offset for position in positions]
        assert self.door.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        done = self._store.commit(events, positions, dead)
        self.over += 1
        return done

    def parts(self, *args: Any, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(self.over)
        return self._store.parts(*args, **asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Receiver:
    """A source that owes answers."""

    name = "receiver"

    def __init__(self) -> None:
        self.told: list[int] = []

    def stored(self, after: Position) -> None:
        self.told.append(after.offset)

    def blocks(self, committed: Any) -> Iterator[Any]:
        yield from ()

    def stop(self) -> None: ...


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Slow]:
    opened = EmbeddedStore(tmp_path / "store")
    yield Slow(opened)
    opened.close()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def send(store: Slow, receiver: Receiver) -> Iterator[Callable[..., bool]]:
    """Sends rows as a batch of their own, up to this place of the stream."""
    committer = Committer(
        store,
        CollectorTelemetry(CollectorRegistry()),
        joiner=Joiner(store),
        drift=None,
        ledger=None,
        clock=lambda: datetime.now(UTC),
        backoff=lambda: Backoff(first=0.01, ceiling=0.05),
    )

    def send(offset: int, *rows: dict[str, Any], out_of_time: Callable[[], bool] = lambda: False) -> bool:
        after = Position(stream="s", offset=offset)
        batch = Batch(1000, 1.0)
        batch.add(table(*rows), [], after, 1)
        committer.note(receiver, Interpreted(lines=1, events=table(*rows), dead=[], ignored=0, after=after), 1)
        return committer.commit(batch, [Feed(source=receiver)], out_of_time)

    send.committer = committer
    yield send
    store.door.set()
    committer.close()


def test_the_next_is_made_ready_and_waits(store: Slow, receiver: Receiver, send: Any) -> None:
    """What is sent does not wait for the store; what is sent next does, until the one before is there, and so do receipts."""
    assert send(1, nginx(0)) and store.begun in ([], [1])
    threading.Timer(0.2, store.door.set).start()
    assert send(2, nginx(5, 1)) and receiver.told[:1] == [1]
    assert send.committer.settle([])
    assert store.begun == [1, 2] and receiver.told == [1, 2] and store.position("s").offset == 2
    assert store.total() == 2


def test_a_question_waits_for_rows_that_are_on_their_way(store: Slow, send: Any) -> None:
    """A line alone is not remembered: whoever tells of the same request next asks the store for it."""
    send(1, nginx(0, client_ip="10.0.0.1", actor="ann"))
    threading.Timer(0.2, store.door.set).start()
    send(2, application(0.3, client_ip="10.0.0.1"))
    send.committer.settle([])
    (event,) = store.events(EventQuery())
    assert (event["actor"], event["join_confidence"], len(event["parts"])) == ("ann", "certain", 2)


def test_a_store_is_not_asked_while_it_makes_a_day(store: Slow, send: Any) -> None:
    """Of another day: Elasticsearch would answer that not all shards are there. Once something of both is stored it is asked."""
    send(1, nginx(0))
    threading.Timer(0.2, store.door.set).start()
    before = len(store.asked)
    send(2, nginx(2 * 86_400))
    assert store.asked[before:] and set(store.asked[before:]) == {1}
    send.committer.settle([])
    store.door.clear()
    send(3, nginx(3, 1))
    threading.Timer(0.2, store.door.set).start()
    before = len(store.asked)
    send(4, nginx(2 * 86_400 - 300, 2))
    assert store.asked[before:] and set(store.asked[before:]) == {2}


def test_what_follows_a_refused_batch_is_not_stored(store: Slow, receiver: Receiver, send: Any) -> None:
    store.failures.append(Rejected("no"))
    store.door.set()
    send(1, nginx(0))
    with pytest.raises(Rejected):
        send(2, nginx(5))
    assert store.begun == [1] and receiver.told == [] and store.position("s") is None


def test_a_stop_that_runs_out_of_time_leaves_the_rest(store: Slow, receiver: Receiver, send: Any) -> None:
    """Neither the batch that the store does not take nor the one behind it."""
    store.failures += [Unavailable("away")] * 10_000
    store.door.set()
    send(1, nginx(0))
    assert not send(2, nginx(5), out_of_time=lambda: True)
    assert set(store.begun) == {1} and receiver.told == [] and store.position("s") is None


def test_a_stop_does_not_wait_for_an_answer_that_cannot_come(store: Slow, send: Any) -> None:
    """The store is away, and what is sent next would ask it for the rows that it does not take."""
    store.failures += [Unavailable("away")] * 10_000
    store.door.set()
    send(1, nginx(0, client_ip="10.0.0.1"))
    begun = time.monotonic()
    assert not send(2, application(0.3, client_ip="10.0.0.1"), out_of_time=lambda: True)
    assert time.monotonic() - begun < 5 and set(store.begun) == {1}
