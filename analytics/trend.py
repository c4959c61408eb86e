"""How fast something grows, robustly, and how sure that is.

Seasonal Theil–Sen slope (Hirsch, Slack, Smith 1982): the median of the slopes between values whole weeks apart, so that
weekends cancel out; below two weeks the plain Theil–Sen slope (Sen 1968) of all pairs. Of what adds up only neighbours (a
week apart, or a day) are paired: one migration lifts all that comes after it, and would be in most of the longer pairs.
Intervals are percentiles of a moving-block bootstrap (blocks of a week, or of a day where there is less), always drawn the
same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WEEK = 7
LEAST_DAYS = 5  # with less nothing is said
DRAWS = 400
COVERS = 0.9  # of the intervals


@dataclass(frozen=True, slots=True)
class Trend:
    """Per day: the slope, its interval, all the draws it is made of, and from how many days in which way."""

    slope: float
    low: float
    high: float
    draws: Floats
    days: int
    method: str


def of_increments(amounts: Sequence[float]) -> Trend | None:
    """Growth per day of what these daily amounts add up to; None if there are too few days."""
    given = np.asarray(amounts, dtype=np.float64)
    if len(given) < LEAST_DAYS:
        return None
    draws = np.array([_rate(drawn) for drawn in _blocks(given)])
    return _trend(_rate(given), draws, len(given))


def of_levels(values: Sequence[float]) -> Trend | None:
    """Change per day of a level that was taken once a day; None if there are too few days."""
    given = np.asarray(values, dtype=np.float64)
    if len(given) < LEAST_DAYS:
        return None
    rate = slope(given)
    line = rate * np.arange(len(given))
    rest = given - line
    draws = np.array([slope(line + drawn) for drawn in _blocks(rest)])
    return _trend(rate, draws, len(given))


def slope(values: Floats) -> float:
    """Theil–Sen, between values whole weeks apart where there are two weeks of them."""
    count = len(values)
    apart = range(WEEK, count, WEEK) if count >= 2 * WEEK else range(1, count)
    return float(np.median(np.concatenate([(values[step:] - values[:-step]) / step for step in apart])))


def _rate(amounts: Floats) -> float:
    """The median of what a week adds, by day; of a day's where there are not two weeks."""
    width = WEEK if len(amounts) >= 2 * WEEK else 1
    return float(np.median(np.convolve(amounts, np.ones(width), "valid"))) / width


def _trend(rate: float, draws: Floats, days: int) -> Trend:
    low, high = np.quantile(draws, [(1 - COVERS) / 2, (1 + COVERS) / 2])
    how = "seasonal Theil–Sen" if days >= 2 * WEEK else "Theil–Sen without a season"
    # A bootstrap around a skewed sample may leave the estimate itself outside.
    return Trend(rate, min(float(low), rate), max(float(high), rate), draws, days, f"{how}, {days} days")


def _blocks(values: Floats) -> list[Floats]:
    """Samples of the same length made of runs of days; each day keeps its day of the week."""
    chance = np.random.default_rng(0)
    count = len(values)
    if count < 2 * WEEK:
        return [chance.choice(values, count) for _ in range(DRAWS)]
    weeks = -(-count // WEEK)
    places = np.arange(WEEK)
    starts = np.arange(0, count - WEEK + 1, WEEK)
    drawn = []
    for _ in range(DRAWS):
        chosen = chance.choice(starts, weeks)
        drawn.append(values[(chosen[:, None] + places).ravel()[:count]])
    return drawn
