"""Bodies of bulk requests made from columns are what `json` makes of the documents row by row."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from store.bulk import _alone, _neighbours
from store.bulk_body import body, chunks, create_lines
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


@pytest.mark.parametrize("seed", range(5))
def test_the_documents_are_the_same(seed: int) -> None:
    rows = rows_of(seed)
    if seed == 0:  # as nearly all batches are: nothing to escape, one line each
        for row in rows:
            row |= {field.name: row[field.name] and "plain" for field in FIELDS if field.kind == "string"}
            row |= {"event_id": f"r-{row['timestamp']:%f}", "parts": ["s:1"]}
    lines = create_lines(pa.Table.from_pylist(rows, schema=schema()), "events-a").to_pylist()
    for row, line in zip(rows, lines, strict=True):
        action, source, end = line.split("\n") if isinstance(line, str) else line.decode().split("\n")
        index = f"events-a-{row['timestamp']:%Y.%m.%d}"
        assert json.loads(action) == {"create": {"_index": index, "_id": row["event_id"]}}
        assert json.loads(source) == document([row])
        assert end == ""


def test_requests_are_cut_by_rows_and_by_bytes() -> None:
    """Every row is in one request; a row larger than a request is one alone."""
    lines = pa.array(["a" * 10, "b" * 10, "c" * 50, "d" * 10, "e" * 10, "f" * 10])[1:]
    cut = list(chunks(lines, 2, 30))
    assert cut == [(0, 1), (1, 2), (2, 4), (4, 5)]
    assert b"".join(bytes(body(lines, *one)) for one in cut) == "".join(lines.to_pylist()).encode()


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
