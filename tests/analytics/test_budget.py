"""The budget in words, and how often chance gives as strange."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from analytics.budget import DEFAULT, EXAMPLE, FEWEST_A_WEEK, WrongBudget, budget
from analytics.config import AnalyticsConfig
from analytics.surprise import RAREST, a_week, together
from store.finding import Severity


@pytest.mark.parametrize(
    ("words", "a_week_of_2000", "least"),
    [
        (EXAMPLE, 6.0, Severity.MEDIUM),
        ("at most 1 alert a day at high and above per 1,000 repositories", 14.0, Severity.HIGH),
        ("0.5 alerts per week", 0.5, Severity.MEDIUM),
        ("  10 Alerts a MONTH  at critical", 10 * 7 / 30, Severity.CRITICAL),
        ("2 alerts each week at low or above for 500 repositories.", 8.0, Severity.LOW),
    ],
)
def test_words_become_a_budget(words: str, a_week_of_2000: float, least: Severity) -> None:
    """Number, span, severity and size of the registry are read; severity and size may be left out."""
    read = budget(words)
    assert read.a_week(2000) == pytest.approx(a_week_of_2000)
    assert read.least is least


@pytest.mark.parametrize(
    "words", ["", "few alerts", "3 a week", "3 alerts a fortnight", "3 alerts a week at loud", "-1 alerts a day"]
)
def test_words_that_say_nothing_are_refused_with_an_example(words: str) -> None:
    """Also by the settings, whose message is what a user reads."""
    with pytest.raises(WrongBudget, match="write it like '3 alerts a week"):
        budget(words)
    with pytest.raises(ValidationError, match="write it like '3 alerts a week"):
        AnalyticsConfig(budget=words)  # type: ignore[arg-type]


def test_a_budget_of_nothing_is_refused() -> None:
    """Who wants no alerts at all has `[alerts]` for it."""
    with pytest.raises(WrongBudget, match="leaves nothing"):
        budget("0 alerts a week")


def test_a_small_registry_is_told_something() -> None:
    """Sixty repositories have a share of 0.18 a week, which would silence a registry for a month after each alert."""
    assert DEFAULT.a_week(60) == FEWEST_A_WEEK
    assert AnalyticsConfig().budget == DEFAULT
    assert AnalyticsConfig(budget="5 alerts a day").budget.a_week(60) == 35  # type: ignore[arg-type]


def test_chance_is_counted_in_the_past() -> None:
    """Of 28 spans in 4 weeks, 7 are as strange: (7 + 1) / 4 a week; nothing known is never rare."""
    past = np.arange(28.0)
    assert a_week(21.0, past, 4.0) == pytest.approx(2.0)
    assert a_week(0.0, past, 4.0) == pytest.approx(29 / 4)
    assert a_week(5.0, past[:0], 0.0) == float("inf")
    assert a_week(99.0, past[:0], 2.0) == pytest.approx(0.5)


def test_beyond_the_past_the_tail_is_drawn_on() -> None:
    """Continuous at the largest score, falling without end but not below what any past can tell."""
    rng = np.random.default_rng(7)
    past = rng.exponential(2.0, 400)
    top = float(past.max())
    rates = [a_week(top + more, past, 10.0) for more in (1e-9, 2.0, 6.0, 1000.0)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert rates == sorted(rates, reverse=True) and rates[-1] == RAREST
    assert 0.1 / 8 < rates[1] < 0.1 / 1.5  # one mean excess further is e times rarer, as far as ten scores tell


def test_rates_are_right_for_what_comes_of_the_same_world() -> None:
    """Of 2,000 fresh weeks, one in two has something that chance gives once in two weeks or less, and no more."""
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(2000):
        past, fresh = rng.exponential(1.0, 56), rng.exponential(1.0, 7)  # 8 weeks of days, then a week
        alarms += sum(a_week(score, past, 8.0) <= 0.5 for score in fresh)
    assert 0.35 < alarms / 2000 < 0.55


def test_detectors_that_agree_are_no_weaker_than_one() -> None:
    """The harmonic mean: equal rates stay, a rare one beside a common one counts up to twice as often."""
    assert together([0.2, 0.2, 0.2]) == pytest.approx(0.2)
    assert together([0.01, 5.0]) == pytest.approx(0.02, rel=0.01)
    assert together([]) == float("inf")
