"""Captures collected into a store, as a registry's logs would be: together, one after the other, or in pieces of any size."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from format_samples import SAMPLES, formats

from collector.feed import Feed
from collector.interpret import Interpreter
from collector.joins.joiner import Joiner
from collector.sources.file_tail import FileTail
from collector.stages import Block
from regsight.app import pipeline_over
from regsight.discover import enrichers
from store.contract import EventQuery, Position
from store.embedded import EmbeddedStore

DISTRIBUTION: dict[str, tuple[str, ...]] = {
    "v2.8.2-json": ("registry.log", "notifications.jsonl", "nginx-access.combined.log"),
    "v2.8.2-text": ("registry.log", "notifications.jsonl", "nginx-access.combined.log"),
    "v3-json": ("registry.log", "notifications.jsonl", "nginx-access.combined.log"),
    "v3-text": ("registry.stderr.log", "registry.stdout.log", "notifications.jsonl", "nginx-access.combined.log"),
}
HARBOR: dict[str, tuple[str, ...]] = {
    "v2.12.4": (
        "registry.text.log",
        "registry.json.log",
        "nginx-access.log",
        "core.log",
        "api.audit-logs.json",
        "audit-forward.syslog.raw",
        "webhook-default.jsonl",
        "webhook-cloudevents.jsonl",
        "webhook-tiny.jsonl",
    ),
    "v2.15.2-harbor-log": ("registry.log", "proxy.log", "core.log", "api.auditlog-exts.page1.json"),
}


def paths(folder: str, capture: str, names: Sequence[str]) -> list[Path]:
    return [SAMPLES / folder / capture / name for name in names]


def collect(store: EmbeddedStore, files: Sequence[Path], *, one_by_one: bool = False) -> list[dict[str, Any]]:
    """The merged events after the files were read, in one run or each in a run (and with a memory) of its own."""
    for some in [[file] for file in files] if one_by_one else [list(files)]:
        source = FileTail("files", [str(file) for file in some], registry="r", known=store.positions)
        pipeline_over(store, [source]).run()
    return list(store.events(EventQuery()))


def tables(files: Sequence[Path]) -> list[pa.Table]:
    """The rows of each file, as they come to the joining stage."""
    interpreter = Interpreter(list(formats().values()), enrichers())
    read_at = datetime(2026, 11, 26, tzinfo=UTC)
    found = []
    for file in files:
        data = file.read_bytes()
        after = Position(stream=file.name, offset=len(data))
        block = Block(stream=file.name, offset=0, data=data, path=file.name, registry="r", after=after, final=True)
        found.append(interpreter.interpret(block, Feed(source=FileTail("files", [])), read_at).events)
    return [table for table in found if table.num_rows]


def in_pieces(store: EmbeddedStore, batches: Sequence[pa.Table], chance: random.Random) -> list[dict[str, Any]]:
    """The events after the batches were joined and committed, with restarts (a new memory) and batches that come again."""
    joiner, done = Joiner(store), []
    for batch in batches:
        if chance.random() < 0.15:
            joiner = Joiner(store)
        again = [chance.choice(done)] if done and chance.random() < 0.15 else []
        store.commit(joiner.join(pa.concat_tables([*again, batch])), [])
        done.append(batch)
    return list(store.events(EventQuery()))


def shuffled(files: Sequence[pa.Table], chance: random.Random) -> list[pa.Table]:
    """Each file in its own order, in pieces of any size, those of different files mixed in any way."""
    at, batches = [0] * len(files), []
    while any(place < table.num_rows for place, table in zip(at, files, strict=True)):
        batch = []
        for number in chance.sample(range(len(files)), chance.randint(1, len(files))):
            rows = whole_lines(files[number], at[number], chance.randint(1, 60))
            batch.append(files[number].slice(at[number], rows))
            at[number] += rows
        batches.append(pa.concat_tables(batch))
    return [batch for batch in batches if batch.num_rows]


def whole_lines(table: pa.Table, start: int, rows: int) -> int:
    """So many rows or some more: a line of which several rows come is never cut."""
    offsets = table["offset"]
    end = min(start + rows, table.num_rows)
    while 0 < end < table.num_rows and offsets[end].as_py() == offsets[end - 1].as_py():
        end += 1
    return max(0, end - start)
