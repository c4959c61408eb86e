"""The sealed segments of a stream as they lie in the store, and whether their chain is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collector.ledger import link_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes [start, end) as they were read. `places`: lines that gave events, with times within `span`."""

    number: int
    start: int
    end: int
    digest: str
    link: str
    at: datetime
    places: int
    letters: int
    span: tuple[datetime, datetime] | None


def segment_of(note: Mapping[str, Any]) -> Segment:
    """As `collector.ledger` writes it."""
    span = note.get("span")
    return Segment(
        number=int(note["number"]),
        start=int(note["start"]),
        end=int(note["end"]),
        digest=str(note["digest"]),
        link=str(note["link"]),
        at=datetime.fromisoformat(note["at"]),
        places=int(note["places"]),
        letters=int(note["letters"]),
        span=(datetime.fromisoformat(span[0]), datetime.fromisoformat(span[1])) if span else None,
    )


def torn(segments: list[Segment], last: str) -> str:
    """What is wrong with the chain, of which `last` is the link in the position; empty if nothing is."""
    before = ""
    for number, segment in enumerate(segments):
        if segment.number != number:
            return f"segment {number} is not there"
        if segment.link != link_of(before, segment.start, segment.end, segment.digest):
            return f"segment {number} (bytes {segment.start} to {segment.end}) was changed"
        before = segment.link
    return "" if before == last else "the last segments are not there"
