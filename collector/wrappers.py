"""What stands in front of a registry's own line when something else wrote the file: syslog, compose, docker's json-file,
CRI, journald, svlogd.

`unwrapped` gives the lines inside of a block, with the wrapper's time where it has one; `unwrap` looks at a single line.
Each line is recognised by itself, so wrappers may change within a file. What a daemon did to the lines is undone: pieces of
a long line are joined, and lines that syslog counted instead of writing are given as often as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

import orjson

from collector.errors import LineError
from collector.journal_export import JournalRecord, realtime
from collector.lines import MAX_LINE_BYTES, TOO_LONG, moment
from collector.repetition import PROGRAMS, LastLines, is_repetition, repeated
from collector.stages import Block
from collector.syslog_header import read_syslog

__all__ = ["Unwrapped", "alone", "inner_lines", "is_repetition", "newest_of", "unwrap", "unwrapped"]

_COMPOSE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.-]{0,80} {1,40}\| ")
_CRI = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF])(?::\S{0,40})? ?"
)
_SVLOGD = re.compile(rb"(\d{4}-\d\d-\d\d)_(\d\d:\d\d:\d\d\.\d{1,9}) ")  # runit's logger, as in GitLab's package; UTC
_DEEPEST = 3  # wrappers around wrappers: a journal of docker's compose output
_DOCKER_PIECE_BYTES = 16_000  # docker cuts at 16 KiB of what was written; what is no UTF-8 changes its length a little
_MOST_COPIES = 10_000
_MOST_COPIES_IN_A_BLOCK = 200_000  # a few bytes must not become millions of events

TOO_OFTEN = "repeated more often than can be believed"
OUT_OF_REACH = "the line that was repeated is out of reach"
NO_BEGINNING = "the beginning of a split line is out of reach"
NO_END = "split line without an end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """A line of a block, or the line that pieces make together, told where its last piece stands.

    `data` is the registry's own line; blank where there is none: an empty line, a piece of a line that goes on, a field of
    a journal's record. `copies` is above 1 where syslog counted equal lines, and `of` is the offset of the one it meant.
    With a `problem` the line is to be rejected. `surplus` lines stand for no line of the block: they count as extra.
    """

    offset: int
    raw: bytes
    end: int
    data: bytes = b""
    time: datetime | None = None
    copies: int = 1
    of: int | None = None
    problem: str = ""
    surplus: bool = False

    def raw_of(self, copy: int) -> bytes:
        """What the id of a copy is made from: two copies are two events."""
        return self.raw if self.copies == 1 and self.of is None else b"%b\x1f%d" % (self.raw, copy)


@dataclass(frozen=True, slots=True)
class _Peeled:
    """One line without its wrappers. `more`: its writer cut it here; `channel` tells whose pieces belong together."""

    data: bytes
    time: datetime | None = None
    more: bool = False
    channel: bytes = b""
    tag: bytes = b""


def unwrap(line: bytes, now: datetime, zone: tzinfo = UTC) -> tuple[bytes, datetime | None]:
    """(the registry's own line, time of the wrapper or None). A line without a wrapper comes back as it is."""
    peeled = _peel(line, now, zone)
    return peeled.data, peeled.time


def unwrapped(block: Block, now: datetime) -> Iterator[Unwrapped]:
    """One for each line of the block, in order; and one that is `surplus` for each line without an end in a final block."""
    before_at = block.offset - len(block.before)
    reading = _Reading(newest_of(block, now), block.zone, complete=before_at <= 0)
    for at, raw in _split(block.before, before_at):
        reading.line(at, raw)
    reading.copies = 0
    for at, raw in _split(block.data, block.offset):
        yield reading.line(at, raw)
    if block.final:
        yield from reading.unfinished(block.offset)


def newest_of(block: Block, now: datetime) -> datetime:
    """The latest that a traditional syslog time in the block can be. It has no year: the file's own last change bounds it, for
    a file that was finished long ago."""
    written = block.after.detail.get("written") or block.after.detail.get("mtime")
    return min(now, datetime.fromtimestamp(written, UTC)) if isinstance(written, float) and written > 0 else now


def alone(block: Block, now: datetime, places: Iterable[tuple[int, int]]) -> list[Unwrapped] | None:
    """Some lines of a block, each read by itself; `places` are where they begin and end in its data. None if one of them means
    something only together with others: a piece of a line, a record of a journal. Where a line counts equal lines, the one
    it means is looked for in front of it."""
    reading = _Reading(newest_of(block, now), block.zone, complete=True)
    found = []
    for start, end in places:
        raw = block.data[start:end]
        if b"message repeated" in raw and not _recall(reading, block, start, raw):
            return None
        found.append(reading.line(block.offset + start, raw))
        if reading.pieces or reading.ended or reading.record.open:
            return None
    return found


def _recall(reading: _Reading, block: Block, start: int, raw: bytes) -> bool:
    """Note the line that a count of equal lines can mean: the last of its program, or the last of all. False if that may
    already be forgotten."""
    peeled = _peel(raw.rstrip(b"\r"), reading.newest, reading.zone)
    if repeated(peeled.data) is None:
        return True
    others: set[bytes] = set()
    for data, begin, at in ((block.data, block.offset, start), (block.before, block.offset - len(block.before), None)):
        end = len(data) if at is None else at
        while end > 0:
            line_end = end - 1 if data[end - 1 : end] == b"\n" else end
            end = data.rfind(b"\n", 0, line_end) + 1
            earlier = _peel(data[end:line_end].rstrip(b"\r"), reading.newest, reading.zone)
            if repeated(earlier.data) is not None:
                continue
            if not peeled.tag or earlier.tag == peeled.tag:
                reading.last.note(earlier.tag, begin + end, earlier.data)
                return True
            others.add(earlier.tag)
            if len(others) >= PROGRAMS:
                return False
    return True


def inner_lines(head: bytes, most: int) -> list[bytes]:
    """The first lines inside the head of a stream, blank ones left out."""
    reading = _Reading(_ANY_TIME, UTC, complete=True)
    found: list[bytes] = []
    for at, raw in _split(head, 0):
        line = reading.line(at, raw[:MAX_LINE_BYTES])
        if line.data.strip() and not line.problem:
            found.append(line.data)
            if len(found) == most:
                break
    return found


_ANY_TIME = datetime.fromisoformat("2026-01-01T00:00:00+00:00")  # the time of a wrapper is of no matter for a claim


def _split(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            end = len(data)
        yield offset + at, data[at:end]
        at = end + 1


@dataclass(slots=True)
class _Pieces:
    offset: int
    raws: list[bytes] = field(default_factory=list)
    datas: list[bytes] = field(default_factory=list)
    size: int = 0
    torn: bool = False

    def add(self, raw: bytes, data: bytes) -> None:
        self.size += len(data)
        if self.size <= MAX_LINE_BYTES:
            self.raws.append(raw)
            self.datas.append(data)


@dataclass(slots=True)
class _Reading:
    """What must be remembered from line to line."""

    newest: datetime
    zone: tzinfo
    complete: bool  # the first line seen is the first of the stream
    pieces: dict[bytes, _Pieces] = field(default_factory=dict)
    ended: set[bytes] = field(default_factory=set)
    last: LastLines = field(default_factory=LastLines)
    record: JournalRecord = field(default_factory=JournalRecord)
    copies: int = 0

    def line(self, at: int, raw: bytes) -> Unwrapped:
        end = at + len(raw)
        if self.record.takes(raw):
            value = self.record.value(raw)
            line = raw.rstrip(b"\r")
            return Unwrapped(offset=at, raw=line, end=end, data=value or b"", time=self.record.time if value else None)
        raw = raw.rstrip(b"\r")
        if len(raw) > MAX_LINE_BYTES:
            return Unwrapped(offset=at, raw=raw, end=end, problem=TOO_LONG)
        peeled = _peel(raw, self.newest, self.zone)
        if peeled.channel:
            return self._piece(at, raw, end, peeled)
        return self._maybe_counted(at, raw, end, peeled)

    def _piece(self, at: int, raw: bytes, end: int, peeled: _Peeled) -> Unwrapped:
        known = self.pieces.get(peeled.channel)
        if peeled.more:
            if known is None:
                known = self.pieces[peeled.channel] = _Pieces(at)
                known.torn = not self.complete and peeled.channel not in self.ended
            known.add(raw, peeled.data)
            return Unwrapped(offset=at, raw=raw, end=end)
        self.ended.add(peeled.channel)
        if known is None:
            return Unwrapped(offset=at, raw=raw, end=end, data=peeled.data, time=peeled.time)
        del self.pieces[peeled.channel]
        known.add(raw, peeled.data)
        problem = TOO_LONG if known.size > MAX_LINE_BYTES else NO_BEGINNING if known.torn else ""
        whole, data = b"\n".join(known.raws), b"".join(known.datas)
        return Unwrapped(offset=known.offset, raw=whole, end=end, data=data, time=peeled.time, problem=problem)

    def _maybe_counted(self, at: int, raw: bytes, end: int, peeled: _Peeled) -> Unwrapped:
        counted = repeated(peeled.data)
        if counted is None:
            self.last.note(peeled.tag, at, peeled.data)
            return Unwrapped(offset=at, raw=raw, end=end, data=peeled.data, time=peeled.time)
        if not counted.times:
            return Unwrapped(offset=at, raw=raw, end=end)
        meant = self.last.meant(peeled.tag, counted)
        if meant is None:
            return Unwrapped(offset=at, raw=raw, end=end, problem=OUT_OF_REACH)
        self.copies += counted.times
        if counted.times > _MOST_COPIES or self.copies > _MOST_COPIES_IN_A_BLOCK:
            return Unwrapped(offset=at, raw=raw, end=end, problem=TOO_OFTEN)
        of, data = meant
        return Unwrapped(offset=at, raw=raw, end=end, data=data, time=peeled.time, copies=counted.times, of=of)

    def unfinished(self, begin: int) -> Iterator[Unwrapped]:
        for left in self.pieces.values():
            raw = b"\n".join(left.raws)
            yield Unwrapped(
                offset=max(begin, left.offset), raw=raw, end=left.offset + len(raw), problem=NO_END, surplus=True
            )


def _peel(line: bytes, newest: datetime, zone: tzinfo) -> _Peeled:
    """Wrappers, from the outside in. The time is that of the innermost: it was there first."""
    peeled = _peel_one(line, newest, zone)
    if peeled is None:
        return _Peeled(line)
    for _ in range(_DEEPEST - 1):
        inner = None if peeled.more else _peel_one(peeled.data, newest, zone)
        if inner is None:
            break
        peeled = _Peeled(
            inner.data,
            inner.time or peeled.time,
            more=inner.more,
            channel=peeled.channel or inner.channel,
            tag=inner.tag or peeled.tag,
        )
    return peeled


def _peel_one(line: bytes, newest: datetime, zone: tzinfo) -> _Peeled | None:
    first = line[:1]
    if first == b"{":
        if line.startswith(b'{"log":'):
            return _from_json_file(line)
        return _from_journal_json(line) if b'"__REALTIME_TIMESTAMP"' in line else None
    if not (first == b"<" or first.isalnum()):
        return None
    if first.isdigit() and (found := _CRI.match(line)) is not None:
        return _Peeled(line[found.end() :], _moment(found[1].decode()), found[3] == b"P", b"cri " + found[2])
    if first.isdigit() and (found := _SVLOGD.match(line)) is not None:
        return _Peeled(line[found.end() :], _moment(f"{found[1].decode()}T{found[2].decode()}Z"))
    syslog = read_syslog(line, newest, zone)
    if syslog is not None:
        return _Peeled(syslog.payload, syslog.time, tag=syslog.tag)
    found = _COMPOSE.match(line)
    return _Peeled(line[found.end() :]) if found is not None else None


def _moment(value: Any) -> datetime | None:
    try:
        return moment(value)
    except LineError:
        return None


def _from_json_file(line: bytes) -> _Peeled | None:
    try:
        wrapper = orjson.loads(line)
        inner = wrapper["log"]
        time = moment(wrapper.get("time"))
    except (ValueError, KeyError, TypeError, LineError):
        return None
    if not isinstance(inner, str):
        return None
    data = inner.encode("utf-8", "replace")
    more = not data.endswith(b"\n") and len(data) >= _DOCKER_PIECE_BYTES
    return _Peeled(data.rstrip(b"\r\n"), time, more, b"docker " + str(wrapper.get("stream")).encode("utf-8", "replace"))


def _from_journal_json(line: bytes) -> _Peeled | None:
    """journald's `-o json`. A message that is no plain text stands there as the numbers of its bytes."""
    try:
        fields = orjson.loads(line)
        message = fields["MESSAGE"]
        data = message.encode("utf-8", "replace") if isinstance(message, str) else bytes(message)
    except (ValueError, KeyError, TypeError):
        return None
    return _Peeled(data.rstrip(b"\r\n"), realtime(fields.get("__REALTIME_TIMESTAMP")))
