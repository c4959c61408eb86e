"""Rows with the registry's own number of the request: not compared among themselves, and found by logs that have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rows_to_join import application, nginx, row, table

from collector.joins.joiner import Joiner
from store.contract import EventQuery
from store.embedded import EmbeddedStore

DIGEST = "sha256:" + "a" * 64


def notification(second: float, offset: int = 0, request: str = "q", **fields: Any) -> dict[str, Any]:
    told = {"channel": "notification", "dataset": "distribution-notifications", "request_id": request}
    told |= {"event_id": f"r-{request}", "uri": None, "status": None, "digest": DIGEST}
    return row("notifications", second, offset, **(told | fields))


def outside(second: float, offset: int = 0, **fields: Any) -> dict[str, Any]:
    """An access line of the registry's own output that the application does not tell of."""
    told = dict.fromkeys(("repository", "reference", "tag"))
    told |= {"dataset": "distribution-json", "uri": "/login", "action": "other", "outcome": "failure", "status": 404}
    return row("app", second, offset, **(told | fields))


@pytest.fixture
def store(tmp_path: Any) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "store")
    yield opened
    opened.close()


def test_log_and_notifications_are_one_event_without_being_compared(store: EmbeddedStore) -> None:
    joiner = Joiner(store)
    batch = table(application(0.3), outside(1, 5), notification(0.31))
    assert joiner.join(batch) is batch
    store.commit(batch, [])
    found = list(store.events(EventQuery(action=["pull"])))
    assert [(event["status"], event["digest"], len(event["parts"])) for event in found] == [(200, DIGEST, 2)]


def test_two_requests_stay_two_however_alike(store: EmbeddedStore) -> None:
    """The log below level info tells of one, the notifications of the other."""
    rows = [application(0.3, request="q"), notification(0.31, request="p")]
    assert len(set(Joiner(store).join(table(*rows))["event_id"].to_pylist())) == 2
    beside = nginx(30, uri="/v2/other/manifests/1", repository="other")
    assert len(set(Joiner(store).join(table(*rows, beside))["event_id"].to_pylist())) == 3


@pytest.mark.parametrize("restart", [False, True])
def test_a_proxys_line_finds_what_was_stored_uncompared(store: EmbeddedStore, restart: bool) -> None:
    joiner = Joiner(store)
    store.commit(joiner.join(table(application(0.3), notification(0.31))), [])
    joiner = Joiner(store) if restart else joiner
    store.commit(joiner.join(table(nginx(0))), [])
    assert [len(event["parts"]) for event in store.events(EventQuery())] == [3]


@pytest.mark.parametrize("restart", [False, True])
def test_a_numbered_row_finds_the_proxys_line_before_it(store: EmbeddedStore, restart: bool) -> None:
    """What the store holds of the times around decides, not only what this process has seen."""
    joiner = Joiner(store)
    store.commit(joiner.join(table(nginx(0))), [])
    joiner = Joiner(store) if restart else joiner
    for part in (application(0.3), notification(0.31)):
        store.commit(joiner.join(table(part)), [])
    assert [len(event["parts"]) for event in store.events(EventQuery())] == [3]
