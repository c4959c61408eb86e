"""Walks through the same days read them once, and see what each would have read alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_traffic import START, steady

from analytics.ledger import home
from analytics.replay import Replay
from analytics.walked import HOME, of_day
from analytics.windows import DAY
from store.contract import EventQuery

ASKED = (
    (("pull", "login"), ("success",), ("event_id", "timestamp", "action", "actor")),
    (("login",), ("success",), ("event_id", "timestamp", "client_ip", "status")),
    (("pull", "login"), ("success", "denied"), ("event_id", "timestamp", "outcome", "actor")),
    (("pull", "push"), ("success",), ("event_id", "timestamp", "action", "registry", "repository", "digest")),
)


def test_a_day_is_read_once_and_each_sees_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second day on there is one question a day, whose answer has for each walk its events with its columns."""
    store = steady(4).store(tmp_path / "store")
    replay, read, table = Replay(store, START, START + 4 * DAY), 0, store.table

    def counting(query: EventQuery) -> Any:
        nonlocal read
        read += 1
        return table(query)

    monkeypatch.setattr(store, "table", counting)
    for day in range(4):
        before = read
        for actions, outcomes, columns in ASKED:
            since = START + day * DAY
            query = EventQuery(
                since=since, until=since + timedelta(days=1), action=actions, outcome=outcomes, columns=columns
            )
            events = list(of_day(replay, query))
            seen = [{name: event[name] for name in columns} for event in events]
            assert seen == list(store.events(query))
            assert seen
            for event in events if "repository" in columns else ():
                assert event[HOME] == home({name: event[name] for name in columns})
        assert read - before == (1 if day else len(ASKED))
    store.close()
