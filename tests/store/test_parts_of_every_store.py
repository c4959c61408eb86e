"""The rows behind the events, and how sure it is that they belong together: the same in both stores."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from store.contract import EventQuery
from store.merge import merge


@pytest.mark.parametrize("confidences", list(itertools.product([None, "certain", "likely", "possible"], repeat=3))[::5])
def test_an_event_is_as_sure_as_its_least_sure_part(store, row, table, confidences):
    """A doubtful part makes the event doubtful, wherever in the order of trust it stands."""
    channels = ("application", "audit", "access")
    parts = [
        row(number, event_id="e", channel=channel, stream=f"s{number}", join_confidence=confidence)
        for number, (channel, confidence) in enumerate(zip(channels, confidences, strict=True), start=1)
    ]
    for part in parts:
        store.commit(table(part), [])
    (event,) = store.events(EventQuery())
    worst = next((name for name in ("possible", "likely") if name in confidences), "certain")
    assert event["join_confidence"] == merge(parts)["join_confidence"] == worst


def test_parts_come_as_they_were_stored_by_registry_and_time(store, row, table, start):
    """Each row for itself, of one registry and one span, by time; half open as every question."""
    rows = [
        row(1, event_id="e", channel="access", registry="a", actor="from access"),
        row(2, event_id="e", channel="application", stream="s2", registry="a", join_confidence="likely"),
        row(3, registry="b", stream="s3"),
        row(9, registry="a", stream="s4"),
    ]
    store.commit(table(*rows), [])
    query = EventQuery(registry="a", since=start, until=rows[3]["timestamp"])
    assert list(store.parts(query)) == rows[:2]
    assert [event["event_id"] for event in store.events(EventQuery(registry="b"))] == [rows[2]["event_id"]]
    newest = list(store.parts(EventQuery(registry="a", limit=1, newest_first=True)))
    assert newest == [rows[3]]
    assert list(store.parts(EventQuery(registry="a", since=start + timedelta(days=1)))) == []
