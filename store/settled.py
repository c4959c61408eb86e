"""Bringing the event table to the disk, and what is left of its log when the power went before that.

Files are on the disk before the entry that names them is written, so an entry that is there never names what is lost. An
entry itself may be there without its content: it was the last, nobody was told that it is stored, and its lines are read
again.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

ENTRY = "[0-9]" * 20 + ".json"
LAST_CHECKPOINT = "_last_checkpoint"
PARQUET_END = b"PAR1"


def settle(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle_entry(folder: Path, version: int) -> bool:
    """The table's log from this version on; whether there is a checkpoint in it."""
    entries, checkpoint = folder / "_delta_log", False
    while (entry := entries / f"{version:020}.json").exists():
        settle(entry)
        with suppress(FileNotFoundError):
            settle(entries / f"{version:020}.checkpoint.parquet")
            settle(entries / LAST_CHECKPOINT)
            checkpoint = True
        version += 1
    settle(entries)
    return checkpoint


def drop_unsettled(folder: Path) -> None:
    """Take away what a power cut left of the newest entry, and of a checkpoint: both are written anew."""
    entries = folder / "_delta_log"
    for checkpoint in sorted(entries.glob("*.checkpoint*.parquet"), reverse=True)[:1]:
        if not _ends_well(checkpoint):
            log.warning("%s is not whole, as after a power cut: it is left out", checkpoint)
            checkpoint.unlink()
            (entries / LAST_CHECKPOINT).unlink(missing_ok=True)
    pointer = entries / LAST_CHECKPOINT
    if pointer.exists() and not _is_json(pointer):
        pointer.unlink()
    for entry in sorted(entries.glob(ENTRY), reverse=True)[:1]:
        if not _is_json(entry):
            log.warning("%s is not whole, as after a power cut: its lines are read again", entry)
            entry.unlink()


def _ends_well(parquet: Path) -> bool:
    return parquet.stat().st_size > 8 and parquet.read_bytes()[-4:] == PARQUET_END


def _is_json(path: Path) -> bool:
    """One document a line, and at least one."""
    lines = path.read_bytes().splitlines()
    try:
        return bool([json.loads(line) for line in lines if line])
    except ValueError:
        return False
