"""Documents of records as lines: whatever the pieces they come in, every record once, and nothing lost that is none."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.record_lines import RecordLines


class Pieces:
    """Gives a few bytes at a time, as a network does."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = io.BytesIO(data), size

    def read1(self, size: int, /) -> bytes:
        return self._data.read(min(self._size, size))

    def close(self) -> None:
        self._data.close()


def lines(data: bytes, piece: int = 1 << 20, size: int = 1 << 20) -> bytes:
    stream = RecordLines(Pieces(data, piece))
    return b"".join(iter(lambda: stream.read1(size), b""))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
records = st.lists(st.dictionaries(st.text(), values, max_size=5), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    records,
    st.integers(min_value=1, max_value=70),
    st.sampled_from((1, 9, 1 << 20)),
    st.sampled_from((None, 3)),
    st.booleans(),
)
def test_every_record_is_one_line(found: list[Any], piece: int, size: int, indent: int | None, plain: bool) -> None:
    """Pretty-printed or not, with brackets, quotes and escapes inside of strings, two documents one behind the other."""
    document = json.dumps({"Records": found}, indent=indent, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    given_lines = [line for line in lines(document + b"\n" + document, piece, size).split(b"\n") if line.strip()]
    assert [json.loads(line.decode("utf-8", "surrogatepass")) for line in given_lines] == found * 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text\nof two lines\n",
        b'{"Recor',
        b'{"events":[{"a":1}]}\n',
        b'{"records":{"a":[]}}',
        b"\n\n  \n",
        b'  {"Records"',
        b" " * 2_000 + b'{"Records":[{"a":1}]}',
        b'{"a":1}\n' * 1_000,
        bytes(range(256)) * 40,
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 1_000])
def test_whatever_is_no_such_document_is_left_alone(data: bytes, piece: int) -> None:
    """Byte for byte, in whatever pieces it comes."""
    assert lines(data, piece) == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"Records":[{"a":1},{"b":"x\\', b'{"a":1}\n{"b":"x\\'),
        (b'{"Records":[{"a":1}],"z":2}\n', b'{"a":1}\n],"z":2}\n'),
        (b'{"Records":[1,{"b":2}]}', b'1,{"b":2}]}'),
        (b'{"Records":[{"b":2}]', b'{"b":2}\n]'),
        (b'{"Records":[]}\n', b""),
    ],
)
@pytest.mark.parametrize("piece", [1, 4, 1_000])
def test_what_is_torn_or_foreign_stays_to_be_seen(data: bytes, expected: bytes, piece: int) -> None:
    """It comes out as lines that nobody can read, and so as dead letters, instead of vanishing."""
    assert lines(data, piece) == expected


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_an_export_of_quays_logs(piece: int) -> None:
    """All its rows stand in one line, however many there are."""
    head = b'{\n  "export_id": "0b7d6a52",\n  "details": {"namespace": "payments", "repository": null},\n  "logs": [\n'
    whole = head + b'{"kind": "pull_repo"},{"kind": "push_repo"},\n {"terminator": true}]\n }'
    assert lines(whole, piece) == b'{"kind": "pull_repo"}\n{"kind": "push_repo"}\n{"terminator": true}\n'
