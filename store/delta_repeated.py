"""Which ids more than one row has, remembered by the files that were looked through: a file never changes.

Whoever goes through a long past puts question after question to the same files, of which upkeep (`store.delta_upkeep`) has
not found out anything yet. Of the few ids that several rows of some files have it is known in which files these rows are:
that answers for every part of these files.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

SETS_KEPT = 32
MOST_FILES, MOST_HASHES = 1_000, 100_000  # of a set that is kept
MOST_ROWS = 1_000  # of those whose files are known


@dataclass(slots=True)
class Repeated:
    """Files → the hashes (`h`) of the ids that more than one of their rows has. `seldom`: whether there were few the last time."""

    seldom: bool = True
    _known: dict[frozenset[str], pa.Table] = field(default_factory=dict)
    _rows: dict[frozenset[str], pa.Table] = field(default_factory=dict)

    def of(self, files: frozenset[str] | None) -> pa.Table | None:
        """None where it is not known; `files` are None where it is not asked of whole files."""
        if files is None or (found := self._known.get(files)) is not None:
            return None if files is None else found
        rows = next((rows for some, rows in list(self._rows.items()) if files <= some), None)
        return None if rows is None else _within(rows, files)

    def keep(self, files: frozenset[str] | None, found: pa.Table) -> None:
        """The newest are kept, and of those without any the largest."""
        if files is None or len(files) > MOST_FILES or found.num_rows > MOST_HASHES:
            return
        if found.num_rows:
            _put(self._known, files, found)
        else:
            self.keep_rows(files, pa.table({"h": found["h"], "file": pa.array([], pa.string())}))

    def keep_rows(self, files: frozenset[str], rows: pa.Table) -> None:
        """The same from every row of these files whose id another one has too: its hash, and the `file` in which it is."""
        for some in [some for some in list(self._rows) if some <= files]:
            self._rows.pop(some, None)
        _put(self._rows, files, rows)


def _put(kept: dict[frozenset[str], pa.Table], files: frozenset[str], found: pa.Table) -> None:
    while len(kept) >= SETS_KEPT:
        kept.pop(next(iter(kept)), None)
    kept[files] = found


def _within(rows: pa.Table, files: frozenset[str]) -> pa.Table:
    inside = rows.filter(pc.is_in(rows["file"], pa.array(sorted(files), pa.string())))
    counted = inside.group_by("h").aggregate([([], "count_all")])
    return counted.filter(pc.greater(counted["count_all"], 1)).select(["h"])
