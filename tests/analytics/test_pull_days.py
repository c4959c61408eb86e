"""Days of pulls, kept one by one, say of busiest hours what all of them together say."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from made_traffic import START

from analytics.acts import NAMES, Acts
from analytics.pull_days import PullDays
from analytics.pulls import KINDS, Tables
from analytics.windows import DAY, minute


def random_acts(day: int, rng: np.random.Generator) -> Acts:
    """Pulls around midnight above all, by few accounts, some of them unnamed."""
    many = int(rng.integers(0, 60))
    cells = np.sort(rng.choice([0, 1, 5, 11, 12, 140, 276, 282, 286, 287], many))
    codes = {}
    for kind in KINDS:
        numbers = np.array([NAMES[kind].number(f"{kind}-{n}") for n in range(5)] + [-1])
        codes[kind] = numbers[rng.integers(0, 6, many)]
    none = np.zeros(many, dtype=np.int64)
    no = none.astype(bool)
    return Acts(minute(START + day * DAY) + cells * 5, no, codes, none, no, no, none, none)


@pytest.mark.parametrize("seed", range(20))
def test_records_of_days_are_those_of_all_pulls(seed: int) -> None:
    """The second busiest hour of each subject, over midnight too; the day before the first is forgotten with it."""
    rng, span, days = np.random.default_rng(seed), timedelta(days=4), PullDays(timedelta(days=4))
    for day in range(7):
        days = days.after(START + day * DAY, random_acts(day, rng))
    pulls = days.with_today(START + 7 * DAY, random_acts(7, rng))
    begin = minute(START + 7 * DAY)
    assert pulls.starts.min() >= begin - span // timedelta(minutes=1)
    for kind in KINDS:
        expected = Tables(pulls, kind).whole.records(begin)
        codes, hours = pulls.busiest[kind]
        found = [sorted([*hours[codes == code].tolist(), 0, 0])[-2] for code in range(len(expected))]
        assert found == expected.tolist()
