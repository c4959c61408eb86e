"""What was stored lately about times gone by, asked of both stores."""

from __future__ import annotations

from datetime import timedelta

from store.arrivals import Arrival

HOUR = timedelta(hours=1)


def test_only_what_was_stored_lately_about_the_time_before(store, row, table, start):
    """By hour of the event: how many rows, the first of them, and when the last was stored."""
    noon = start + 12 * HOUR
    early = [row(n, timestamp=start + n * HOUR, stored_at=start + n * HOUR) for n in range(3)]
    late = [
        row(10, timestamp=start + timedelta(minutes=5), stored_at=noon),
        row(11, timestamp=start + timedelta(minutes=50), stored_at=noon + timedelta(seconds=9)),
        row(12, timestamp=start + 2 * HOUR, stored_at=noon),
        row(13, timestamp=start + 30 * HOUR, stored_at=noon),
    ]
    store.commit(table(*early), [])
    store.commit(table(*late), [])
    found = store.arrived(noon - timedelta(minutes=1), start - HOUR, start + 20 * HOUR)
    assert found == [
        Arrival(hour=start, rows=2, first=start + timedelta(minutes=5), stored=noon + timedelta(seconds=9)),
        Arrival(hour=start + 2 * HOUR, rows=1, first=start + 2 * HOUR, stored=noon),
    ]
    assert store.arrived(noon + HOUR, start, start + 20 * HOUR) == []
    assert sum(one.rows for one in store.arrived(start, start, start + 20 * HOUR)) == 6


def test_an_empty_store_has_no_arrivals(store, start):
    """Nothing stored is an answer, not an error."""
    assert store.arrived(start, start, start + HOUR) == []
