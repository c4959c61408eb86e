"""What is usual, how strange a count is, and where the line is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.baselines import Baseline, learn, negative_binomial_tail, threshold

HOURS = 24


def learned(days: int, subjects: int = 5, seed: int = 0, odd: int = 0) -> Baseline:
    """Subjects that do about 10 an hour from 8 to 18 and nothing else; `odd` is put into one hour of the first one."""
    rng = np.random.default_rng(seed)
    codes, hours = (array.ravel() for array in np.meshgrid(np.arange(subjects), np.arange(days * HOURS), indexing="ij"))
    rates = np.where((hours % 24 >= 8) & (hours % 24 < 18), 10 * rng.gamma(2, 0.5, len(hours)), 0)
    counts = rng.poisson(rates)
    counts[3] += odd
    some = counts > 0
    return learn(codes[some], hours[some], counts[some], subjects, 0, days * HOURS * 60)


def test_the_hour_of_day_is_learned_and_with_weeks_the_hour_of_week() -> None:
    """Noon is busy and midnight is not; the season grows finer as weeks come in."""
    assert [learned(days).slots for days in (2, 14, 35)] == [1, 24, 168]
    for days in (14, 35):
        noon, night = learned(days).usual(0, 12 * 60), learned(days).usual(0, 1 * 60)
        assert 7 < noon.mean < 13
        assert noon.low <= noon.median <= noon.high
        assert night.mean < 0.6
        assert not noon.learning


def test_one_odd_hour_does_not_become_usual() -> None:
    """An attack in the past moves the mean of its hour by little."""
    clean, spoilt = learned(21), learned(21, odd=5_000)
    assert spoilt.usual(0, 3 * 60).mean < clean.usual(0, 3 * 60).mean + 3


def test_strangeness_grows_with_the_count() -> None:
    """Ten at noon is ordinary, ten at night is not, and more is always stranger."""
    baseline = learned(21)
    zeros = np.zeros(4, dtype=np.int64)
    noon = baseline.tail(zeros, np.full(4, 12 * 60), np.array([0, 10, 60, 400]))
    assert noon[0] == 0
    assert noon[1] > -1
    assert (np.diff(noon) < 0).all()
    assert baseline.tail(zeros[:1], np.array([2 * 60]), np.array([10]))[0] < noon[1] - 1


def test_a_stranger_borrows_from_the_cohort() -> None:
    """A subject nobody knows, or one of yesterday, is expected to do what others of its kind do, and is said to be new."""
    baseline = learned(21)
    unknown = baseline.usual(-1, 12 * 60)
    assert unknown.learning
    assert unknown.mean == pytest.approx(baseline.usual(0, 12 * 60).mean, rel=0.5)
    hours = np.arange(21 * HOURS)
    codes = np.concatenate([np.zeros(len(hours), dtype=np.int64), [1]])
    young = learn(codes, np.append(hours, 20 * HOURS + 12), np.append(np.full(len(hours), 8), 1), 2, 0, 21 * HOURS * 60)
    assert young.usual(1, 12 * 60).learning
    assert 3 < young.usual(1, 12 * 60).mean < 9


def test_the_tail_is_that_of_the_negative_binomial() -> None:
    """The closed form equals what a million draws say."""
    rng = np.random.default_rng(1)
    drawn = rng.poisson(5 * rng.gamma(0.5, 2, 1_000_000))
    tail = negative_binomial_tail(np.array([20, 40]), np.full(2, 5.0), np.full(2, 0.5))
    assert 10.0**tail == pytest.approx([np.mean(drawn >= 20), np.mean(drawn >= 40)], rel=0.05)


def test_the_line_keeps_the_budget() -> None:
    """With three a week allowed and two weeks seen, six of the past would have been told; with less, it lies beyond all."""
    tails = -np.arange(4.0, 24.0)
    line = threshold(tails, weeks=2, alerts_per_week=3)
    assert (tails < line).sum() == 6
    assert threshold(tails, weeks=2, alerts_per_week=0.05) < tails.min()
    assert threshold(tails[:0], weeks=2, alerts_per_week=3) == -4.0
