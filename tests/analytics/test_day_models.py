"""The models that are measured beside the detectors: an odd day stands out, and a threshold means the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.models.days import MODELS, MOST_ROWS, scores
from analytics.windows import Floats


def days(many: int, seed: int) -> Floats:
    """Pulls and repositories go together, as logarithms of counts do; failures are few."""
    chance = np.random.default_rng(seed)
    pulls = chance.normal(5.0, 1.0, many)
    return np.column_stack([pulls, pulls - 1 + chance.normal(0, 0.1, many), chance.poisson(0.3, many)])


@pytest.mark.parametrize("name", MODELS)
def test_a_day_unlike_all_before_scores_highest(name: str) -> None:
    """Many repositories with few pulls: no figure is out of bounds by itself far enough for a fixed threshold."""
    after = np.vstack([days(200, 2), [[3.0, 8.0, 9.0]]])
    found = scores(name, days(400, 1), after)
    assert found is not None and found.argmax() == 200
    assert found[200] > 1.0


@pytest.mark.parametrize("name", MODELS)
def test_about_one_ordinary_day_of_a_hundred_is_above_one(name: str) -> None:
    """Whatever the model's own unit, and whether it learned from all days or from as many as it can bear."""
    found = scores(name, days(MOST_ROWS + 1_000, 3), days(2_000, 4))
    assert found is not None
    assert 0.002 <= float((found > 1.0).mean()) <= 0.03


@pytest.mark.parametrize("name", MODELS)
def test_too_little_to_learn_from_says_nothing(name: str) -> None:
    """Equal days are one day."""
    assert scores(name, np.repeat(days(10, 5), 40, axis=0), days(5, 6)) is None
    assert scores(name, days(400, 7), days(0, 8)) is None
