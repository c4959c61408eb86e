"""Which JSON fields lines have, by name: a name that no known release wrote is the first sign of a new one.

`known_fields.json` holds, by format, the names in the samples that the formats are tested with (`regsight.format_table`
writes it).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from collector.lines import split_lines
from collector.wrappers import unwrap

KNOWN_FILE = Path(__file__).with_name("known_fields.json")
DEEPEST = 3
LONGEST_NAME = 64
MOST_NAMES = 400  # of one document
MOST_DOCUMENT_BYTES = 1 << 20
MANY_BYTES = 1 << 20  # not all split into lines to look at a few
# Objects whose keys a client or an administrator chooses: their names say nothing about the release.
CHOSEN_BY_OTHERS = frozenset(("headers", "custom_attributes", "annotations", "labels", "tags", "vars", "env"))
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def known_fields() -> dict[str, frozenset[str]]:
    """Format → the names in its samples."""
    return {name: frozenset(fields) for name, fields in json.loads(KNOWN_FILE.read_text(encoding="utf-8")).items()}


def names_in(data: bytes, most: int) -> Iterator[tuple[int, frozenset[str]]]:
    """(offset in `data`, names) of up to `most` lines that are JSON objects or arrays, spread over `data`; of the whole
    if it is one document over many lines. Names of inner objects are joined with dots: `target.mediaType`.
    """
    found = False
    for offset, line in _spread(data, most):
        inner = unwrap(line, _ANY_TIME)[0]
        if inner[:1] in (b"{", b"[") and len(inner) > 2 and (value := _load(inner)) is not None:
            found = True
            yield offset, names_of(value)
    if not found and data.lstrip()[:1] in (b"{", b"[") and (value := _load(data)) is not None:
        yield 0, names_of(value)


def _spread(data: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """Up to `most` lines, evenly out of few; out of many bytes the first line behind each of `most` places."""
    if len(data) <= MANY_BYTES:
        lines = list(split_lines(data, 0))
        yield from lines[:: max(1, len(lines) // most)][:most]
        return
    begin = end = 0
    for place in range(0, len(data), -(-len(data) // most)):
        if place:
            begin = data.find(b"\n", place - 1) + 1
        if (begin and begin <= end) or begin >= len(data) or (place and not begin):
            continue  # a line so long that it reaches over the next place
        end = data.find(b"\n", begin)
        end = len(data) if end < 0 else end
        yield begin, data[begin:end].rstrip(b"\r")


def names_of(value: Any) -> frozenset[str]:
    names: set[str] = set()
    _collect(value, "", 1, names)
    return frozenset(names)


def _collect(value: Any, before: str, depth: int, names: set[str]) -> None:
    if isinstance(value, list):
        for each in value[:100]:
            _collect(each, before, depth, names)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if len(names) >= MOST_NAMES:
                return
            if len(key) > LONGEST_NAME or not key.isprintable():
                continue
            names.add(before + key)
            if depth < DEEPEST and key.lower() not in CHOSEN_BY_OTHERS:
                _collect(inner, f"{before}{key}.", depth + 1, names)


def _load(data: bytes) -> Any:
    try:
        return orjson.loads(data) if len(data) <= MOST_DOCUMENT_BYTES else None
    except ValueError:
        return None
