"""Events into Elasticsearch: created once, merged when more parts come, item by item.

An event whose parts stand on both sides of midnight lives in the index of the day that was written first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from store.contract import DeadLetter
from store.documents import Connection
from store.errors import Rejected, Unavailable
from store.event import to_ecs
from store.mapping import document, rows_of
from store.merge import part_key

# Parts of one request are seconds apart, those of a long upload minutes: only so near to midnight is the neighbouring
# day asked before an event is created.
STRADDLE = timedelta(hours=1)
ROUNDS = 20
BULK_BYTES = 5 * 1024 * 1024
LOOK_UP = 1_000
LINE_LIMIT = 64 * 1024
# Elasticsearch refuses the whole request if one id is longer.
ID_LIMIT = 512


@dataclass(slots=True)
class Taken:
    """What became of the rows: `known` were there before, `refused` are those that Elasticsearch will never take."""

    known: int = 0
    refused: list[DeadLetter] = field(default_factory=list)


@dataclass(slots=True)
class _Pending:
    """One event on its way: the parts we bring, and the document that is there, as far as we know."""

    id: str
    rows: list[Mapping[str, Any]]
    index: str
    stored: Mapping[str, Any] | None = None

    def missing(self) -> list[Mapping[str, Any]]:
        """Our parts that the stored document lacks."""
        if self.stored is None:
            return self.rows
        there = {part_key(row) for row in rows_of(self.stored["_source"])}
        return [row for row in self.rows if part_key(row) not in there]

    def lines(self) -> list[bytes]:
        """Action and document of a bulk request."""
        if self.stored is None:
            action: dict[str, Any] = {"create": {"_index": self.index, "_id": self.id}}
            return [_json(action), _json(document(self.rows))]
        seen = {"if_seq_no": self.stored["_seq_no"], "if_primary_term": self.stored["_primary_term"]}
        action = {"index": {"_index": self.stored["_index"], "_id": self.id} | seen}
        return [_json(action), _json(document([*rows_of(self.stored["_source"]), *self.rows]))]


class BulkWriter:
    """Writes events through one connection; safe to repeat with the same rows at any time."""

    def __init__(self, connection: Connection, alias: str) -> None:
        self._connection = connection
        self._alias = alias

    def write(self, rows: Iterable[Mapping[str, Any]]) -> Taken:
        """Store rows (keys of `store.event.FIELDS`).

        Raises:
            Unavailable: some of the events were not taken; the others are stored, repeating does no harm.
            Rejected: the server lets us write nothing.
        """
        taken = Taken()
        pending = list(self._grouped(rows, taken))
        self._look_up([(one, self._neighbour(one)) for one in pending if self._neighbour(one)])
        for _ in range(ROUNDS):
            for one in pending:
                if one.stored is not None:
                    taken.known += len(one.rows) - len(one.missing())
                    one.rows = one.missing()
            pending = [one for one in pending if one.rows]
            if not pending:
                return taken
            pending = self._send(pending, taken)
            self._look_up([(one, one.stored["_index"] if one.stored else one.index) for one in pending])
        raise Unavailable("others change the same events all the time")

    def _grouped(self, rows: Iterable[Mapping[str, Any]], taken: Taken) -> Iterator[_Pending]:
        groups: dict[str, _Pending] = {}
        for row in rows:
            id = row["event_id"]
            if not 0 < len(id.encode()) <= ID_LIMIT:
                taken.refused.append(_dead_letter(row, "invalid_event_id"))
            elif id in groups:
                groups[id].rows.append(row)
            else:
                groups[id] = _Pending(id, [row], self._index(row["timestamp"]))
        yield from groups.values()

    def _index(self, moment: datetime) -> str:
        return f"{self._alias}-{moment.year:04}.{moment.month:02}.{moment.day:02}"

    def _neighbour(self, one: _Pending) -> str:
        """The other day's index in which a part of the same request may be; empty where there is none."""
        row = one.rows[0]
        if row.get("request_id") is None and row.get("join_confidence") is None:
            return ""
        try:
            around = {self._index(row["timestamp"] + way * STRADDLE) for way in (-1, 1)}
        except OverflowError:  # the first or the last hour that a date can name
            return ""
        return next(iter(around - {one.index}), "")

    def _send(self, pending: Sequence[_Pending], taken: Taken) -> list[_Pending]:
        """Write each one; those that somebody else wrote first come back, to be looked up."""
        conflicts: list[_Pending] = []
        for chunk in _chunks(pending):
            body = b"".join(line for _, lines in chunk for line in lines)
            answer = self._connection.call("POST", "/_bulk", body)[1]
            unavailable = None
            for (one, _), item in zip(chunk, answer["items"], strict=True):
                result = next(iter(item.values()))
                if result["status"] == 409:
                    conflicts.append(one)
                elif result["status"] >= 400:
                    unavailable = self._refused(one, result, taken) or unavailable
            if unavailable is not None:
                raise unavailable
        return conflicts

    def _refused(self, one: _Pending, result: Mapping[str, Any], taken: Taken) -> Unavailable | None:
        """A document that will never fit is a dead letter, and the others go on; all else may pass or is an error."""
        status, kind = result["status"], result["error"]["type"]
        said = f"Elasticsearch refused an event with {status} {kind}: {result['error'].get('reason')}"
        # A validation of the whole request: no more shards allowed, a closed index. Another day it would fit.
        if status == 400 and kind != "validation_exception":
            taken.refused.extend(_dead_letter(row, kind) for row in one.rows)
            return None
        if status in (401, 403) and kind != "cluster_block_exception":
            raise Rejected(said)
        return Unavailable(said)

    def _look_up(self, wanted: Sequence[tuple[_Pending, str]]) -> None:
        """Fill `stored` from the given indices. By id, so it sees what was written a moment ago."""
        for start in range(0, len(wanted), LOOK_UP):
            part = wanted[start : start + LOOK_UP]
            docs = [{"_index": index, "_id": one.id} for one, index in part]
            answer = self._connection.call("POST", "/_mget", {"docs": docs})[1]
            for (one, _), found in zip(part, answer["docs"], strict=True):
                one.stored = found if found.get("found") else None


def _chunks(pending: Sequence[_Pending]) -> Iterator[list[tuple[_Pending, list[bytes]]]]:
    chunk: list[tuple[_Pending, list[bytes]]] = []
    size = 0
    for one in pending:
        lines = one.lines()
        length = sum(len(line) for line in lines)
        if chunk and size + length > BULK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append((one, lines))
        size += length
    if chunk:
        yield chunk


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _dead_letter(row: Mapping[str, Any], reason: str) -> DeadLetter:
    """The event itself stands in for its line, which is with the source."""
    line = _json(to_ecs(row))
    return DeadLetter(
        stream=row.get("stream") or "",
        offset=row.get("offset") or 0,
        length=len(line),
        reason=f"store_{reason}",
        line=line[:LINE_LIMIT],
        path=row.get("path") or "",
        format=row.get("dataset") or "",
        read_at=row.get("read_at"),
    )
