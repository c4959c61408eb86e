"""Rows as columns: what `collector.sheet.Sheet.add` fills in line by line, ids, and one batch in the order of the lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columnar.values import by_combination, joined, mask, no_empty
from collector.request import evidence_action
from collector.stages import Block
from store.event import FIELDS, Action, schema

if TYPE_CHECKING:
    from collector.columnar.text import BlockText, Mask, Places

Columns = dict[str, pa.Array]
_VERDICT = ("action", "outcome", "reason", "actor")


@dataclass(slots=True)
class Rows:
    """`columns` of equal length, and the line that each row is from."""

    lines: Places
    columns: Columns

    def where(self, chosen: Mask) -> Rows:
        if chosen.all():
            return self
        at = pa.array(np.flatnonzero(chosen))
        return Rows(self.lines[chosen], {name: column.take(at) for name, column in self.columns.items()})


def words(numbers: pa.Array, said: Sequence[Any]) -> pa.Array:
    """A column of few different words."""
    return pa.array(said, pa.string()).take(numbers)


def fill(columns: Columns, by_digest: Mask) -> None:
    """Project, tag, digest, and the action where the tag is one under which evidence is stored. `by_digest`: where the
    reference is a digest."""
    repository, reference = columns.get("repository"), columns.get("reference")
    if repository is not None:
        coded = repository.dictionary_encode()
        projects = [name.partition("/")[0] if name else None for name in coded.dictionary.to_pylist()]
        project = pa.array(projects, pa.string()).take(coded.indices)
        known = columns.get("project")
        columns["project"] = project if known is None else pc.coalesce(no_empty(known), project)
    if reference is not None:
        reference = no_empty(reference)
        nothing = pa.scalar(None, pa.string())
        for name, chosen in (("digest", by_digest), ("tag", ~by_digest)):
            said, own = columns.get(name), pc.if_else(pa.array(chosen), reference, nothing)
            columns[name] = own if said is None else pc.coalesce(said, own)
    tag = columns.get("tag")
    if tag is not None:
        rows = np.flatnonzero(mask(pc.starts_with(tag, "sha")))
        if len(rows):
            at = pa.array(rows)
            pairs = zip(columns["action"].take(at).to_pylist(), tag.take(at).to_pylist(), strict=True)
            actions = [evidence_action(Action(action), name).value for action, name in pairs]
            columns["action"] = joined(columns["action"], pa.array(actions, pa.string()), rows)


def ids(letter: str, hashed: Sequence[bytes]) -> pa.Array:
    """`collector.sheet`'s ids of what is joined already: letter, hyphen, 32 digits."""
    digests = b"".join([blake2b(text, digest_size=16).digest() for text in hashed])
    shown = np.empty((len(hashed), 34), np.uint8)
    shown[:, 0], shown[:, 1] = ord(letter), ord("-")
    shown[:, 2:] = np.frombuffer(digests.hex().encode(), np.uint8).reshape(-1, 32)
    bounds = np.arange(0, 34 * len(hashed) + 1, 34, dtype=np.int32)
    return pa.StringArray.from_buffers(len(hashed), pa.py_buffer(bounds), pa.py_buffer(shown))


def line_ids(text: BlockText, block: Block, lines: Places) -> pa.Array:
    """`collector.sheet.line_event_id` of whole lines."""
    front, data = block.stream.encode("utf-8", "replace") + b"\x1f", text.data
    begins = text.starts[lines]
    places = zip(
        [b"%d\x1f" % place for place in (begins + block.offset).tolist()],
        begins.tolist(),
        text.ends[lines].tolist(),
        strict=True,
    )
    return ids("l", [front + place + data[begin:end] for place, begin, end in places])


def hashed_texts(*columns: pa.Array | str) -> list[bytes]:
    """The parts of ids joined as `collector.sheet` joins them; a text instead of a column is the same for all."""
    texts: list[bytes] = pc.binary_join_element_wise(*columns, "\x1f").cast(pa.binary()).to_pylist()
    return texts


def batch(rows: Sequence[Rows], text: BlockText, block: Block) -> pa.RecordBatch:
    """The rows in the order of their lines. Columns without any value are left out."""
    kept = [each for each in rows if len(each.lines)]
    if not kept:
        return pa.RecordBatch.from_arrays([], schema=pa.schema([]))
    lines = np.concatenate([each.lines for each in kept])
    order = np.argsort(lines, kind="stable")
    sorted_already = bool((order[1:] > order[:-1]).all())
    at = pa.array(order)
    types, names, made = schema(), [], []
    for field in FIELDS:
        if not any(field.name in each.columns for each in kept):
            continue
        kind = types.field(field.name).type
        parts = [_column(each, field.name, kind) for each in kept]
        column = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        if column.null_count < len(column):
            names.append(field.name)
            made.append(column if sorted_already else column.take(at))
    offsets = text.starts[lines[order]] + block.offset
    names += ["offset", "parts"]
    made += [pa.array(offsets), _parts(block.stream, offsets)]
    return pa.RecordBatch.from_arrays(made, names)


def _column(rows: Rows, name: str, kind: pa.DataType) -> pa.Array:
    column = rows.columns.get(name)
    return pa.nulls(len(rows.lines), kind) if column is None else column


def _parts(stream: str, offsets: Places) -> pa.Array:
    texts = pc.binary_join_element_wise(pa.scalar(stream), pa.array(offsets).cast(pa.string()), ":")
    return pa.ListArray.from_arrays(pa.array(np.arange(len(offsets) + 1, dtype=np.int32)), texts)


def verdicts(parts: Sequence[Places], read: Any) -> Columns:
    """Columns of what `read` answers to each combination: events with `action`, `outcome`, `reason`, `actor`."""
    numbers, answers = by_combination(parts, read)
    return {name: words(numbers, [answer.get(name) for answer in answers]) for name in _VERDICT}
