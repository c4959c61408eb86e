"""One block read by columns: the same questions and answers as `regsight_native.Scan`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from collector.columnar import access, distribution, harbor
from collector.columnar.rows import Rows, batch, line_ids
from collector.columnar.templates import Template
from collector.columnar.text import BlockText
from collector.columnar.values import by_combination, codes
from collector.stages import Block

if TYPE_CHECKING:
    import pyarrow as pa

    from collector.columnar.text import Mask, Places

FEWEST_LINES = 128  # with fewer, line by line is as quick
_ENTANGLED = (b"__CURSOR=", b'{"log":', b" stdout P", b" stderr P")  # in front of a block: lines that may reach into it
_LONGEST = 1 << 30


@dataclass(slots=True)
class Scan:
    """What was found in one block; `left` are the places of the lines that Python must read."""

    block: Block
    text: BlockText
    rows: list[Rows]
    read: list[Places]
    ignored: int = 0
    levels: tuple[bool, bool, bool] = (False, False, False)
    accesses: Rows | None = None  # of Distribution: whether they are events is known at the end
    _ids: set[str] = field(default_factory=set)

    @property
    def lines(self) -> int:
        return len(self.text)

    @property
    def left(self) -> list[tuple[int, int]]:
        rest = np.ones(len(self.text), bool)
        for lines in [*self.read, *(each.lines for each in self._all())]:
            rest[lines] = False
        return list(zip(self.text.starts[rest].tolist(), self.text.ends[rest].tolist(), strict=True))

    @property
    def access(self) -> tuple[int, int]:
        count = 0 if self.accesses is None else len(self.accesses.lines)
        return count, count

    def may_be_told(self, before: bytes) -> bool:
        """Access lines of requests outside the grammar are left to Python, all of them."""
        return False

    def knows(self, ids: Iterable[str]) -> bool:
        wanted = set(ids)
        return bool(wanted) and any(
            not wanted.isdisjoint(each.columns["event_id"].to_pylist()) for each in self.rows if len(each.lines)
        )

    def finish(
        self,
        seen: tuple[bool, bool, bool],
        access_lines: int,
        access_speaks_first: bool,
        told: Sequence[tuple[str, str]],
    ) -> tuple[pa.RecordBatch, int]:
        """(the rows, how many lines are no row of their own)."""
        ignored, rows = self.ignored, list(self.rows)
        if self.accesses is not None and len(self.accesses.lines):
            own = ~self._told(self.accesses, seen, access_lines, access_speaks_first)
            rows.append(self.accesses.where(own))
            ignored += int((~own).sum())
        for each in rows:
            if "event_id" not in each.columns and len(each.lines):
                each.columns["event_id"] = line_ids(self.text, self.block, each.lines)
        return batch(rows, self.text, self.block), ignored

    def _told(self, rows: Rows, seen: tuple[bool, bool, bool], access_lines: int, access_speaks_first: bool) -> Mask:
        from collector.distribution_log import Levels, told_by_application

        levels = Levels(*seen, access_lines=access_lines)
        status, statuses = codes(rows.columns["status"])
        size, sizes = codes(rows.columns["response_bytes"])

        def told(status: int, size: int) -> bool:
            written = None if size < 0 else sizes[size]
            return told_by_application(True, statuses[status], written, levels, access_speaks_first)

        numbers, answers = by_combination([status, size], told)
        found: Mask = np.array(answers, bool)[numbers.to_numpy()]
        return found

    def _all(self) -> list[Rows]:
        return self.rows if self.accesses is None else [*self.rows, self.accesses]


def worth_it(block: Block) -> bool:
    """Whether there are lines enough to gain by it, and none that mean something only together."""
    data = block.data
    if data.count(b"\n") < FEWEST_LINES or len(data) >= _LONGEST:
        return False
    return b'"__REALTIME_TIMESTAMP"' not in data and not any(sign in block.before for sign in _ENTANGLED)


def scan(shape: str, block: Block, now: datetime, newest: datetime) -> Scan | None:
    """None where it is not `worth_it`."""
    return _SHAPES[shape](block, now, newest) if worth_it(block) else None


TEMPLATES: dict[str, dict[int, list[Template]]] = {}  # of each kind of log, by the number of quotes in a line


def _distribution(block: Block, now: datetime, newest: datetime) -> Scan:
    text = BlockText(block.data, json=True)
    objects = text.at[text.starts] == ord("{")
    wrapped = text.says(text.starts, b'{"log":')
    known = TEMPLATES.setdefault("distribution", {})
    application = distribution.application_lines(text, np.flatnonzero(text.plain & objects & ~wrapped), known)
    accesses = distribution.access_lines(text, np.flatnonzero(text.plain & ~objects))
    rows = []
    if application.rows is not None:
        rows.append(application.rows)
    return Scan(block, text, rows, application.read, application.ignored, application.levels, accesses)


def _combined(block: Block, now: datetime, newest: datetime) -> Scan:
    text = BlockText(block.data, json=False)
    rows, _ = access.combined(text, np.flatnonzero(text.plain))
    return Scan(block, text, [rows], [])


def _timed(block: Block, now: datetime, newest: datetime) -> Scan:
    text = BlockText(block.data, json=False)
    return Scan(block, text, [access.timed(text, np.flatnonzero(text.plain), now, newest, block.zone)], [])


def _audit(block: Block, now: datetime, newest: datetime) -> Scan:
    text = BlockText(block.data, json=True)
    objects = np.flatnonzero(text.plain & (text.at[text.starts] == ord("{")))
    rows = harbor.audit_rows(text, objects, TEMPLATES.setdefault("harbor", {}), block.registry or "")
    return Scan(block, text, rows, [])


def _forwarded(block: Block, now: datetime, newest: datetime) -> Scan:
    text = BlockText(block.data, json=False)
    return Scan(block, text, harbor.forwarded_lines(text, newest, block.zone), [])


_SHAPES: dict[str, Callable[[Block, datetime, datetime], Scan]] = {
    "distribution": _distribution,
    "combined": _combined,
    "timed_combined": _timed,
    "harbor_audit": _audit,
    "harbor_forwarded": _forwarded,
}
