"""The vocabulary of this folder: what travels between the steps, and what a step is.

source → Block → format → Parsed → enrichers → batch → store. A plugin inherits from nothing; it offers one object:
`SOURCE`-like classes are named in the settings, a format file offers `FORMAT`, an enricher file offers `ENRICH`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Protocol

from store.contract import Position

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some whole lines of one stream (each ends in a newline, save perhaps the last line of a finished file).

    `offset` is that of the first byte. `before` holds up to 64 KiB of whole lines that stand directly in front of it: a format
    may look at them to understand the first lines (what kind of stream is this, which request do they belong to), but makes
    no event, reject or count of them; so the result does not depend on where a restart or a poll cut the stream.
    `after` is the position to commit once every line of the block is stored; `final` says that nothing follows. `zone` is
    that of wrappers which write times without one. With a `problem` the source says that this is no whole line: it becomes
    a dead letter with that reason. `end` is the offset behind the last byte where `after` does not say it, because it is
    the position of a whole listing of which this stream is one object; its dead letters are then kept under `stream`.
    """

    stream: str
    offset: int
    data: bytes
    before: bytes = b""
    path: str = ""
    registry: str | None = None
    after: Position
    final: bool = False
    zone: tzinfo = UTC
    problem: str = ""
    end: int | None = None

    @property
    def length(self) -> int:
        """Bytes of the stream that this block stands for; more than `data` where a line was too long to be carried."""
        return max(0, (self.after.offset if self.end is None else self.end) - self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A line nobody could read. `offset` is absolute in the stream."""

    offset: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a format made of a block. Always: lines in the block == events.num_rows + len(rejects) + ignored - extra.

    `extra` is 0 for every log of one thing a line; one line may also hold a whole document (a page of an audit API, an
    envelope of notifications), and each of its rows behind the first counts as one extra.

    `events` has the schema of `store.event.schema()` with at least event_id, timestamp, action, outcome, channel, dataset,
    stream, offset and parts filled. `ignored` counts lines that are the format's own but no event of their own: start-up
    messages, empty lines, the second line about a request that another line of the block tells fully.
    """

    events: pa.Table
    rejects: list[Reject] = field(default_factory=list)
    ignored: int = 0
    extra: int = 0

    @property
    def lines(self) -> int:
        """Lines of the block that are accounted for."""
        return int(self.events.num_rows) + len(self.rejects) + self.ignored - self.extra


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What people should know of a format before they rely on it; a row of the generated table in the docs.

    `versions`: of the registry, as far as known. `tested`: against lines that a real server wrote; else the format follows
    its published field list only ("documented"). `never`: what these lines can never tell, in the field's words.
    """

    versions: str
    tested: bool
    never: tuple[str, ...] = ()


class Format(Protocol):
    """A registry log format: one file in `collector/formats/` that offers `FORMAT`."""

    @property
    def name(self) -> str:
        """As in --format and `event.dataset`."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    @property
    def registry_kind(self) -> str: ...

    @property
    def facts(self) -> Facts | None: ...

    def claims(self, head: bytes) -> float:
        """How surely the first lines of a stream (up to 64 KiB) are this format's: 0 … 1. Never raises."""
        ...

    def parse(self, block: Block) -> Parsed:
        """Events, rejects and the count of ignored lines. Never raises on any input."""
        ...


class Source(Protocol):
    """Where blocks come from. `read` blocks in small waits and ends when `stop` was called or the input is finished."""

    name: str

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Blocks in stream order. `committed(stream)` is asked once for each stream, when it is first seen."""
        ...

    def stop(self) -> None: ...


Enricher = Callable[["pa.Table"], "pa.Table"]
