"""What a disk can do to the event table, told by name, and taken out so that all else works.

A Parquet file that is cut cannot be read, its index is at the end: it is moved to `<store>/damaged/` and the table goes on
without it. A log entry that is cut is written anew with the lines that are whole and the files that lie in the table's
folder and that no other entry knows. Taking in a file too many does no harm: parts are merged on reading.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from store.contract import Damage
from store.delta import KEPT_HOURS, delta_errors, wrong_size
from store.delta_files import UNKNOWN, described, new_name

ENTRY = "[0-9]" * 20 + ".json"
CHECKPOINT = "[0-9]" * 20 + ".checkpoint*.parquet"


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """One log entry that cannot be read whole, with the lines of it that can."""

    path: Path
    version: int
    whole: list[dict[str, Any]] = field(default_factory=list)


def broken_entries(folder: Path) -> list[BrokenEntry]:
    """Those behind the newest checkpoint; nobody reads older ones. An empty one is opened without a word, and is broken."""
    log = folder / "_delta_log"
    checkpoint = max((int(path.name[:20]) for path in log.glob(CHECKPOINT)), default=-1)
    found: list[BrokenEntry] = []
    for path in sorted(log.glob(ENTRY)):
        version = int(path.name[:20])
        if version <= checkpoint:
            continue
        whole, torn = actions(path)
        if torn or not whole:
            found.append(BrokenEntry(path, version, whole))
    return found


def actions(entry: Path) -> tuple[list[dict[str, Any]], bool]:
    """The lines of a log entry that can be read, and whether there is one that cannot."""
    whole: list[dict[str, Any]] = []
    torn = False
    for line in filter(None, entry.read_bytes().split(b"\n")):
        try:
            whole.append(json.loads(line))
        except ValueError:
            torn = True
    return whole, torn


def event_damage(folder: Path, attic: Path, repair: bool, deep: bool) -> list[Damage]:
    """Broken log entries, then broken files. With `repair` both are taken out and kept in `attic`."""
    found: list[Damage] = []
    with delta_errors():
        entries = broken_entries(folder)
        for entry in entries:
            lost = "positions and files that this entry added; the lines are read again, the files taken in anew"
            damage = Damage(path=str(entry.path), wrong="is cut or empty", lost=lost)
            found.append(replace(damage, mended=_mend_entry(folder, attic, entry)) if repair else damage)
        uri = folder.as_uri()
        if (entries and not repair) or not deltalake.DeltaTable.is_deltatable(uri):
            return found
        table = deltalake.DeltaTable(uri)
        broken: list[Damage] = []
        for file in described(table):
            path = folder / file.name
            wrong = wrong_size(path, file.size) or (_unreadable(path) if deep else None)
            if wrong is not None:
                broken.append(Damage(path=str(path), wrong=wrong, lost=f"{file.rows:,} rows of {file.day}"))
        if broken and repair:
            for damage in broken:
                _to_attic(Path(damage.path), attic)
            table.repair()
            broken = [replace(one, mended=f"moved to {attic}, the table goes on without it") for one in broken]
    return found + broken


def _unreadable(path: Path) -> str | None:
    """Read it whole, group by group."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        for group in range(file.num_row_groups):
            file.read_row_group(group)
    except (OSError, ValueError) as error:  # pyarrow's errors are both
        return f"cannot be read: {str(error).partition(chr(10))[0]}"
    return None


def _to_attic(path: Path, attic: Path) -> None:
    if path.exists():
        attic.mkdir(exist_ok=True)
        shutil.move(path, attic / path.name)


def _mend_entry(folder: Path, attic: Path, entry: BrokenEntry) -> str:
    """Write the entry anew: first the copy, then the exchange in one step. Without the first there is no table."""
    if entry.version == 0:
        return ""
    told = {unquote(action["add"]["path"]) for action in entry.whole if "add" in action}
    orphans = [path for path in _unknown_files(folder, entry) if path.relative_to(folder).as_posix() not in told]
    lines = entry.whole + [_add(folder, path) for path in orphans]
    if not any("commitInfo" in action for action in lines):
        lines.insert(0, {"commitInfo": {"operation": "regsight store repair"}})
    attic.mkdir(exist_ok=True)
    shutil.copy2(entry.path, attic / entry.path.name)
    fresh = entry.path.with_suffix(".json.tmp")
    fresh.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    fresh.replace(entry.path)
    return f"written anew: {len(entry.whole)} lines of it were whole, {len(orphans)} files taken in again"


def _unknown_files(folder: Path, entry: BrokenEntry) -> list[Path]:
    """Whole Parquet files that no other entry, nor the state before this one, speaks of."""
    known: set[str] = set()
    before = deltalake.DeltaTable(folder.as_uri(), version=entry.version - 1)
    known.update(file.name for file in described(before))
    for path in (folder / "_delta_log").glob(
        CHECKPOINT
    ):  # older entries are gone, and what was replaced then is still there
        actions_of = pq.ParquetFile(path).read(columns=["add.path", "remove.path"])
        known.update(unquote(name) for kind in ("add", "remove") for name in _paths(actions_of[kind]))
    for path in (folder / "_delta_log").glob(ENTRY):
        if path == entry.path:
            continue
        for action in actions(path)[0]:
            known.update(unquote(action[kind]["path"]) for kind in ("add", "remove") if kind in action)
    # What was replaced longer ago than this has been swept away, or waits for it.
    newest = entry.path.stat().st_mtime - KEPT_HOURS * 3600
    files = [path for path in folder.glob("day=*/*.parquet") if path.stat().st_mtime >= newest]
    return sorted(
        path for path in files if path.relative_to(folder).as_posix() not in known and _unreadable(path) is None
    )


def _paths(actions_of: pa.ChunkedArray) -> list[str]:
    return [name for name in pc.struct_field(actions_of, "path").to_pylist() if name is not None]


def _add(folder: Path, path: Path) -> dict[str, Any]:
    if not path.name.startswith(UNKNOWN):  # what its name says was true of a table that is gone
        path = path.rename(path.with_name(f"{new_name(UNKNOWN)}.parquet"))
    name = path.relative_to(folder).as_posix()
    rows = pq.ParquetFile(path).metadata.num_rows
    return {
        "add": {
            "path": name,
            "partitionValues": {"day": path.parent.name.removeprefix("day=")},
            "size": path.stat().st_size,
            "modificationTime": int(path.stat().st_mtime * 1000),
            "dataChange": True,
            "stats": json.dumps({"numRecords": rows}),
        }
    }
