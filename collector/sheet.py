"""One block's worth of results: rows, rejects and counts, made into `Parsed` once at the end.

Whatever a format leaves out and this place knows (ids, stream, parts, project, tag, time of reading) is filled in here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from collector.image_reference import is_digest
from collector.request import evidence_action
from collector.stages import Block, Parsed, Reject
from collector.wrappers import Unwrapped
from store.event import FIELDS, Action, Event, schema


def now_utc() -> datetime:
    return datetime.now(UTC)


def request_event_id(request_id: str, action: str, tag: str | None = None) -> str:
    """The id of an event whose request the registry numbered: the same from every log that names the request.

    `tag` counts for `untag` alone: deleting a digest takes all its tags away, each with a notification under the id of the
    one request.
    """
    return "r-" + (_hash(request_id, action, tag) if action == "untag" and tag else _hash(request_id, action))


def line_event_id(stream: str, offset: int, line: bytes) -> str:
    """The id of an event that only one line tells of."""
    return _line_id(_front(stream), offset, line)


def _front(stream: str) -> bytes:
    return stream.encode("utf-8", "replace") + b"\x1f"


def _line_id(front: bytes, offset: int, line: bytes) -> str:
    # The same bytes as `_hash` would join, without its loop: most lines of a server are hashed so.
    return "l-" + blake2b(b"%b%d\x1f%b" % (front, offset, line), digest_size=16).hexdigest()


def numbered_event_id(*parts: str) -> str:
    """The id of an event that its source numbers itself, without the id of a request."""
    return "a-" + _hash(*parts)


def _hash(*parts: str | bytes) -> str:
    joined = b"\x1f".join(part if isinstance(part, bytes) else part.encode("utf-8", "replace") for part in parts)
    return blake2b(joined, digest_size=16).hexdigest()


class Sheet:
    """Collects what a format finds in one block."""

    def __init__(self, block: Block, *, dataset: str, registry_kind: str, now: datetime) -> None:
        self.block = block
        self.now = now
        self.rows: list[Event] = []
        self.rejects: list[Reject] = []
        self.ignored = 0
        self.extra = 0
        self._front = _front(block.stream)
        self._always = {
            "revision": 0,
            "dataset": dataset,
            "registry": block.registry,
            "registry_kind": registry_kind,
            "stream": block.stream,
            "path": block.path or None,
            "read_at": now,
        }

    @property
    def always(self) -> dict[str, Any]:
        """What every row of the block says."""
        return self._always

    def add(self, offset: int, line: bytes, event: Event) -> Event:
        """Take a row, with what it leaves out filled in; it may still be changed until `finish`."""
        row: dict[str, Any] = self._always | event
        row["offset"] = offset
        row["parts"] = [f"{self.block.stream}:{offset}"]
        if "event_id" not in row:
            row["event_id"] = _line_id(self._front, offset, line)
        repository, reference = row.get("repository"), row.get("reference")
        if repository and not row.get("project"):
            row["project"] = repository.partition("/")[0]
        if reference:
            if is_digest(reference):
                row["digest"] = row.get("digest") or reference
            else:
                row["tag"] = row.get("tag") or reference
        if (row.get("tag") or "").startswith("sha"):
            row["action"] = evidence_action(Action(row["action"]), row["tag"]).value
        self.rows.append(row)  # type: ignore[arg-type]
        return row  # type: ignore[return-value]

    def add_unwrapped(self, line: Unwrapped, event: Event) -> None:
        """Take what a line says, as many times as syslog counted it. A copy names the line that it repeats as a part."""
        for copy in range(line.copies):
            row = self.add(line.offset, line.raw_of(copy), event)
            if line.of is not None:
                row["parts"].append(f"{self.block.stream}:{line.of}")
                row["join_confidence"] = "certain"
        self.extra += line.copies - 1

    def reject_unwrapped(self, line: Unwrapped, reason: str) -> None:
        # A line made of pieces may begin in an earlier block, but what is kept of a reject is cut out of this one.
        begin = max(line.offset, self.block.offset)
        self.reject(begin, line.end - begin, reason)
        self.extra += line.surplus

    def reject(self, offset: int, length: int, reason: str) -> None:
        self.rejects.append(Reject(offset=offset, length=length, reason=reason))

    def finish(self) -> Parsed:
        """The Arrow table, column by column; what no row has, or all say alike, is no work for each of them."""
        import pyarrow as pa

        types, count = schema(), len(self.rows)
        named = set().union(*self.rows) if self.rows else set()
        columns = []
        for field in FIELDS:
            kind = types.field(field.name).type
            if field.name not in named:
                columns.append(pa.nulls(count, kind))
                continue
            values = self._values(field.name)
            first = values[0]
            if field.name in self._always and all(value is first for value in values):
                columns.append(pa.nulls(count, kind) if first is None else pa.repeat(pa.scalar(first, kind), count))
            else:
                columns.append(pa.array(values, type=kind))
        table = pa.Table.from_arrays(columns, schema=types)
        return Parsed(events=table, rejects=self.rejects, ignored=self.ignored, extra=self.extra)

    def _values(self, name: str) -> list[Any]:
        """A column's values. Rows of one format mostly have the same keys: asking for what may be missing costs twice."""
        try:
            return list(map(itemgetter(name), self.rows))
        except KeyError:
            return [row.get(name) for row in self.rows]
