"""Distribution's output, whichever formatter it uses: application lines and access lines of one stream, told once each.

Every request is told up to four times: `authorized request`, the line that ends it, sometimes a line that names the refused
user, and an access line on standard output, before or after the others. The application log speaks for it, as one event;
access lines speak only for what the application never sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from collector import native
from collector.access_line import AccessLine, read_combined
from collector.authorized import MESSAGE as AUTHORIZED
from collector.authorized import account_of, with_accounts
from collector.distribution_request import request_event
from collector.errors import LineError, NotMine, Unreadable
from collector.go_output import is_go_output
from collector.lines import MAX_LINE_BYTES, as_text, split_lines
from collector.logrus_line import read_json, read_text
from collector.sheet import Sheet, now_utc
from collector.stages import Block, Facts, Parsed
from collector.wrappers import Unwrapped, is_repetition, unwrap
from store.event import Event

# What its application log never says, in either formatter.
APPLICATION_NEVER = (
    "digest of a pull by tag",
    "size",
    "user of a request that ended well (2.x, unless its authorization names it)",
)
# With no application line in sight, so many access lines prove that none will come: the log level is above info.
_ENOUGH_ACCESS_LINES = 32
_ROUTER_REFUSAL_BYTES = 19  # "Method Not Allowed\n": the router's own answer, of which the application never hears
_TOLD = re.compile(
    rb'http\.request\.method(?:":"|=)([A-Z]{3,20})\b[^\n]{1,1024}?http\.request\.uri(?:":|=)"?([^"\s]{1,8192})'
)


@dataclass(slots=True)
class Levels:
    """Which levels the application log shows around a block, as far as it can be seen."""

    info: bool = False
    warning: bool = False
    error: bool = False
    access_lines: int = 0

    def note(self, level: Any) -> None:
        if level in ("info", "debug", "trace"):
            self.info = True
        elif level in ("warning", "warn"):
            self.warning = True
        else:
            self.error = True


@dataclass(slots=True)
class _Reading:
    """The state of one `parse`."""

    sheet: Sheet
    levels: Levels = field(default_factory=Levels)
    access: list[tuple[int, bytes, AccessLine]] = field(default_factory=list)
    by_id: dict[str, Event] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)  # request → who was authorized


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionFormat:
    """A `Format` over such a stream. The three format files differ in what they claim, not in what they can read: a
    registry restarted with another formatter is read on."""

    name: str
    title: str
    claim: Callable[[bytes], float]
    access_speaks_first: bool = (
        False  # what access lines are while no application line was seen: events, or told elsewhere
    )
    registry_kind: str = "distribution"
    facts: Facts | None = None
    clock: Callable[[], datetime] = now_utc

    def claims(self, head: bytes) -> float:
        return self.claim(head)

    def parse(self, block: Block) -> Parsed:
        now = self.clock()
        parsed, accounts = self._parse(block, now, native.scan(self.name, block, now))
        if parsed is None:  # the same as if nothing had been scanned
            sheet, reading, _ = self._read(block, now, native.nothing_of(block, now))
            parsed, accounts = sheet.finish(), reading.accounts
        events = with_accounts(parsed.events, accounts, (block.data, block.before), lambda line: _entry(line, now))
        return parsed if events is parsed.events else replace(parsed, events=events)

    def _parse(self, block: Block, now: datetime, scanned: native.Scanned) -> tuple[Parsed | None, dict[str, str]]:
        """None: a line that the scanner left tells of a request of which it has told already. And who was authorized."""
        sheet, reading, told = self._read(block, now, scanned)
        if scanned.knows(reading.by_id):
            return None, {}
        seen = reading.levels
        settled = native.Levels(
            (seen.info, seen.warning, seen.error), seen.access_lines, self.access_speaks_first, tuple(told)
        )
        return scanned.finish(sheet, settled), reading.accounts

    def _read(
        self, block: Block, now: datetime, scanned: native.Scanned
    ) -> tuple[Sheet, _Reading, set[tuple[str, str]]]:
        sheet = Sheet(block, dataset=self.name, registry_kind=self.registry_kind, now=now)
        reading = _Reading(sheet, Levels(*scanned.levels, access_lines=scanned.routed))
        for line in scanned.lines:
            _read_unwrapped(reading, line)
        told = (
            self._settle_access_lines(reading, block, now, scanned) if reading.access or scanned.access_lines else set()
        )
        sheet.rows.sort(key=lambda row: row["offset"])
        return sheet, reading, told

    def _settle_access_lines(
        self, reading: _Reading, block: Block, now: datetime, scanned: native.Scanned
    ) -> set[tuple[str, str]]:
        levels = reading.levels
        levels.access_lines += sum(line.request.routed for _, _, line in reading.access)
        if not levels.info:
            _look_back(levels, block.before, now)
        # The router of 2.8 redirects `/v2/../..`, and its application tells of that too: outside the grammar, but not untold.
        outside = any(not line.request.routed for _, _, line in reading.access) or scanned.may_be_told(block)
        told = _requests_told(block.before) | _requests_told(block.data) if outside else set()
        for offset, raw, line in reading.access:
            known = not line.request.routed and (line.method or "", line.uri) in told
            routed, size = line.request.routed, line.response_bytes
            if known or told_by_application(routed, line.status, size, levels, self.access_speaks_first):
                reading.sheet.ignored += 1
            else:
                reading.sheet.add(offset, raw, line.event())
        return told


def application_entry(line: bytes) -> dict[str, Any] | None:
    """The fields of an application line in either formatter; None for lines of another sort.

    Raises:
        LineError: it begins as one, but is none.
    """
    if line.startswith(b"{"):
        return read_json(line)
    if line.startswith(b"time="):
        entry = read_text(line)
        if _torn(entry):
            raise Unreadable("torn key=value line")
        return entry
    return None


def _entry(line: bytes, now: datetime) -> dict[str, Any] | None:
    return application_entry(unwrap(line, now)[0])


def _torn(entry: dict[str, Any]) -> bool:
    """Whether the end is missing. The text formatter sorts its keys and leaves most values without quotes, so half a name
    or address could not be told from a whole one: what always stands behind it must be there."""
    if "http.request.id" not in entry:
        return False
    completed = entry["msg"].startswith("response completed")
    last = "http.response.written" if completed else "http.request.useragent"
    return last not in entry or next(reversed(entry)) == "username"


def _read_unwrapped(reading: _Reading, line: Unwrapped) -> None:
    if line.problem:
        reading.sheet.reject_unwrapped(line, line.problem)
        return
    for copy in range(line.copies):
        try:
            _read_line(reading, line.offset, line.raw_of(copy), line.data)
        except LineError as error:
            reading.sheet.reject_unwrapped(line, str(error))
            return
    reading.sheet.extra += line.copies - 1


def _read_line(reading: _Reading, offset: int, raw: bytes, line: bytes) -> None:
    entry = application_entry(line)
    if entry is not None:
        reading.levels.note(entry["level"])
        event = request_event(entry)
        if event is None:
            if entry["msg"] == AUTHORIZED and (named := account_of(entry)):
                reading.accounts.setdefault(*named)
            reading.sheet.ignored += 1
        else:
            _take(reading, offset, raw, event)
    elif not line.strip() or is_go_output(line) or is_repetition(line):
        reading.sheet.ignored += 1
    else:
        try:
            reading.access.append((offset, raw, read_combined(as_text(line))))
        except NotMine:
            raise NotMine("neither an application line nor an access line of Distribution") from None


def _take(reading: _Reading, offset: int, raw: bytes, event: Event) -> None:
    """A row of its own, or, if the block already told of the request, what this line adds to it."""
    known: dict[str, Any] | None = reading.by_id.get(event["event_id"])  # type: ignore[assignment]
    if known is None:
        reading.by_id[event["event_id"]] = reading.sheet.add(offset, raw, event)
        return
    for name, value in event.items():
        if value is not None and known.get(name) is None:
            known[name] = value
    known["parts"].append(f"{known['stream']}:{offset}")
    known["join_confidence"] = "certain"
    reading.sheet.ignored += 1


def _look_back(levels: Levels, before: bytes, now: datetime) -> None:
    for line in _inner_lines(before, now):
        try:
            entry = application_entry(line)
            if entry is not None:
                levels.note(entry["level"])
            elif line.strip():
                levels.access_lines += read_combined(as_text(line)).request.routed
        except LineError:
            continue


def _requests_told(data: bytes) -> set[tuple[str, str]]:
    """(method, URI) of every request of which an application line of these bytes tells."""
    return {(method.decode(), as_text(uri)) for method, uri in _TOLD.findall(data)}


def _inner_lines(data: bytes, now: datetime) -> Iterator[bytes]:
    for _, raw in split_lines(data, 0):
        if len(raw) <= MAX_LINE_BYTES:
            yield unwrap(raw, now)[0]


def told_by_application(routed: bool, status: int, size: int | None, levels: Levels, access_speaks_first: bool) -> bool:
    """Whether the application log says more about an access line's request; `size` are the bytes of the answer."""
    if not routed or (status == 405 and size == _ROUTER_REFUSAL_BYTES):
        return False
    if levels.info:
        return True
    if not (levels.warning or levels.error):
        return not access_speaks_first and levels.access_lines < _ENOUGH_ACCESS_LINES
    if status < 400:
        return False
    return levels.warning if status == 401 else True
