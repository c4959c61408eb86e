"""Robust growth with a week's season."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.trend import LEAST_DAYS, of_increments, of_levels, slope

WEEK = [10.0, 10.0, 10.0, 10.0, 10.0, 1.0, 1.0]


def test_weekends_and_a_migration_move_nothing() -> None:
    """52 a week are 52/7 a day, also with one day of a thousand times as much."""
    for days in (WEEK * 6, [*WEEK * 3, 10_000.0, *WEEK[1:], *WEEK * 2]):
        found = of_increments(days)
        assert found is not None
        assert found.slope == pytest.approx(52 / 7, rel=0.01)
        assert "seasonal" in found.method


def test_a_level_with_a_season_keeps_its_slope() -> None:
    """A rise of 0.5 a day under weekends that are low: found to the digit, and inside its interval."""
    values = [100 + 0.5 * day + WEEK[day % 7] for day in range(42)]
    found = of_levels(values)
    assert found is not None
    assert found.slope == pytest.approx(0.5)
    assert found.low <= 0.5 <= found.high


def test_too_few_days_say_nothing() -> None:
    """Four days are no trend; five are one without a season, and say so."""
    assert of_increments([1.0] * (LEAST_DAYS - 1)) is None
    assert of_levels([1.0] * (LEAST_DAYS - 1)) is None
    found = of_levels([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found is not None
    assert found.slope == pytest.approx(1.0)
    assert "without a season" in found.method


def test_the_same_numbers_give_the_same_answer() -> None:
    """The bootstrap is drawn the same way each time."""
    first, second = of_increments(WEEK * 3), of_increments(WEEK * 3)
    assert first is not None
    assert second is not None
    assert (first.low, first.high) == (second.low, second.high)


def test_the_interval_holds_what_it_promises() -> None:
    """Of 60 worlds with noisy weeks, the true growth lies in the 90 % interval in at least 75 %."""
    chance = np.random.default_rng(7)
    inside = 0
    for _ in range(60):
        days = np.tile(WEEK, 8) * chance.gamma(4.0, 0.25, 56)
        found = of_increments(list(days))
        assert found is not None
        inside += found.low <= 52 / 7 <= found.high
    assert inside >= 45


def test_slope_is_the_median_of_pairs() -> None:
    """By hand: pairs of (0, 1, 5) rise by 1, 4 and 2.5."""
    assert slope(np.array([0.0, 1.0, 5.0])) == 2.5
