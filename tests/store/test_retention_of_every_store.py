"""What goes when it is old, what stays because somebody holds it, and what is counted before it goes: in every store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store import retention
from store.contract import EventQuery
from store.frames import ROLLUP, ROLLUP_BY
from store.holds import add_hold, holds, lift_hold
from store.retention import plan, retain

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def filled(store, row, table, start, days=4):
    """Three events at noon of each day; Ann does one of them on the first day only."""
    rows = [
        row(
            day * 10 + n,
            timestamp=start + day * DAY + 12 * HOUR + n * timedelta(minutes=1),
            actor="ann" if (day, n) == (0, 0) else "ci",
            repository="shop/web",
            client_ip="10.0.0.1",
            response_bytes=100,
        )
        for day in range(days)
        for n in range(3)
    ]
    store.commit(table(*rows), [])
    return rows


def times(store):
    return [event["timestamp"] for event in store.events(EventQuery())]


def test_days_are_told_with_rows_and_bytes(store, row, table, start):
    """Each day that has something, oldest first."""
    assert store.days() == []
    filled(store, row, table, start)
    found = store.days()
    assert [day.day for day in found] == ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"]
    assert [day.rows for day in found] == [3, 3, 3, 3]
    assert all(day.bytes > 0 for day in found)


def test_a_plan_changes_nothing_and_says_what_would_go(store, row, table, start):
    """Whole days only: the day in which the limit lies stays."""
    filled(store, row, table, start)
    todo = plan(store, start + 4 * DAY + HOUR, 2 * DAY)
    assert ([day.day for day in todo.drop], todo.held) == (["2026-11-01", "2026-11-02"], [])
    assert todo.bytes == sum(day.bytes for day in store.days()[:2])
    assert store.total() == 12


def test_dropped_days_are_kept_as_hourly_counts(opened, row, table, start):
    """The events are gone, what they add up to is there; a restart later, and with late lines added."""
    store = opened()
    filled(store, row, table, start)
    before = store.counts(start, start + 2 * DAY, ROLLUP_BY, HOUR)
    done = store.maintain(start + 4 * DAY + HOUR, 2 * DAY)
    assert done["days_dropped"] == 2
    assert min(times(store)) >= start + 2 * DAY
    kept = opened().rollups(start, start + 9 * DAY)
    assert list(kept.columns) == list(ROLLUP)
    assert kept.to_dict("records") == before[list(ROLLUP)].to_dict("records")
    assert kept["events"].sum() == 6
    assert kept["registry"].tolist() == [None] * len(kept)
    late = row(900, timestamp=start + 12 * HOUR, actor="ann", repository="shop/web", client_ip="10.0.0.1")
    store.commit(table(late), [])
    assert store.maintain(start + 4 * DAY + HOUR, 2 * DAY)["days_dropped"] == 1
    kept = store.rollups(start, start + DAY)
    assert kept.groupby("actor")["events"].sum().to_dict() == {"ann": 2, "ci": 2}
    assert len(store.rollups(start + 13 * HOUR, start + DAY)) == 0


@pytest.mark.parametrize("step", ["counted", "dropped"])
def test_a_crash_on_the_way_counts_nothing_twice(opened, row, table, start, step, monkeypatch):
    """Stopped behind the counting, or behind the dropping, and begun again: the same counts."""
    store = opened()
    filled(store, row, table, start)
    drop = type(store).drop_days

    def crash(self, days):
        if step == "dropped":
            drop(self, days)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(store), "drop_days", crash)
    with pytest.raises(KeyboardInterrupt):
        retain(store, start + 4 * DAY, 2 * DAY, None)
    monkeypatch.undo()
    store = opened()
    for _ in range(2):
        retain(store, start + 4 * DAY, 2 * DAY, None)
    assert store.rollups(start, start + 2 * DAY)["events"].sum() == 6
    assert [day.day for day in store.days()] == ["2026-11-03", "2026-11-04"]
    store.commit(table(row(901, timestamp=start + HOUR, actor="late")), [])
    retain(store, start + 4 * DAY, 2 * DAY, None)
    assert store.rollups(start, start + 2 * DAY)["events"].sum() == 7


def test_hourly_counts_have_a_span_of_their_own(store, row, table, start):
    """They go when they are older than that; with no longer a span than the events' none are made."""
    filled(store, row, table, start)
    retain(store, start + 4 * DAY, 2 * DAY, 3 * DAY)
    assert sorted(set(store.rollups(start, start + 9 * DAY)["window_start"].dt.day)) == [2]
    store.maintain(start + 30 * DAY, DAY, DAY)
    assert len(store.rollups(start, start + 9 * DAY)) == 0
    assert store.total() == 0


def test_held_days_stay_until_the_hold_is_lifted(opened, row, table, start):
    """A span with an hour on either side, and who held it stays to be read after it was lifted."""
    store = opened()
    filled(store, row, table, start)
    hold = add_hold(store, "case 7", "ann", start, start + DAY, start + DAY + 22 * HOUR)
    store = opened()
    todo = plan(store, start + 9 * DAY, DAY)
    assert [(day.day, held.id) for day, held in todo.held] == [("2026-11-01", hold.id), ("2026-11-02", hold.id)]
    assert store.maintain(start + 9 * DAY, DAY)["days_held"] == 2
    assert [day.day for day in store.days()] == ["2026-11-01", "2026-11-02"]
    assert lift_hold(store, hold.id, "bob", start + 9 * DAY).lifted_by == "bob"
    assert lift_hold(store, hold.id, "bob", start + 9 * DAY) is None
    assert holds(store) == []
    assert [(one.by, one.lifted_by, one.reason) for one in holds(opened(), in_force=False)] == [
        ("ann", "bob", "case 7")
    ]
    assert store.maintain(start + 9 * DAY, DAY)["days_dropped"] == 2


def test_a_subjects_days_stay(store, row, table, start):
    """Only the days on which it shows, patterns too."""
    filled(store, row, table, start)
    hold = add_hold(store, "who was that", "ann", start, None, None, "actor:an*")
    assert [day.day for day, _ in plan(store, start + 9 * DAY, DAY).held] == ["2026-11-01"]
    lift_hold(store, hold.id, "ann", start)
    add_hold(store, "its clients", "ann", start, start + 2 * DAY + 2 * HOUR, None, "client:10.0.0.1")
    assert [day.day for day, _ in plan(store, start + 9 * DAY, DAY).held] == ["2026-11-03", "2026-11-04"]


@pytest.mark.parametrize(
    ("since", "until", "subject"), [(None, None, ""), (1, 1, ""), (2, 1, ""), (0, 1, "actor"), (0, 1, "shoe:7")]
)
def test_a_hold_that_holds_nothing_is_refused(store, start, since, until, subject):
    """Better an error than the belief that something is held."""
    first, last = (None if days is None else start + days * DAY for days in (since, until))
    with pytest.raises(ValueError, match=r"hold|subject"):
        add_hold(store, "r", "ann", start, first, last, subject)
    assert retention.holds(store) == []
