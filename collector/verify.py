"""Are the logs, and the rows made of them, still what was read? Sealed segments against the files and the store.

A file that is still there is found by its first line or its inode, beside the place where it was read. Of one that is gone
only the chain itself and the rows can be checked. Run where the logs are: a file of another machine counts as gone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Protocol

from collector import gaps
from collector.content import PlainContent, StreamContent, open_content
from collector.gaps import Gap, GapLog
from collector.identity import HEAD_BYTES, content_of, stream_id
from collector.ledger import SEALS, link_of
from collector.losses import HOST
from collector.rotated import siblings
from store.contract import DeadLetter, EventQuery, Position

log = logging.getLogger(__name__)

STEP = 1 << 20
_CUT = (gaps.COPYTRUNCATE, gaps.TRUNCATED)


class Asked(Protocol):
    """What is asked of a store here."""

    def positions(self) -> list[Position]: ...

    def notes(self, prefix: str) -> dict[str, dict[str, Any]]: ...

    def note(self, key: str) -> dict[str, Any] | None: ...

    def put_note(self, key: str, value: Mapping[str, Any]) -> None: ...

    def parts(self, query: EventQuery) -> Iterator[dict[str, Any]]: ...

    def span(self) -> tuple[datetime, datetime] | None: ...

    def dead_letters(self, limit: int = 100, stream: str | None = None) -> list[DeadLetter]: ...


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
    span: tuple[datetime, datetime] | None


@dataclass(slots=True, kw_only=True)
class Checked:
    """One stream. Bytes: `same` as they were read, `gone` from the disk. `changed`, `torn` and `missing` are what is wrong."""

    stream: str
    path: str
    source: str
    segments: list[Segment]
    found: str = ""  # the file that was compared
    same: int = 0
    gone: int = 0
    changed: list[Segment] = field(default_factory=list)
    torn: str = ""  # what is wrong with the chain itself
    missing: dict[int, int] = field(default_factory=dict)  # segment's number → lines whose events are not in the store

    @property
    def good(self) -> bool:
        return not (self.changed or self.torn or self.missing)


def verify(
    store: Asked, since: datetime | None = None, rows: bool = True, most_bytes: int | None = None
) -> list[Checked]:
    """Every stream that was sealed after `since`. With `most_bytes` files are compared as far as that goes.

    Raises:
        Unavailable: the store did not answer.
    """
    found, left = [], most_bytes
    for position in store.positions():
        checked = _chain_of(store, position, since)
        if checked is None:
            continue
        if left is None or left > 0:
            _compare(checked, position, _cut_streams(store))
            left = None if left is None else left - checked.same - sum(s.end - s.start for s in checked.changed)
        found.append(checked)
    if rows:
        _look_for_rows(store, found)
    return found


def tell(store: Asked, found: Iterable[Checked], now: datetime, log: GapLog | None = None) -> int:
    """Keep what is wrong as gaps, of which findings are made. How many."""
    log, count = log or GapLog(store), 0
    for checked in found:
        for gap in _gaps(checked, now):
            log.notice(gap)
            count += 1
    return count


def _gaps(checked: Checked, now: datetime) -> Iterator[Gap]:
    for segment in checked.changed:
        yield Gap(
            kind=gaps.REWRITTEN,
            source=checked.source,
            path=checked.found or checked.path,
            stream=checked.stream,
            offset=segment.start,
            bytes=segment.end - segment.start,
            start=segment.at,
            end=now,
            text="these bytes are not those that were read; the events in the store are still those of the original",
        )
    if checked.torn:
        yield Gap(
            kind=gaps.ROWS_MISSING,
            source=checked.source,
            path=checked.path,
            stream=checked.stream,
            start=checked.segments[0].at,
            end=now,
            text=f"the chain of seals in the store does not fit: {checked.torn}",
            discriminator="chain",
        )
    by_number = {segment.number: segment for segment in checked.segments}
    for number, lines in checked.missing.items():
        segment = by_number[number]
        yield Gap(
            kind=gaps.ROWS_MISSING,
            source=checked.source,
            path=checked.path,
            stream=checked.stream,
            offset=segment.start,
            lines=lines,
            start=segment.span[0] if segment.span else segment.at,
            end=segment.span[1] if segment.span else now,
            text="events of these lines were stored and are not in the store any more",
        )


def _chain_of(store: Asked, position: Position, since: datetime | None) -> Checked | None:
    end = position.detail.get("seal")
    if not end:
        return None
    notes = store.notes(f"{SEALS}{position.stream}/")
    kept = [
        _segment(each) for key in sorted(notes) for each in notes[key]["segments"] if each["end"] <= position.offset
    ]
    kept = [segment for segment in kept if segment.number < int(end["number"])]
    last = _segment({**end, "end": position.offset, "link": ""})
    torn = _torn(kept, str(end["link"]))
    chosen = [s for s in [*kept, *([last] if last.end > last.start else [])] if since is None or s.at >= since]
    if not chosen:
        return None
    path = str(position.detail.get("path", ""))
    return Checked(stream=position.stream, path=path, source=str(end["source"]), segments=chosen, torn=torn)


def _segment(note: Mapping[str, Any]) -> Segment:
    span = note.get("span")
    return Segment(
        number=int(note["number"]),
        start=int(note["start"]),
        end=int(note["end"]),
        digest=str(note["digest"]),
        link=str(note["link"]),
        at=datetime.fromisoformat(note["at"]),
        places=int(note["places"]),
        span=(datetime.fromisoformat(span[0]), datetime.fromisoformat(span[1])) if span else None,
    )


def _torn(segments: list[Segment], last: str) -> str:
    before = ""
    for number, segment in enumerate(segments):
        if segment.number != number:
            return f"segment {number} is not there"
        if segment.link != link_of(before, segment.start, segment.end, segment.digest):
            return f"segment {number} (bytes {segment.start} to {segment.end}) was changed"
        before = segment.link
    return "" if before == last else "the last segments are not there"


# the files


def _cut_streams(store: Asked) -> set[str]:
    """Streams whose file was cut while it was read: a copy of it may be shorter than what was read."""
    return {note["stream"] for note in store.notes(gaps.NOTES).values() if note["kind"] in _CUT}


def _compare(checked: Checked, position: Position, cut: set[str]) -> None:
    whole = sum(segment.end - segment.start for segment in checked.segments)
    if position.detail.get("host") != HOST or not checked.path:
        checked.gone = whole
        return
    best: tuple[int, list[Segment], list[Segment], str] | None = None
    for path in dict.fromkeys([checked.path, *(each.path for each in reversed(siblings(checked.path)))]):
        looked = _look(path, checked, position)
        if looked is None:
            continue
        same, changed, short = looked
        if best is None or same > best[0]:
            best = (same, changed, short, path)
        if not changed and not short:
            break
    if best is None:
        checked.gone = whole
        return
    checked.same, checked.changed, short, checked.found = best
    if checked.stream not in cut:
        checked.changed = sorted([*checked.changed, *short], key=lambda segment: segment.start)
    checked.gone = whole - checked.same - sum(segment.end - segment.start for segment in checked.changed)


def _look(path: str, checked: Checked, position: Position) -> tuple[int, list[Segment], list[Segment]] | None:
    """Bytes that are as they were, segments that are not, and those behind its end; None for another file."""
    try:
        content = open_content(path)
    except OSError:
        return None
    try:
        known = stream_id(content.at(0, 2 * HEAD_BYTES), final=True) == content_of(checked.stream)
        if not known and not _same_inode(content, position):
            return None
        same, changed, short = 0, [], []
        for segment in checked.segments:
            digest, length = _digest(content, segment)
            if digest == segment.digest:
                same += length
            elif length < segment.end - segment.start:
                short.append(segment)
            else:
                changed.append(segment)
    except (OSError, ValueError):
        return None
    finally:
        content.close()
    # With another first line it is this file only if something of it is as it was: a log that was cut begins anew.
    return (same, changed, short) if known or same else None


def _same_inode(content: PlainContent | StreamContent, position: Position) -> bool:
    if not isinstance(content, PlainContent):
        return False
    status = content.status()
    return (status.st_dev, status.st_ino) == (position.detail.get("dev"), position.detail.get("inode"))


def _digest(content: PlainContent | StreamContent, segment: Segment) -> tuple[str, int]:
    hashed, at = blake2b(digest_size=16), segment.start
    while at < segment.end and (piece := content.at(at, min(STEP, segment.end - at))):
        hashed.update(piece)
        at += len(piece)
    return hashed.hexdigest(), at - segment.start


# the rows


def _look_for_rows(store: Asked, found: list[Checked]) -> None:
    """Distinct places (stream, offset) in the store against those that gave events."""
    kept = store.span()
    oldest = kept[0].replace(hour=0, minute=0, second=0, microsecond=0) if kept else datetime.max.replace(tzinfo=UTC)
    # Days that were dropped on purpose cannot be asked for.
    wanted = [(c, s) for c in found for s in c.segments if s.places and s.span and (s.span[0] >= oldest or not kept)]
    if not wanted:
        return
    first = min(segment.span[0] for _, segment in wanted if segment.span)
    last = max(segment.span[1] for _, segment in wanted if segment.span)
    contents = {content_of(checked.stream) for checked, _ in wanted}
    places: dict[str, set[int]] = {content: set() for content in contents}
    if kept:
        for part in store.parts(EventQuery(since=first, until=last + timedelta(microseconds=1))):
            if part["stream"] in places:
                places[part["stream"]].add(part["offset"])
    for checked, segment in wanted:
        offsets = places[content_of(checked.stream)]
        letters = {letter.offset for letter in store.dead_letters(limit=100_000, stream=content_of(checked.stream))}
        there = sum(segment.start <= offset < segment.end for offset in offsets | letters)
        if there < segment.places:
            checked.missing[segment.number] = segment.places - there
