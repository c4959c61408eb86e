"""A source as the pipeline sees it: paired with its settings, and with what it can do beyond giving blocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Protocol, runtime_checkable

from collector.stages import Block, Format, Source
from store.contract import Position


@runtime_checkable
class WantsReceipts(Protocol):
    """A source that must know when its blocks are stored (a receiver that owes somebody an answer)."""

    def stored(self, after: Position) -> None:
        """The block with this `after` is committed. Called in the thread that puts batches into the store; must return at once."""
        ...


@runtime_checkable
class Patient(Protocol):
    """A source with receipts for which nobody waits: they are no reason to commit early."""

    patient: bool


@runtime_checkable
class KnowsUnread(Protocol):
    """A source that can say how much it has not yet handed over."""

    def unread(self) -> int:
        """Bytes."""
        ...


@runtime_checkable
class NamesFormat(Protocol):
    """A source that knows the format of each block: an API speaks one, and each endpoint of a receiver its own."""

    def format_of(self, block: Block) -> str | None: ...


@runtime_checkable
class Closes(Protocol):
    """A source that holds something beyond the end of its blocks (open connections that wait for their answer)."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One source and how to read it. `format` names the format instead of recognising it. `strict`: an unknown format
    ends the run (a file named on the command line) instead of making dead letters of its lines (a log that is
    followed). `zone` is that of wrappers which write times without one. `own` are formats of this feed alone (a site's own
    log_format); where there are any, no other is asked.
    """

    source: Source
    format: str | None = None
    strict: bool = False
    zone: tzinfo = UTC
    own: tuple[Format, ...] = ()


def as_feed(source: Source | Feed, format_name: str | None) -> Feed:
    """A bare source is strict if it says of itself that it does not follow."""
    if isinstance(source, Feed):
        return source
    return Feed(source=source, format=format_name, strict=not getattr(source, "follow", True))
