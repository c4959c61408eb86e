"""Blocks into rows and dead letters: recognise the format of each stream, parse, check the count, enrich."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from collector.distinct import numbered_once
from collector.errors import CollectorError, UnknownFormat
from collector.feed import Feed, NamesFormat
from collector.lines import TOO_LONG, count_lines, split_lines
from collector.recognise import recognise
from collector.stages import Block, Enricher, Format, Parsed, Reject
from collector.whole_lines import BEFORE_BYTES, oversize
from store.contract import DeadLetter, Position

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

KEPT_BYTES = 64 << 10  # of a dead letter's line
UNKNOWN_FORMAT = "unknown format"
FORMAT_FAILED = "format failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreted:
    """What a block gave; the count of its lines has been checked (`Parsed.lines`). `digest`: that of its bytes, where they will
    be sealed alone (`collector.ledger`)."""

    lines: int
    events: pa.Table
    dead: list[DeadLetter]
    ignored: int
    after: Position
    digest: str = ""


class Interpreter:
    """Knows the formats, and which of them each stream is in. The choice travels in the position's detail, so that it
    is the same after a restart in the middle of a stream.
    """

    def __init__(self, formats: Sequence[Format], enrichers: Sequence[Enricher]) -> None:
        self._by_name = {format_.name: format_ for format_ in formats}
        self.enrichers = enrichers
        self._chosen: dict[str, Format] = {}

    def remember(self, position: Position) -> None:
        """Take over the choice of an earlier run."""
        if (format_ := self._by_name.get(str(position.detail.get("format", "")))) is not None:
            self._chosen[position.stream] = format_

    def knows(self, block: Block, feed: Feed) -> bool:
        """Whether the format of the stream is settled, so that its blocks may be interpreted in any order."""
        if feed.format is not None and not feed.own:
            return True
        return self._chosen.get(block.after.stream) in (feed.own or tuple(self._by_name.values()))

    def interpret(self, block: Block, feed: Feed, read_at: datetime) -> Interpreted:
        """Raises:
        UnknownFormat: the feed is strict and no format knows the stream, or the one it names does not exist.
        CollectorError: the feed is strict and a format broke its promises.
        """
        if block.problem:
            lines = count_lines(block.data)
            return self._result(block, lines, _all_rejected(block, block.problem), "", read_at)
        if oversize(block.data):
            whole = Reject(offset=block.offset, length=block.length, reason=TOO_LONG)
            return self._result(block, 1, _rejected([whole]), "", read_at)
        lines = count_lines(block.data)
        if not lines:
            return self._result(block, 0, _rejected([]), "", read_at)
        if feed.zone is not UTC:
            block = replace(block, zone=feed.zone)
        try:
            format_ = self._format_of(block, feed)
        except UnknownFormat:
            if feed.strict:
                raise
            return self._result(block, lines, _all_rejected(block, UNKNOWN_FORMAT), "", read_at)
        parsed = self._parse(format_, block, lines, feed.strict)
        return self._result(block, lines, parsed, format_.name, read_at)

    def _format_of(self, block: Block, feed: Feed) -> Format:
        name = feed.source.format_of(block) if isinstance(feed.source, NamesFormat) else feed.format
        if name is not None and not feed.own:
            if name not in self._by_name:
                raise UnknownFormat(sorted(self._by_name), block.data.partition(b"\n")[0], block.path)
            return self._by_name[name]
        known = feed.own or tuple(self._by_name.values())
        chosen = self._chosen.get(block.after.stream)
        if chosen is None or chosen not in known:  # the settings name others now: what stands before is in the old one
            before = block.before if chosen is None else b""
            head = (before + block.data[:BEFORE_BYTES])[-2 * BEFORE_BYTES :]
            chosen = self._chosen[block.after.stream] = recognise(head[:BEFORE_BYTES], known, block.path)
            log.info("format recognised", extra={"path": block.path, "format": chosen.name})
        return chosen

    def _parse(self, format_: Format, block: Block, lines: int, strict: bool) -> Parsed:
        """A format that fails must not stop the lines behind: they are kept as dead letters until it is mended."""
        try:
            parsed = format_.parse(block)
            if parsed.lines != lines:
                raise CollectorError(f"format {format_.name} accounts for {parsed.lines} of {lines} lines")
        except Exception as error:
            if strict:
                raise CollectorError(f"format {format_.name} failed on {block.path} at {block.offset}") from error
            log.exception("format failed", extra={"format": format_.name, "path": block.path, "offset": block.offset})
            return _all_rejected(block, FORMAT_FAILED)
        return parsed

    def _result(self, block: Block, lines: int, parsed: Parsed, format_name: str, read_at: datetime) -> Interpreted:
        events = parsed.events
        if events.num_rows:
            events = _untimed_at(events, read_at)
            events = with_time(events, "read_at", read_at)
            with numbered_once():
                for enrich in self.enrichers:
                    events = enrich(events)
        detail = {**block.after.detail, "format": format_name} if format_name else block.after.detail
        return Interpreted(
            lines=lines,
            events=events,
            dead=[_letter(block, reject, format_name, read_at) for reject in parsed.rejects],
            ignored=parsed.ignored,
            after=replace(block.after, detail=detail),
        )


def _rejected(rejects: list[Reject]) -> Parsed:
    from store.event import schema

    return Parsed(events=schema().empty_table(), rejects=rejects)


def _all_rejected(block: Block, reason: str) -> Parsed:
    lines = split_lines(block.data, block.offset)
    return _rejected([Reject(offset=offset, length=len(line), reason=reason) for offset, line in lines])


def _letter(block: Block, reject: Reject, format_name: str, read_at: datetime) -> DeadLetter:
    start = reject.offset - block.offset
    return DeadLetter(
        stream=block.after.stream if block.end is None else block.stream,
        offset=reject.offset,
        length=reject.length,
        reason=reject.reason,
        line=block.data[start : start + min(reject.length, KEPT_BYTES)],
        path=block.path,
        format=format_name,
        read_at=read_at,
        registry=block.registry,
    )


def _untimed_at(events: pa.Table, read_at: datetime) -> pa.Table:
    """A line that says no time stands at the moment of reading: `timestamp == read_at` says so of a row, also later."""
    import pyarrow as pa
    import pyarrow.compute as pc

    untimed = pc.equal(events["timestamp"], events["read_at"])
    if not pc.any(untimed).as_py():
        return events
    field = events.schema.field("timestamp")
    times = pc.if_else(untimed, pa.scalar(read_at, field.type), events["timestamp"])
    return events.set_column(events.schema.get_field_index("timestamp"), field, times)


def with_time(events: pa.Table, column: str, moment: datetime) -> pa.Table:
    """The table with one time in every row of a column."""
    import pyarrow as pa

    field = events.schema.field(column)
    values = pa.repeat(pa.scalar(moment, field.type), events.num_rows)
    return events.set_column(events.schema.get_field_index(column), field, values)
