"""The quick paths for strict lines of the hottest formats: the optional scanner `regsight_native`, and without it
`collector.columnar`, which reads blocks of many lines column by column.

The way line by line stays the one definition of what a line means. The quick ones read what they surely read alike, and leave
every other line, by its place, to it. `REGSIGHT_NATIVE=off` turns the scanner off, `REGSIGHT_COLUMNS=off` the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from collector.stages import Block, Parsed
from collector.wrappers import Unwrapped, alone, newest_of, unwrapped
from store.compiled import SWITCH, compiled, off
from store.event import FIELDS, schema

if TYPE_CHECKING:
    import pyarrow as pa

    from collector.sheet import Sheet

COLUMNS_SWITCH = "REGSIGHT_COLUMNS"
_SHAPES = {
    "distribution-json": "distribution",
    "distribution-text": "distribution",
    "distribution-access": "distribution",
    "nginx-combined": "combined",
    "nginx-timed-combined": "timed_combined",
    "harbor-audit": "harbor_audit",
    "harbor-audit-syslog": "harbor_forwarded",
}
FORMATS = tuple(_SHAPES)
ByColumns = Callable[
    [Block, datetime], Any
]  # a format's own columns: like `Scanned.found`, None where nothing is gained
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def columns_wanted() -> bool:
    """Whether blocks are read by columns where there is no scanner."""
    return not off(COLUMNS_SWITCH)


def path_in_use() -> str:
    """For people: which path reads the lines."""
    module = compiled()
    if module is not None:
        return f"native scanner {module.__version__}"
    path = "Python by columns" if columns_wanted() else f"Python line by line ({COLUMNS_SWITCH} is off)"
    return f"{path} ({SWITCH} is off)" if off(SWITCH) else f"{path} (no regsight-native that fits is installed)"


@dataclass(slots=True)
class Tally:
    """Lines of these formats since the start: read quickly, and left to the way line by line."""

    scanned: int = 0
    left: int = 0


TALLY = Tally()


@dataclass(frozen=True, slots=True)
class Levels:
    """What decides over access lines of Distribution (`collector.distribution_log`)."""

    seen: tuple[bool, bool, bool] = (False, False, False)  # info, warning, error
    access_lines: int = 0
    access_speaks_first: bool = False
    told: tuple[
        tuple[str, str], ...
    ] = ()  # (method, URI) of requests outside the grammar of which the application told


@dataclass(slots=True, kw_only=True)
class Scanned:
    """What is left of a block for Python: `lines`, or for formats of documents `blocks`. `finish` adds what was scanned."""

    lines: Iterable[Unwrapped] = ()
    blocks: list[Block] = field(default_factory=list)
    found: Any = None

    @property
    def levels(self) -> tuple[bool, bool, bool]:
        return (False, False, False) if self.found is None else self.found.levels

    @property
    def access_lines(self) -> int:
        return 0 if self.found is None else int(self.found.access[0])

    @property
    def routed(self) -> int:
        return 0 if self.found is None else int(self.found.access[1])

    def may_be_told(self, block: Block) -> bool:
        """Whether the application may tell, in the block or before it, of a request outside the grammar that a scanned access
        line has."""
        return self.found is not None and bool(self.found.may_be_told(block.before))

    def knows(self, ids: Iterable[str]) -> bool:
        """Whether one of these requests was told of by a scanned line."""
        return self.found is not None and bool(self.found.knows(list(ids)))

    def finish(self, sheet: Sheet, levels: Levels | None = None) -> Parsed:
        """The rows of both in the order of their lines."""
        if self.found is None:
            return sheet.finish()
        levels = levels or Levels()
        batch, ignored = self.found.finish(
            levels.seen, levels.access_lines, levels.access_speaks_first, list(levels.told)
        )
        sheet.ignored += ignored
        scanned = _table(batch, sheet.always)
        if not sheet.rows:
            return Parsed(events=scanned, rejects=sheet.rejects, ignored=sheet.ignored, extra=sheet.extra)
        parsed = sheet.finish()
        if not scanned.num_rows:
            return parsed
        return replace(parsed, events=_in_order(scanned, parsed.events))


def nothing_of(block: Block, now: datetime) -> Scanned:
    """All lines are left to Python."""
    return Scanned(lines=unwrapped(block, now), blocks=[block])


def scan(
    name: str, block: Block, now: datetime, *, by_line: bool = True, by_columns: ByColumns | None = None
) -> Scanned:
    """What the scanner makes of a block of this format, or the format's own columns; everything is left where there is neither,
    or where lines belong together."""
    shape = _SHAPES.get(name)
    if by_columns is not None:
        found = by_columns(block, now) if columns_wanted() else None
    elif shape is None:
        return nothing_of(block, now)
    else:
        module = compiled()
        found = _columns(shape, block, now) if module is None else _native(module, shape, block, now)
    if found is None:
        return nothing_of(block, now)
    left = found.left
    lines = alone(block, now, left) if by_line else []
    if lines is None:
        return nothing_of(block, now)
    TALLY.scanned += found.lines - len(left)
    TALLY.left += len(left)
    return Scanned(lines=lines, blocks=[] if by_line else _runs(block, left), found=found)


def _native(module: Any, shape: str, block: Block, now: datetime) -> Any:
    return module.scan(
        shape,
        block.data,
        block.before,
        stream=block.stream,
        registry=block.registry or "",
        offset=block.offset,
        now=(now - _EPOCH) // _MICROSECOND,
        newest=(newest_of(block, now) - _EPOCH) // _MICROSECOND if block.zone is UTC else None,
    )


def _columns(shape: str, block: Block, now: datetime) -> Any:
    if not columns_wanted():
        return None
    from collector.columnar.scan import (
        scan as scan_columns,
    )  # numpy and Arrow, which are not needed to list the formats

    return scan_columns(shape, block, now, newest_of(block, now))


def _runs(block: Block, left: list[tuple[int, int]]) -> list[Block]:
    """Neighbouring lines as blocks of their own. A scanned line between them is a whole document, and ends one that has no end."""
    runs: list[tuple[int, int]] = []
    for start, end in left:
        if runs and runs[-1][1] + 1 == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    made = []
    for start, end in runs:
        last = end + 1 >= len(block.data)
        data = block.data[start : end + 1]
        before = block.before if start == 0 else b""
        made.append(
            replace(block, offset=block.offset + start, data=data, before=before, final=block.final if last else True)
        )
    return made


def _table(batch: Any, always: dict[str, Any]) -> pa.Table:
    import pyarrow as pa

    types, found = schema(), pa.record_batch(batch)
    rows, columns = found.num_rows, []
    known = {name: found.column(at) for at, name in enumerate(found.schema.names)}
    for field_ in FIELDS:
        kind = types.field(field_.name).type
        column = known.get(field_.name)
        if column is None:
            value = always.get(field_.name)
            column = _nothing(kind, rows) if value is None else pa.repeat(pa.scalar(value, kind), rows)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=types)


def _nothing(kind: Any, rows: int) -> Any:
    """Half of the columns say nothing: they are parts of the same few arrays."""
    return _nulls(kind, 1 << rows.bit_length()).slice(0, rows)


@lru_cache(maxsize=32)
def _nulls(kind: Any, rows: int) -> Any:
    import pyarrow as pa

    return pa.nulls(rows, kind)


def _in_order(scanned: pa.Table, left: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    both = pa.concat_tables([scanned, left]).combine_chunks()
    return both.take(pc.sort_indices(both, sort_keys=[("offset", "ascending")]))
