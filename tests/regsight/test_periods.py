"""Whole days, weeks and months."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from regsight.periods import last_period, month_of


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_months() -> None:
    """From the first moment to that of the next month, over the end of the year as well."""
    assert month_of("2026-11") == (day("2026-11-01"), day("2026-12-01"))
    assert month_of(" 2026-12 ") == (day("2026-12-01"), day("2027-01-01"))
    for wrong in ("2026", "2026-13", "2026-00", "2026-1", "٢٠٢٦-11", "9999-12", ""):
        with pytest.raises(ValueError, match="write 2026-11"):
            month_of(wrong)


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [("day", "2026-11-25", "2026-11-26"), ("week", "2026-11-16", "2026-11-23"), ("month", "2026-10-01", "2026-11-01")],
)
def test_the_last_one_that_is_over(name: str, since: str, until: str) -> None:
    """On a Thursday: yesterday, the week until Sunday, the month before."""
    now = datetime(2026, 11, 26, 19, 5, tzinfo=UTC)
    assert last_period(name, now) == (day(since), day(until))


def test_on_the_border() -> None:
    """On a Monday at midnight the week has just ended."""
    assert last_period("week", day("2026-11-23")) == (day("2026-11-16"), day("2026-11-23"))
