"""Functions over columns: what they say of each row, and how often they are asked."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

import collector.distinct
from collector.distinct import filled, grouped, mapped, numbered_once

NAMES = ("a", "b", "c")


def table(seed: int, rows: int) -> pa.Table:
    chance = random.Random(seed)
    values = {name: [chance.choice([None, "", "x", "y", f"{name}{n % 17}"]) for n in range(rows)] for name in NAMES}
    whole = pa.table({name: pa.array(column, pa.string()) for name, column in values.items()})
    return pa.concat_tables([whole[: rows // 3], whole[rows // 3 :]])  # as a batch of several blocks is


@pytest.mark.parametrize("most", [1 << 62, 10], ids=["at-once", "numbered-anew"])
@pytest.mark.parametrize("rows_there", [40, 500], ids=["few", "many"])
@pytest.mark.parametrize("seed", range(3))
def test_each_combination_is_asked_once(monkeypatch: pytest.MonkeyPatch, seed: int, most: int, rows_there: int) -> None:
    """And each row has what was said of its own values, null as null; also where the codes would overflow."""
    monkeypatch.setattr(collector.distinct, "_MOST_CODES", most)
    events, asked = table(seed, rows_there), []

    def say(*values: str | None) -> tuple[str | None, ...]:
        asked.append(values)
        return values

    said = grouped(events, NAMES, say)
    rows = list(zip(*(events[name].to_pylist() for name in NAMES), strict=True))
    assert sorted(map(repr, asked)) == sorted(map(repr, set(rows)))
    for place in range(len(NAMES)):
        assert said.column(lambda values, place=place: values[place]).to_pylist() == [row[place] for row in rows]


def test_one_column() -> None:
    asked = []
    said = mapped(table(5, 100), "a", lambda value: asked.append(value) or value.upper() or None)
    assert len(asked) == len(set(asked)) and None not in asked
    assert said.to_pylist() == [value.upper() or None if value else None for value in table(5, 100)["a"].to_pylist()]


def test_no_row_at_all() -> None:
    empty = table(1, 0)
    assert grouped(empty, NAMES, lambda *_: "x").column(lambda one: one).to_pylist() == []
    assert filled(empty, a=mapped(empty, "b", str)).schema.equals(empty.schema)


def test_numbered_once_changes_no_answer() -> None:
    """Arrays that come and go, at the addresses of others that went: within, as without."""

    def chain(seed: int) -> pa.Table:
        events = table(seed, 300).combine_chunks()
        events = filled(events, b=mapped(events, "a", lambda value: value[:1] or None))
        events = filled(events, c=grouped(events, ("b", "c"), lambda *one: repr(one)).column(lambda said: said))
        return filled(events, a=mapped(events, "b", lambda value: f"{value}!"))

    plain = [chain(seed) for seed in range(20)]
    with numbered_once():
        assert [chain(seed) for seed in range(20)] == plain
    for seed in range(20):
        with numbered_once():
            assert chain(seed) == plain[seed]
