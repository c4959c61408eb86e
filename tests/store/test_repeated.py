"""Which ids several rows have is found out once for the files of many days, and answers for every part of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from store import embedded, sql
from store.contract import EventQuery
from store.delta_repeated import Repeated
from store.embedded import EmbeddedStore
from store.event import schema

START, DAY = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1)
DAYS = 12


def _store(path: Path) -> EmbeddedStore:
    """A file a day with three events; of some events another part is in the file of the next day, or in the same one."""
    store = EmbeddedStore(path)
    for day in range(DAYS):
        numbers = [
            10 * day,
            10 * day + 1,
            10 * day + 2,
            *([10 * day - 8] if day in (4, 9) else []),
            *([61] if day == 6 else []),
        ]
        rows = [
            {
                "event_id": f"r-{number}",
                "timestamp": START + day * DAY + timedelta(hours=place),
                "stream": "s",
                "offset": 100 * day + place,
                "actor": "ann" if place % 2 else None,
                "channel": "application" if place > 2 else "access",
            }
            for place, number in enumerate(numbers)
        ]
        store.commit(pa.Table.from_pylist(rows, schema=schema()), [])
    return store


def _answers(path: Path) -> list[list[dict[str, Any]]]:
    store = EmbeddedStore(path)
    asked = [
        EventQuery(since=START + day * DAY - before, until=START + (day + 1) * DAY, actor=actor)
        for day in range(DAYS)
        for before in (timedelta(0), timedelta(hours=3), 2 * DAY)
        for actor in (None, "ann")
    ]
    found = [list(store.events(query)) for query in asked]
    store.close()
    return found


def test_a_long_past_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Question after question goes on by days: few of them look for ids, and all say what each would have found out alone."""
    _store(tmp_path / "store").close()
    looked, repeated = 0, sql.repeated

    def counting(source: str) -> str:
        nonlocal looked
        looked += "$" in source  # files, and no table of the few events that an account may have
        return repeated(source)

    monkeypatch.setattr(sql, "repeated", counting)
    ahead = _answers(tmp_path / "store")
    assert 0 < looked < DAYS
    monkeypatch.setattr(embedded, "LOOKED_AHEAD", -DAY)
    monkeypatch.setattr(Repeated, "of", lambda *_: None)
    looked = 0
    assert _answers(tmp_path / "store") == ahead
    assert looked > DAYS
    assert sum(len(found) > len({one["event_id"] for one in found}) for found in ahead) == 0


def test_rows_in_several_files_answer_for_some_of_them() -> None:
    """An id counts where two of its rows are in the files asked for; what was not looked through is not known."""
    known, files = Repeated(), frozenset("abcd")
    known.keep_rows(files, pa.table({"h": pa.array([1, 1, 2, 2, 3, 3], pa.uint64()), "file": list("abbbcd")}))
    for some, hashes in (("ab", [1, 2]), ("ac", []), ("bcd", [2, 3]), ("b", [2]), ("abcd", [1, 2, 3])):
        found = known.of(frozenset(some))
        assert found is not None
        assert sorted(found["h"].to_pylist()) == hashes
    assert known.of(frozenset("ae")) is None
    assert known.of(None) is None
