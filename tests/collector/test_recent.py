"""What is remembered of what was handed on: all of it while there is room, then the newest, and since when."""

from __future__ import annotations

import json

from collector.recent import Recent


def test_names_are_known_until_their_time_is_over() -> None:
    """Also after a restart, from what the position holds."""
    recent = Recent()
    for number in range(10):
        recent.add(f"name {number}", 100.0 + number)
    again = Recent(json.loads(json.dumps(recent.detail())))
    again.forget_before(105)
    assert [number for number in range(12) if f"name {number}" in again] == [5, 6, 7, 8, 9]
    assert again.floor is None


def test_the_newest_are_kept_and_the_floor_says_since_when() -> None:
    """In memory and, more tightly, in the position: nothing later than the floor is missing from either."""
    recent = Recent(most=80, most_kept=20)
    for number in range(1_000):
        recent.add(f"name {number}", float(number))
    for kept in (recent, Recent(recent.detail(), most=80, most_kept=20)):
        assert kept.floor is not None
        assert all(f"name {number}" in kept for number in range(int(kept.floor) + 1, 1_000))
    assert 80 <= len(recent) <= 90 and len(recent.detail()["names"]) == 20


def test_a_detail_may_be_a_little_stale_where_that_is_allowed() -> None:
    """Choosing the newest of many for every block would take longer than reading the block."""
    recent = Recent(most_kept=20, stale=5)
    for number in range(100):
        recent.add(f"name {number}", float(number))
        missing = [n for n in range(max(0, number - 14), number + 1) if f"name {n}" not in Recent(recent.detail())]
        assert len(missing) < 5
