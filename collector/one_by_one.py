"""From a parser of single lines to a `Format`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from collector import native
from collector.errors import LineError
from collector.sheet import Sheet, now_utc
from collector.stages import Block, Facts, Parsed
from collector.wrappers import Unwrapped, inner_lines
from store.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as a parser gets it: `data` without its wrapper and line end, never blank."""

    data: bytes
    wrapper_time: datetime | None
    now: datetime


ParseLine = Callable[[Line], Event | None]  # None: mine, but no event; raises LineError only


@dataclass(frozen=True, slots=True, kw_only=True)
class OneByOne:
    """A format of independent lines. Made by `one_by_one`."""

    name: str
    title: str
    registry_kind: str
    claim: Callable[[bytes], float]
    parse_line: ParseLine
    facts: Facts | None = None
    by_columns: native.ByColumns | None = None
    clock: Callable[[], datetime] = now_utc

    def claims(self, head: bytes) -> float:
        return self.claim(head)

    def parse(self, block: Block) -> Parsed:
        now = self.clock()
        sheet = Sheet(block, dataset=self.name, registry_kind=self.registry_kind, now=now)
        scanned = native.scan(self.name, block, now, by_columns=self.by_columns)
        for line in scanned.lines:
            if line.problem:
                sheet.reject_unwrapped(line, line.problem)
            elif not line.data.strip():
                sheet.ignored += 1
            else:
                self._take(sheet, line, now)
        return scanned.finish(sheet)

    def _take(self, sheet: Sheet, line: Unwrapped, now: datetime) -> None:
        try:
            event = self.parse_line(Line(data=line.data, wrapper_time=line.time, now=now))
        except LineError as error:
            sheet.reject_unwrapped(line, str(error))
            return
        if event is None:
            sheet.ignored += 1
        else:
            sheet.add_unwrapped(line, event)


def one_by_one(
    name: str,
    claims: Callable[[bytes], float],
    parse_line: ParseLine,
    *,
    title: str,
    registry_kind: str,
    facts: Facts | None = None,
    by_columns: native.ByColumns | None = None,
) -> OneByOne:
    """A `Format` of which every line stands for itself. `parse_line` sees neither blank nor overlong lines; with `by_columns`
    only those that are left."""
    return OneByOne(
        name=name,
        title=title,
        registry_kind=registry_kind,
        claim=claims,
        parse_line=parse_line,
        facts=facts,
        by_columns=by_columns,
    )


def share_of_lines(head: bytes, mine: Callable[[bytes], bool], most: int = 60) -> float:
    """Which part of the first `most` non-blank lines, without their wrappers, is `mine`. Never raises if `mine` does not.

    The last line of the head may be cut in the middle: it is left out where it has no line end and others stand before it.
    """
    end = head.rfind(b"\n") + 1
    inner = inner_lines(head[:end] if end else head, most)
    return sum(map(mine, inner)) / len(inner) if inner else 0.0
