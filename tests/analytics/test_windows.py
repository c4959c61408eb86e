"""Zeros, sliding hours, and what an actor did in an hour."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from made_traffic import START, Made

from analytics.windows import HOUR, actor_hours, dense, sliding_sums
from store.contract import WINDOW_COUNTS


def test_a_window_in_which_nothing_happened_is_a_row_of_zeros(tmp_path: Path) -> None:
    """Every subject has a row for every window of the span; what the store said stays as it was."""
    made = Made()
    made.pull(START + timedelta(minutes=70), "alice", "192.0.2.1", "shop/a")
    made.pull(START + timedelta(minutes=190), "bob", "192.0.2.2", "shop/a")
    store = made.store(tmp_path)
    frame = store.windows(START, START + 4 * HOUR, HOUR, "actor")
    full = dense(frame, START, START + 4 * HOUR, HOUR)
    store.close()
    assert list(full.columns) == list(WINDOW_COUNTS)
    assert full["pulls"].loc["alice"].tolist() == [0, 1, 0, 0]
    assert full["pulls"].loc["bob"].tolist() == [0, 0, 0, 1]
    assert full["pulls"].loc["bob"].index[0] == START
    assert (full.dtypes == "int64").all()
    assert dense(frame.iloc[:0], START, START + HOUR, HOUR).empty


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 40)), st.integers(1, 9), max_size=60))
def test_sliding_sums_are_plain_sums(cells: dict[tuple[int, int], int]) -> None:
    """The vectorised sum over the last hour equals adding up by hand, for any cells."""
    rows = sorted(cells)
    codes, starts = (np.array([row[at] for row in rows], dtype=np.int64) for at in (0, 1))
    amounts = np.array([cells[row] for row in rows], dtype=np.int64)
    expected = [sum(n for (c, s), n in cells.items() if c == code and at - 60 < 5 * s <= at) for code, at in _at(rows)]
    assert sliding_sums(codes, 5 * starts, amounts, 60).tolist() == expected


def _at(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(code, 5 * start) for code, start in rows]


def test_features_of_an_hour(tmp_path: Path) -> None:
    """Counts as logarithms, shares of requests, and repositories that are new to the actor."""
    made = Made()
    made.pull(START, "alice", "192.0.2.1", "shop/a")
    for minute in range(3):
        made.pull(START + timedelta(minutes=60 + minute), "alice", "192.0.2.1", f"shop/{'abc'[minute]}")
    made.refuse(START + timedelta(minutes=65), "alice", "192.0.2.1")
    store = made.store(tmp_path)
    features = actor_hours(store, START, START + 2 * HOUR)
    store.close()
    second = features.loc[("alice", START + HOUR)]
    assert second["pulls"] == 2.0
    assert second["denied_share"] == 1 / (4 + 4)
    assert 2 ** second["new_repositories"] - 1 == 2
    assert not features.isna().any().any()
