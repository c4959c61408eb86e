"""Many small questions about one account's day are one question to the store, with the answers of many."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_traffic import PEOPLE, START, steady

from analytics import day_events
from analytics.day_events import BEFORE, done_by
from analytics.replay import Replay
from analytics.windows import DAY, HOUR
from store.contract import EventQuery

NAME, ADDRESS = next(iter(PEOPLE.items()))


@pytest.mark.parametrize(("most_kept", "questions"), [(5_000, 3), (3, 3 + 3 * 48)])
def test_a_day_is_read_once_and_cut_as_the_store_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_kept: int, questions: int
) -> None:
    """Each half an hour asks for what the account did, at an address and everywhere; who does too much is asked for each time."""
    monkeypatch.setattr(day_events, "MOST_KEPT", most_kept)
    store = steady(3).store(tmp_path / "store")
    replay, asked, events = Replay(store, START, START + 3 * DAY), 0, store.events
    day, seen = START + DAY, 0

    def counting(query: EventQuery) -> Any:
        nonlocal asked
        asked += 1
        return events(query)

    for half in range(1, 49):
        now = day + half * timedelta(minutes=30)
        for since, most, who in (
            (day, 200, {"actor": NAME, "client": ADDRESS}),
            (now - BEFORE, 4, {"actor": NAME}),
            (max(day, now - HOUR), 200, {"client": ADDRESS}),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(store, "events", counting)
                found = done_by(replay, day, since, now, most, **who)
            assert found == list(events(EventQuery(since=since, until=now, limit=most, **who)))
            seen += len(found)
    assert seen > 100
    assert asked == questions
    store.close()
