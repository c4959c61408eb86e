"""Reading files for a look, with nothing stored: what `regsight parse` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collector.stages import Block, Parsed

REJECTS_SHOWN = 3


UNKNOWN = "unknown"


def parsed_files(
    files: list[str], format_name: str | None, registry: str | None, unknown_allowed: bool = False
) -> Iterator[tuple[str, str, Parsed]]:
    """(path, format, what it made of the block) for each block of each file.

    With `unknown_allowed` the lines of a file that no format knows are rejects of the format `UNKNOWN`.

    Raises:
        UnknownFormat: no format knows the first lines of a file.
    """
    from collector.errors import UnknownFormat
    from collector.recognise import recognise
    from collector.sources.file_tail import FileTail
    from regsight.discover import enrichers, formats

    known = formats()
    chosen = {each.name: each for each in known}
    by_stream = {}
    steps = enrichers()
    for block in FileTail("files", files, registry=registry, follow=False).blocks(lambda _: None):
        if block.stream not in by_stream:
            try:
                by_stream[block.stream] = chosen[format_name] if format_name else recognise(block.data, known)
            except UnknownFormat as error:
                if not unknown_allowed:
                    raise
                yield block.path, UNKNOWN, _all_rejected(block, str(error))
                continue
        format = by_stream[block.stream]
        parsed = format.parse(block)
        events = parsed.events
        for step in steps:
            events = step(events)
        yield block.path, format.name, type(parsed)(events=events, rejects=parsed.rejects, ignored=parsed.ignored)


def _all_rejected(block: Block, reason: str) -> Parsed:
    """Every line of the block as a reject."""
    from collector.stages import Parsed, Reject
    from store.event import schema

    rejects, offset = [], block.offset
    for line in block.data.splitlines(keepends=True):
        rejects.append(Reject(offset=offset, length=len(line), reason=reason))
        offset += len(line)
    return Parsed(events=schema().empty_table(), rejects=rejects)


@dataclass(slots=True)
class Tally:
    """Counts per file and format, and the first rejects of each."""

    counts: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # events, ignored, rejects
    first_rejects: list[str] = field(default_factory=list)

    def add(self, path: str, format: str, parsed: Parsed) -> None:
        """Count one block."""
        row = self.counts.setdefault((path, format), [0, 0, 0])
        for reject in parsed.rejects[: max(0, REJECTS_SHOWN - row[2])]:
            self.first_rejects.append(f"{path} at byte {reject.offset}: {reject.reason}")
        for index, count in enumerate((parsed.events.num_rows, parsed.ignored, len(parsed.rejects))):
            row[index] += count

    @property
    def rejects(self) -> int:
        """How many lines nobody could read."""
        return sum(row[2] for row in self.counts.values())

    def rows(self) -> Iterator[tuple[str, str, int, int, int, int, str]]:
        """One row a file: path, format, lines, events, ignored, rejects, share read."""
        for (path, format), (events, ignored, rejects) in self.counts.items():
            lines = events + ignored + rejects
            yield path, format, lines, events, ignored, rejects, f"{(lines - rejects) / max(lines, 1):.1%}"

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        names = ("path", "format", "lines", "events", "ignored", "rejects")
        files = [
            dict(zip(names, row[:6], strict=True)) | {"read_ratio": 1 - row[5] / max(row[2], 1)} for row in self.rows()
        ]
        return {"files": files, "first_rejects": self.first_rejects}
