"""What waits for the next commit: rows, dead letters, and the positions that may be committed with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from store.contract import DeadLetter, Position

if TYPE_CHECKING:
    import pyarrow as pa


class Batch:
    """Filled block by block, full by rows, by dead letters or by age. A position is in it only together with everything
    that was read before it, so committing the batch as one can never run ahead of the data.
    """

    def __init__(self, rows: int, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most_rows, self._most_seconds, self._monotonic = rows, seconds, monotonic
        self._begun: float | None = None
        self.tables: list[pa.Table] = []
        self.dead: list[DeadLetter] = []
        self.positions: dict[str, Position] = {}
        self.rows = 0
        self.read_bytes = 0

    def __bool__(self) -> bool:
        return self._begun is not None

    def add(self, events: pa.Table, dead: list[DeadLetter], after: Position, read_bytes: int) -> None:
        """Everything that one block gave. Positions never go back: a block read a second time
        leaves a later one alone.
        """
        if self._begun is None:
            self._begun = self._monotonic()
        if events.num_rows:
            self.tables.append(events)
            self.rows += events.num_rows
        self.dead.extend(dead)
        known = self.positions.get(after.stream)
        if known is None or after.offset >= known.offset:
            self.positions[after.stream] = after
        self.read_bytes += read_bytes

    def due_in(self) -> float | None:
        """Seconds until it must be committed (0 or less: now); None while it is empty."""
        if self._begun is None:
            return None
        if self.rows >= self._most_rows or len(self.dead) >= self._most_rows:
            return 0.0
        return self._begun + self._most_seconds - self._monotonic()

    def table(self) -> pa.Table:
        """All rows as one table in the event schema."""
        import pyarrow as pa

        from store.event import schema

        return pa.concat_tables(self.tables) if self.tables else schema().empty_table()
