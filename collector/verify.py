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
from collector.identity import HEAD_BYTES, TAIL_BYTES, content_of, stream_id, tail_of
from collector.ledger import SEALS
from collector.losses import HOST
from collector.rotated import siblings
from collector.seals import Segment, segment_of, torn
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
    positions, cut = store.positions(), _cut_streams(store)
    for position in positions:
        checked = _chain_of(store, position, since)
        if checked is None:
            continue
        if left is None or left > 0:
            alike = [p for p in positions if p is not position and content_of(p.stream) == content_of(position.stream)]
            _compare(checked, position, alike, cut)
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
        segment_of(each) for key in sorted(notes) for each in notes[key]["segments"] if each["end"] <= position.offset
    ]
    kept = [segment for segment in kept if segment.number < int(end["number"])]
    last = segment_of({**end, "end": position.offset, "link": ""})
    chosen = [s for s in [*kept, *([last] if last.end > last.start else [])] if since is None or s.at >= since]
    if not chosen:
        return None
    path = str(position.detail.get("path", ""))
    return Checked(
        stream=position.stream, path=path, source=str(end["source"]), segments=chosen, torn=torn(kept, str(end["link"]))
    )


# the files


def _cut_streams(store: Asked) -> set[str]:
    """Streams whose file was cut while it was read: a copy of it may be shorter than what was read."""
    return {note["stream"] for note in store.notes(gaps.NOTES).values() if note["kind"] in _CUT}


def _compare(checked: Checked, position: Position, alike: list[Position], cut: set[str]) -> None:
    """`alike`: the other streams with the same first line."""
    whole = sum(segment.end - segment.start for segment in checked.segments)
    if position.detail.get("host") != HOST or not checked.path:
        checked.gone = whole
        return
    best: tuple[int, list[Segment], list[Segment], str] | None = None
    for path in dict.fromkeys([checked.path, *(each.path for each in reversed(siblings(checked.path)))]):
        looked = _look(path, checked, position)
        if looked is None or (not looked[0] and _is_of_another(path, alike)):
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


def _is_of_another(path: str, alike: list[Position]) -> bool:
    """Whether one of these streams was read from this file: then it is theirs, however it begins."""
    for other in alike:
        length = min(TAIL_BYTES, other.offset)
        try:
            content = open_content(path)
        except OSError:
            return False
        try:
            before = content.at(other.offset - length, length)
        finally:
            content.close()
        if len(before) == length and tail_of(before) == other.detail.get("tail"):
            return True
    return False


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
        content = content_of(checked.stream)
        there = _inside(places[content], segment)
        if there < segment.places:
            letters = {letter.offset for letter in store.dead_letters(limit=100_000, stream=content)}
            refused = max(0, _inside(letters, segment) - segment.letters)  # events that the store would not take
            if there + refused < segment.places:
                checked.missing[segment.number] = segment.places - there - refused


def _inside(offsets: set[int], segment: Segment) -> int:
    return sum(segment.start <= offset < segment.end for offset in offsets)
