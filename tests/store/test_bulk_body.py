"""Bodies of bulk requests made from columns are what `json` makes of the documents row by row."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from three_paths import needs_native

from store import bulk_body
from store.bulk import _alone, _neighbours
from store.bulk_body import bodies
from store.event import FIELDS, schema
from store.mapping import document

TEXTS = (None, "", "plain", 'quo"te', "back\\slash", "line\nbreak", "\x00\x1f\x7f", "ünï", "日本", "\u2028", "1" * 600)


def rows_of(seed: int, count: int = 80) -> list[dict]:
    chance = random.Random(seed)
    made = []
    for number in range(count):
        moment = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(microseconds=chance.randrange(10**12))
        values = {
            "string": lambda: chance.choice(TEXTS),
            "strings": lambda: chance.choice([None, [], ["a"], ["b:1", 'c"']]),
            "int": lambda: chance.choice([None, 0, -5, 2**62]),
            "float": lambda: chance.choice([None, 0.5]),
            "bool": lambda: chance.choice([None, True, False]),
            "time": lambda moment=moment: chance.choice([None, moment]),
        }
        row = {field.name: values[field.kind]() for field in FIELDS}
        made.append(row | {"event_id": f"{number}" + chance.choice(["", "x", '"']), "timestamp": moment})
    return made


@pytest.fixture(params=[pytest.param("compiled", marks=needs_native), "columns"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How bodies are made."""
    if request.param == "columns":
        monkeypatch.setattr(bulk_body, "compiled", lambda: None)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(5))
def test_the_documents_are_the_same(seed: int) -> None:
    rows = rows_of(seed)
    if seed == 0:  # as nearly all batches are: nothing to escape, one line each
        for row in rows:
            row |= {field.name: row[field.name] and "plain" for field in FIELDS if field.kind == "string"}
            row |= {"event_id": f"r-{row['timestamp']:%f}", "parts": ["s:1"]}
    some = [pa.Table.from_pylist(part, schema=schema()) for part in (rows[:30], rows[30:])]
    made = bodies(pa.concat_tables(some), "events-a", 50, 1 << 20)
    assert [cut for *cut, _ in made] == [[0, 50], [50, 80]]
    lines = b"".join(body for *_, body in made).split(b"\n")
    assert lines.pop() == b""
    for row, action, source in zip(rows, lines[::2], lines[1::2], strict=True):
        index = f"events-a-{row['timestamp']:%Y.%m.%d}"
        assert json.loads(action) == {"create": {"_index": index, "_id": row["event_id"]}}
        assert json.loads(source) == document([row])


@pytest.mark.usefixtures("way")
def test_requests_are_cut_by_rows_and_by_bytes(row, table) -> None:
    """Every row is in one request; a row larger than a request is one alone."""
    rows = [row(number, uri="x" * (500 if number == 3 else 5)) for number in range(1, 7)]
    events, small = table(*rows)[1:], len(bodies(table(rows[0]), "e", 9, 1)[0][2])
    assert [cut for *cut, _ in bodies(events, "e", 2, 2 * small)] == [[0, 1], [1, 2], [2, 4], [4, 5]]
    assert [cut for *cut, _ in bodies(events, "e", 9, 2 * small - 1)] == [[at, at + 1] for at in range(5)]
    lines = b"".join(body for *_, body in bodies(events, "e", 2, 2 * small)).splitlines()
    assert [json.loads(line)["create"]["_id"] for line in lines[::2]] == events["event_id"].to_pylist()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("year", [1, 1969, 1970, 2000, 9998])
def test_days_of_any_year(year: int, row, table) -> None:
    moment = datetime(year, 12, 31, 23, 59, 59, 7, tzinfo=UTC)
    action, source, _ = bodies(table(row(1, timestamp=moment)), "e", 9, 999)[0][2].split(b"\n")
    assert json.loads(action)["create"]["_index"] == f"e-{year:04}.12.31"
    assert json.loads(source)["@timestamp"] == f"{year:04}-12-31T23:59:59.000007Z"


def test_what_may_have_other_parts_goes_another_way(row, table) -> None:
    """Ids that two rows have or that are too long; joined rows within an hour of midnight once the neighbour was asked."""
    midnight = datetime(2026, 11, 2, tzinfo=UTC)
    rows = [
        row(1),
        row(1, channel="application"),
        row(2),
        row(3, event_id="x" * 513),
        row(4, request_id="q", timestamp=midnight + timedelta(minutes=59)),
        row(5, request_id="q", timestamp=midnight + timedelta(minutes=60)),
        row(6, request_id="q", timestamp=midnight - timedelta(minutes=60)),
        row(7, join_confidence="likely", timestamp=midnight - timedelta(minutes=61)),
        row(8, timestamp=midnight),
    ]
    alone, near = _alone(table(*rows))
    assert alone.to_pylist() == [False, False, True, False, True, True, True, True, True]
    assert near.to_pylist() == [False, False, False, False, True, False, True, False, False]


def test_the_nearer_neighbour() -> None:
    times = [
        datetime(2026, 3, 1, 0, 59, tzinfo=UTC),
        datetime(2026, 2, 28, 23, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ]
    found = _neighbours(pa.array(times, pa.timestamp("us", "UTC")), "e")
    assert found == ["e-2026.02.28", "e-2026.03.01", "e-2026.12.31"]
