"""Which ids more than one row has, remembered by the files that were looked through: a file never changes.

Whoever goes through a long past puts question after question to the same files, of which upkeep (`store.delta_upkeep`) has
not found out anything yet. Where no id is in two rows of some files, none is in any part of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

SETS_KEPT = 32
MOST_FILES, MOST_HASHES = 1_000, 100_000  # of a set that is kept


@dataclass(slots=True)
class Repeated:
    """Files → the hashes of the ids that more than one of their rows has; `seldom`: there were none the last time."""

    seldom: bool = True
    _known: dict[frozenset[str], pa.Table] = field(default_factory=dict)

    def of(self, files: frozenset[str] | None) -> pa.Table | None:
        """None where it is not known; `files` are None where it is not asked of whole files."""
        if files is None or (found := self._known.get(files)) is not None:
            return None if files is None else found
        return next((found for some, found in list(self._known.items()) if not found.num_rows and files <= some), None)

    def keep(self, files: frozenset[str] | None, found: pa.Table) -> None:
        """The newest are kept, and of those without any the largest."""
        self.seldom = not found.num_rows
        if files is None or len(files) > MOST_FILES or found.num_rows > MOST_HASHES:
            return
        if not found.num_rows:
            for some in [some for some, other in list(self._known.items()) if not other.num_rows and some <= files]:
                self._known.pop(some, None)
        while len(self._known) >= SETS_KEPT:
            self._known.pop(next(iter(self._known)), None)
        self._known[files] = found
