"""First touches that are news, and those that a push explains."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.novelty import NewPairs, Pushes, chance, new_pairs

DAY = 1440
BEGIN = 12 * DAY
AT = BEGIN + 600  # when the new repositories are pulled


def touched(pushes: Pushes | None = None) -> NewPairs:
    """Account 0 pulls repository 0 on each of twelve days, account 1 repositories 1 to 9 on the first; then account 0 pulls
    these as well."""
    steady = [(day * DAY + 60, 0, 0) for day in range(12)]
    others = [(5, 1, repository) for repository in range(1, 10)]
    fresh = [(AT + repository, 0, repository) for repository in range(1, 10)]
    starts, actors, repositories = (np.asarray(column) for column in zip(*sorted(steady + others + fresh), strict=True))
    return new_pairs(starts, actors, repositories, 2, BEGIN, pushes)


def pushes(*rows: tuple[int, int, int]) -> Pushes:
    return Pushes(*(np.asarray(column, dtype=np.int64) for column in zip(*rows, strict=True)))


def test_repositories_new_to_a_settled_account_are_counted() -> None:
    """Nine within a day, of an account that never met a new one; two accounts were there before."""
    found = touched()
    assert list(found.of(0, AT, AT + DAY)) == list(range(1, 10))
    assert found.in_a_day[-1] == 9 and found.accounts == 2
    assert found.limits[0] == pytest.approx(6, abs=1)


@pytest.mark.parametrize(
    ("made", "left"),
    [
        (pushes((AT - 100, 1, 3)), [1, 2, 4, 5, 6, 7, 8, 9]),  # somebody made it just before
        (pushes((AT - 500, 1, 3)), list(range(1, 10))),  # too long ago to be why
        (pushes((AT - 500, 0, 3)), [1, 2, 4, 5, 6, 7, 8, 9]),  # its own work is never new to it
        (pushes((AT + 30, 0, 3)), list(range(1, 10))),  # a push afterwards explains nothing
        (pushes((AT - 100, -1, 3), (AT - 100, -1, 4)), [1, 2, 5, 6, 7, 8, 9]),  # by nobody named
        (pushes((AT - 100, 1, 3), (AT - 90, 1, 2)).since(AT - 95), [1, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_what_a_push_explains_is_no_news(made: Pushes, left: list[int]) -> None:
    """An image that was just made is fetched by whom it was made for."""
    assert list(touched(made).of(0, AT, AT + DAY)) == left


def test_twice_the_limit_is_as_rare_as_the_limit_squared() -> None:
    """At the limit one account in a thousand a week; with a hundred accounts, 0.1."""
    assert chance(1.0, 100) == pytest.approx(0.1)
    assert chance(2.0, 100) == pytest.approx(1e-4)
    found = touched()
    assert found.chance(0, int(found.limits[0])) == pytest.approx(2e-3)
