"""When a channel is quiet."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.quiet import quiet_until, read_hours


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        (None, "UTC", "2026-11-24T23:00", None),
        ("22:00-07:00", "UTC", "2026-11-24T21:59", None),
        ("22:00-07:00", "UTC", "2026-11-24T22:00", "2026-11-25T07:00"),
        ("22:00-07:00", "UTC", "2026-11-25T03:00", "2026-11-25T07:00"),
        ("22:00-07:00", "UTC", "2026-11-25T07:00", None),
        ("12:00-13:30", "UTC", "2026-11-24T12:30", "2026-11-24T13:30"),
        ("12:00-13:30", "UTC", "2026-11-24T13:30", None),
        ("22:00-07:00", "Europe/Berlin", "2026-11-24T21:30", "2026-11-25T06:00"),
        ("22:00-07:00", "Asia/Tokyo", "2026-11-24T21:30", "2026-11-24T22:00"),
        # The night in which the clock is put back is an hour longer.
        ("22:00-07:00", "Europe/Berlin", "2026-10-24T20:30", "2026-10-25T06:00"),
    ],
)
def test_the_end_of_the_quiet_hours(hours: str | None, zone: str, now: str, until: str | None) -> None:
    """By the wall clock of the zone, over midnight and over a change to winter time."""
    found = quiet_until(hours, zone, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == (until and datetime.fromisoformat(until).replace(tzinfo=UTC))


@pytest.mark.parametrize("text", ["", "22-7", "22:00", "25:00-07:00", "22:00-22:00", "22:60-07:00", "22:00-07:00 x"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    """With an example of how to write them."""
    with pytest.raises(ValueError, match=r"22:00|begins when it ends"):
        read_hours(text)


@settings(deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_quiet_hours_end(now: datetime, zone: str) -> None:
    """The end lies ahead, less than a day and a changed clock away, and then it is not quiet."""
    until = quiet_until("22:00-07:00", zone, now)
    if until is not None:
        assert 0 < (until - now).total_seconds() <= 10 * 3600
        assert quiet_until("22:00-07:00", zone, until) is None
