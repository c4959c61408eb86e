"""Many small questions about one account's day are one question to the store, with the answers of many."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_traffic import PEOPLE, START, steady

from analytics import day_events
from analytics.day_events import BEFORE, COLUMNS, done_by
from analytics.replay import Replay
from analytics.windows import DAY, HOUR
from store.contract import EventQuery

NAME, ADDRESS = next(iter(PEOPLE.items()))


@pytest.mark.parametrize(
    ("most_kept", "one_by_one", "days", "questions", "readings"),
    [(5_000, 3, 2, 3, 0), (3, 3, 2, 3 + 3 * 48, 0), (5_000, 1, 2, 1, 1), (5_000, 3, 3, 0, 1)],
)
def test_a_day_is_read_once_and_cut_as_the_store_would(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most_kept: int,
    one_by_one: int,
    days: int,
    questions: int,
    readings: int,
) -> None:
    """Each half an hour asks for what the account did, at an address and everywhere; who does too much is asked for each time.
    From some accounts and addresses on all of the day is read; of a day that is over, at once.
    """
    monkeypatch.setattr(day_events, "MOST_KEPT", most_kept)
    monkeypatch.setattr(day_events, "ONE_BY_ONE", one_by_one)
    store = steady(3).store(tmp_path / "store")
    replay, asked, events = Replay(store, START, START + days * DAY), Counter[str](), store.events
    table = store.table
    day, seen = START + DAY, 0

    def counting(query: EventQuery) -> Any:
        asked["one"] += 1
        return events(query)

    def reading(query: EventQuery) -> Any:
        asked["all"] += 1
        return table(query)

    for half in range(1, 49):
        now = day + half * timedelta(minutes=30)
        for since, most, who in (
            (day, 200, {"actor": NAME, "client": ADDRESS}),
            (now - BEFORE, 4, {"actor": NAME}),
            (max(day, now - HOUR), 200, {"client": ADDRESS}),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(store, "events", counting)
                patch.setattr(store, "table", reading)
                found = done_by(replay, day, since, now, most, **who)
            assert found == list(events(EventQuery(since=since, until=now, limit=most, columns=COLUMNS, **who)))
            seen += len(found)
    assert seen > 100
    assert (asked["one"], asked["all"]) == (questions, readings)
    store.close()
