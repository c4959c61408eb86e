"""Reading files for a look, with nothing stored: what `regsight parse` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.stages import Block, Format, Parsed

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Look:
    """One block of a file, the format that read it, and what that made of it."""

    path: str
    format: str
    parsed: Parsed
    block: Block


def parsed_files(
    files: list[str],
    format_name: str | None,
    registry: str | None,
    unknown_allowed: bool = False,
    own: tuple[Format, ...] = (),
) -> Iterator[Look]:
    """Each block of each file, read. With `own` formats no other is asked.

    With `unknown_allowed` the lines of a file that no format knows are rejects of the format `UNKNOWN`.

    Raises:
        UnknownFormat: no format knows the first lines of a file.
    """
    from collector.errors import UnknownFormat
    from collector.lines import TOO_LONG
    from collector.recognise import recognise
    from collector.sources.file_tail import FileTail
    from collector.whole_lines import oversize
    from regsight.discover import enrichers, formats

    known = list(own) or formats()
    chosen = {each.name: each for each in known}
    by_file = {}
    steps = enrichers()
    for block in FileTail("files", files, registry=registry, follow=False).blocks(lambda _: None):
        if oversize(block.data):
            yield Look(block.path, format_name or UNKNOWN, _all_rejected(block, TOO_LONG), block)
            continue
        if block.path not in by_file:
            try:
                by_file[block.path] = chosen[format_name] if format_name else recognise(block.data, known, block.path)
            except UnknownFormat as error:
                if not unknown_allowed:
                    raise
                yield Look(block.path, UNKNOWN, _all_rejected(block, str(error).partition(":")[0]), block)
                continue
        format = by_file[block.path]
        parsed = format.parse(block)
        events = parsed.events
        for step in steps:
            events = step(events)
        yield Look(block.path, format.name, replace(parsed, events=events), block)


def _all_rejected(block: Block, reason: str) -> Parsed:
    """Every line of the block as a reject."""
    from collector.lines import split_lines
    from collector.stages import Parsed, Reject
    from store.event import schema

    rejects = [
        Reject(offset=offset, length=len(line), reason=reason) for offset, line in split_lines(block.data, block.offset)
    ]
    return Parsed(events=schema().empty_table(), rejects=rejects)
