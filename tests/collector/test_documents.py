"""Documents of JSON in blocks of lines."""

from __future__ import annotations

import json

from format_samples import block, cut

from collector.documents import documents
from collector.lines import count_lines

PRETTY = json.dumps({"events": [{"a": "}]{["}, {"b": [1, 2]}]}, indent=3).encode() + b"\n"
COMPACT = b'{"events":[]}\n'


def values(data: bytes, lines: int) -> list[object]:
    """What the documents hold when the data comes in blocks of so many lines."""
    found = []
    for piece in cut(data, lines):
        parts = list(documents(piece))
        assert sum(part.lines for part in parts) == count_lines(piece.data)
        found += [part.value for part in parts if part.raw and not part.reason]
    return found


def test_documents_over_many_lines_survive_any_cut() -> None:
    """A document is told once, by the block that holds its last line; brackets inside strings are text."""
    data = PRETTY + b"\n" + COMPACT + PRETTY
    expected = [json.loads(PRETTY), json.loads(COMPACT), json.loads(PRETTY)]
    for lines in range(1, count_lines(data) + 1):
        assert values(data, lines) == expected, lines


def test_a_torn_document_hides_no_other() -> None:
    """What begins and does not end is given up where the next begins, or where the file ends."""
    torn = PRETTY[: len(PRETTY) // 2] + b"\n"
    data = torn + COMPACT + b'{"half": \n' + b"plain text\n" + PRETTY[:20]
    parts = list(documents(block(data)))
    assert [part.value for part in parts if part.raw and not part.reason] == [json.loads(COMPACT)]
    reasons = [part.reason for part in parts if part.reason]
    assert reasons == [
        "document without an end",
        "torn or mutated JSON",
        "no JSON document begins here",
        "document without an end",
    ]
    assert sum(part.lines for part in parts) == count_lines(data)


def test_the_beginning_of_a_document_waits() -> None:
    """In a file that still grows the first lines of a document are ignored, not rejected."""
    parts = list(documents(block(PRETTY[:17], final=False)))
    assert [(part.lines, part.reason, part.raw) for part in parts] == [(1, "", b""), (1, "", b"")]


def test_a_comma_behind_the_last_item_says_nothing() -> None:
    """Hand-made examples have them; inside strings everything stays as it is, and nothing else is mended."""
    data = b'[{\n  "a": ",]",\n  "b": [1, 2,],\n},\n]\n' + b'{"a": ",}\\",]", }\n' + b"[1,,2]\n" + b'{"a" 1,}\n'
    parts = list(documents(block(data)))
    assert [part.value for part in parts if not part.reason] == [[{"a": ",]", "b": [1, 2]}], {"a": ',}",]'}]
    assert [part.reason for part in parts if part.reason] == ["torn or mutated JSON", "torn or mutated JSON"]
