"""Formats whose unit is a JSON document, not a line: pages of an audit API, envelopes of notifications.

A document may be one line of a file of many, a file pretty-printed over many lines, or the body of an HTTP request. It may
hold many things; `Parsed.extra` counts those behind the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import orjson

from collector import native
from collector.errors import LineError, Unreadable
from collector.lines import split_lines
from collector.sheet import Sheet, now_utc
from collector.stages import Block, Facts, Parsed
from collector.wrappers import unwrap
from store.contract import Position
from store.event import Event

RowsOf = Callable[
    [Any, str | None], Iterable[Event | LineError]
]  # (document, name of the registry) → its events, its rejects

# What the first line of a pretty-printed document is; a longer line that is no JSON is torn, and nothing will complete it.
_OPENER = re.compile(rb'\s*[\[{]\s*(?:\{\s*|"[^"\\]{1,40}"\s*:\s*[\[{]\s*)?')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
# A string without an end reaches to the end of the text, so that it is looked at once only.
_STRING_OR_LAST_COMMA = re.compile(rb'("(?:[^"\\]|\\.?)*(?:"|\Z))|,(?=\s*[\]}])', re.DOTALL)
# Lines of files are cut at 1 MiB before they come here; what was posted, or asked from an API, comes whole.
_MAX_DOCUMENT_BYTES = 64 << 20
_TOO_LARGE = "document longer than 64 MiB"
_ANY_TIME = datetime.fromisoformat("2026-01-01T00:00:00+00:00")  # documents tell their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`value` of the JSON text `raw` at `offset`, or the reason why there is none. `lines`: how many of the block it takes."""

    offset: int
    raw: bytes
    lines: int
    value: Any = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFormat:
    """A `Format` over such documents."""

    name: str
    title: str
    registry_kind: str
    claim: Callable[[bytes], float]
    rows_of: RowsOf
    facts: Facts | None = None
    clock: Callable[[], datetime] = now_utc

    def claims(self, head: bytes) -> float:
        return self.claim(head)

    def parse(self, block: Block) -> Parsed:
        sheet = self._sheet(block)
        scanned = native.scan(self.name, block, sheet.now, by_line=False)
        for document in chain.from_iterable(map(documents, scanned.blocks)):
            sheet.ignored += document.lines - 1
            if document.raw or document.reason:
                self._take(sheet, document, self.rows_of)
            else:
                sheet.ignored += 1
        return scanned.finish(sheet)

    def parse_document(
        self, body: bytes, *, stream: str, offset: int, path: str, registry: str | None, rows_of: RowsOf | None = None
    ) -> Parsed:
        """One document that came by itself, however many lines it has: `Parsed.lines` is 1. Never raises on any input."""
        after = Position(stream=stream, offset=offset + len(body))
        sheet = self._sheet(Block(stream=stream, offset=offset, data=body, path=path, registry=registry, after=after))
        value, reason = _load(body)
        document = Document(offset=offset, raw=body, lines=1, value=value, reason=reason)
        self._take(sheet, document, rows_of or self.rows_of)
        return sheet.finish()

    def _sheet(self, block: Block) -> Sheet:
        return Sheet(block, dataset=self.name, registry_kind=self.registry_kind, now=self.clock())

    def _take(self, sheet: Sheet, document: Document, rows_of: RowsOf) -> None:
        # A document may begin in an earlier block, but what is kept of a reject is cut out of this one.
        begin = max(document.offset, sheet.block.offset)
        length = document.offset + len(document.raw) - begin
        if document.reason:
            sheet.reject(begin, length, document.reason)
            return
        found = 0
        try:
            for row in rows_of(document.value, sheet.block.registry):
                found += 1
                if isinstance(row, LineError):
                    sheet.reject(begin, length, str(row))
                else:  # a document that tells no time of its own was told of when it came
                    # Two rows of one document that have no ids of their own are two events.
                    line = document.raw if found == 1 else b"%b\x1f%d" % (document.raw, found)
                    sheet.add(document.offset, line, {"timestamp": sheet.now, **row})
        except LineError as error:
            found += 1
            sheet.reject(begin, length, str(error))
        if found == 0:
            sheet.ignored += 1
        else:
            sheet.extra += found - 1


def _load(raw: bytes) -> tuple[Any, str]:
    """Only two things may be mended: bytes that are no UTF-8, and a comma behind the last item, which says nothing."""
    try:
        return orjson.loads(raw), ""
    except ValueError:
        pass
    try:
        mended = _STRING_OR_LAST_COMMA.sub(rb"\1", raw)
        return orjson.loads(mended.decode("utf-8", "replace")), ""
    except ValueError:
        return None, "torn or mutated JSON"


class _Splitter:
    """Follows the lines of a block, those before it included, and gives the documents that end in it."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.pending: list[tuple[int, bytes]] = []
        self.depth = 0
        self.size = 0

    def run(self) -> Iterator[Document]:
        block = self.block
        for data, offset in ((block.before, block.offset - len(block.before)), (block.data, block.offset)):
            for at, raw in split_lines(data, offset):
                yield from (document for document in self._line(at, raw) if document.lines)
        if self.pending:
            if block.final:
                yield from self._give_up("document without an end")
            else:  # the block that holds its last line will tell it; these lines are ignored here
                yield from (Document(offset=at, raw=b"", lines=1) for at, _ in self.pending if at >= block.offset)

    def _line(self, at: int, raw: bytes) -> Iterator[Document]:
        if self.pending:
            if raw[:1] not in (b"{", b"["):
                yield from self._continue(at, raw)
                return
            yield from self._give_up("document without an end")
        here = 1 if at >= self.block.offset else 0
        if not raw.strip():
            yield Document(offset=at, raw=b"", lines=here)
        elif len(raw) > _MAX_DOCUMENT_BYTES:
            yield Document(offset=at, raw=raw, lines=here, reason=_TOO_LARGE)
        elif _opens(raw):
            self.pending, self.depth, self.size = [(at, raw)], _depth(raw), len(raw)
        else:
            inner = unwrap(raw, _ANY_TIME)[0]
            value, reason = None, "no JSON document begins here"
            if inner.lstrip()[:1] in (b"{", b"["):
                value, reason = _load(inner)
            yield Document(offset=at, raw=raw, lines=here, value=value, reason=reason)

    def _continue(self, at: int, raw: bytes) -> Iterator[Document]:
        self.pending.append((at, raw))
        self.depth += _depth(raw)
        self.size += len(raw)
        if self.depth <= 0:
            text = b"\n".join(line for _, line in self.pending)
            value, reason = _load(text)
            yield Document(offset=self.pending[0][0], raw=text, lines=self._here(), value=value, reason=reason)
            self.pending = []
        elif self.size > _MAX_DOCUMENT_BYTES:
            yield from self._give_up(_TOO_LARGE)

    def _give_up(self, reason: str) -> Iterator[Document]:
        text = b"\n".join(line for _, line in self.pending)
        yield Document(offset=self.pending[0][0], raw=text, lines=self._here(), reason=reason)
        self.pending = []

    def _here(self) -> int:
        return sum(at >= self.block.offset for at, _ in self.pending)


def documents(block: Block) -> Iterator[Document]:
    """The documents that end in the block, and what else its lines are; the `lines` of all add up to those of the block.

    What has neither `raw` nor `reason` is no document: blank lines, and the first lines of one that ends in a later block.
    """
    return _Splitter(block).run()


def _opens(line: bytes) -> bool:
    """Whether a document begins here that ends in a later line."""
    if _OPENER.fullmatch(line) is not None:
        return True
    # Some write several members to a line: what stands before the last comma must then be whole.
    first, text = line[:1], line.rstrip()
    if first not in (b"{", b"[") or not text.endswith(b",") or _depth(text) != 1:
        return False
    return not _load(text[:-1] + (b"}" if first == b"{" else b"]"))[1]


def _depth(line: bytes) -> int:
    """How many brackets this line leaves open (or closes), those inside strings not counted."""
    bare = _STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one for whatever else stands there."""
    return value if isinstance(value, dict) else {}


def object_or_reject(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is no JSON object")
    return value
