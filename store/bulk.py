"""Events into Elasticsearch: created once, merged when more parts come, item by item.

An event whose parts stand on both sides of midnight lives in the index of the day that was written first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.bulk_body import bodies
from store.contract import DeadLetter
from store.documents import Connection
from store.errors import Rejected, Unavailable
from store.event import to_ecs
from store.mapping import PART_NAMES, document, part_keys, rows_of
from store.merge import PART_FIELDS, part_key
from store.plain import plain_rows

# Parts of one request are seconds apart, those of a long upload minutes: only so near to midnight is the neighbouring
# day asked before an event is created.
STRADDLE = timedelta(hours=1)
DAY_MICROSECONDS = timedelta(days=1) // timedelta(microseconds=1)
ROUNDS = 20
BULK_BYTES = 5 * 1024 * 1024
# More in one request gain nothing, fewer cost the server a tenth to a third more.
BULK_ROWS = 5_000
CONNECTIONS = 2
SLICE_ROWS = 2 * BULK_ROWS  # documents made at once: fewer cost more, more leave the cache
# Of the answer only what is looked at: a line a document would cost more to read than the document to make.
_FILTER = "errors,items.*.status,items.*.error.type,items.*.error.reason"
_FOUND = "docs._id,docs._source"  # the id, so that a document that is not there keeps its place
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

    def write(self, events: pa.Table) -> Taken:
        """Store rows (schema of `store.event.schema()`).

        Raises:
            Unavailable: some of the events were not taken; the others are stored, repeating does no harm.
            Rejected: the server lets us write nothing.
        """
        alone, near = _alone(events)
        if pc.any(near).as_py():
            alone = pc.and_(alone, pc.invert(self._elsewhere(events, near)))
        taken = Taken()
        each = events if pc.all(alone).as_py() else events.filter(alone)
        with ThreadPoolExecutor(CONNECTIONS, "bulk") as pool:
            there = plain_rows(self._not_known(self._create(each, taken, pool), taken, pool))
        others = [] if each is events else plain_rows(events.filter(pc.invert(alone)))
        self._write([*others, *there], {row["event_id"] for row in there}, taken)
        return taken

    def _create(self, events: pa.Table, taken: Taken, pool: Executor) -> pa.Table:
        """Events of one row each, as if none of them were there; the rows of those that are."""
        if not events.num_rows:
            return events
        slices = range(0, events.num_rows, SLICE_ROWS)

        def send(start: int) -> list[tuple[int, list[Mapping[str, Any]]]]:
            """Documents are made here, while the server takes those of the other threads."""
            answers = []
            for first, _, body in bodies(events.slice(start, SLICE_ROWS), self._alias, BULK_ROWS, BULK_BYTES):
                answer = self._connection.call("POST", "/_bulk", body, filter_path=_FILTER)[1]
                answers.append((start + first, answer["items"] if answer["errors"] else []))
            return answers

        conflicts: list[int] = []
        unavailable = None
        for start, items in chain.from_iterable(pool.map(send, slices)):
            for place, item in enumerate(items, start):
                result = next(iter(item.values()))
                if result["status"] == 409:
                    conflicts.append(place)
                elif result["status"] >= 400:
                    unavailable = self._refused(plain_rows(events.slice(place, 1)), result, taken) or unavailable
        if unavailable is not None:
            raise unavailable
        return events.take(pa.array(conflicts, pa.int64())) if conflicts else events.slice(0, 0)

    def _not_known(self, events: pa.Table, taken: Taken, pool: Executor) -> pa.Table:
        """Of rows whose events are there those that are no part of them yet. After a crash whole batches are known, and
        the next life must not spend itself on them: nothing but what makes a part is asked for and compared.
        """
        if not events.num_rows:
            return events
        keys = list(map(part_key, plain_rows(events, PART_FIELDS)))
        days, ids = _days(events["timestamp"].combine_chunks(), self._alias), events["event_id"].to_pylist()

        def ask(start: int) -> list[Mapping[str, Any]]:
            part = slice(start, start + LOOK_UP)
            docs = [{"_index": index, "_id": id} for index, id in zip(days[part], ids[part], strict=True)]
            answer = self._connection.call(
                "POST", "/_mget", {"docs": docs}, _source_includes=",".join(PART_NAMES), filter_path=_FOUND
            )[1]
            found: list[Mapping[str, Any]] = answer["docs"]
            return found

        documents = chain.from_iterable(pool.map(ask, range(0, len(ids), LOOK_UP)))
        new = [
            place
            for place, (key, document) in enumerate(zip(keys, documents, strict=True))
            if (source := document.get("_source")) is None or key not in part_keys(source)
        ]
        taken.known += events.num_rows - len(new)
        return events.take(pa.array(new, pa.int64()))

    def _elsewhere(self, events: pa.Table, near: pa.Array) -> pa.Array:
        """Which of the rows are parts of events that the neighbouring day's index has."""
        asked = events.select(["event_id", "timestamp"]).filter(near)
        ids, indices = asked["event_id"].to_pylist(), _neighbours(asked["timestamp"].combine_chunks(), self._alias)
        there: list[str] = []
        for start in range(0, len(ids), LOOK_UP):
            part = slice(start, start + LOOK_UP)
            docs = [
                {"_index": index, "_id": id, "_source": False}
                for id, index in zip(ids[part], indices[part], strict=True)
            ]
            answer = self._connection.call("POST", "/_mget", {"docs": docs})[1]
            there += [id for id, found in zip(ids[part], answer["docs"], strict=True) if found.get("found")]
        return pc.and_(near, pc.is_in(events["event_id"].combine_chunks(), value_set=pa.array(there, pa.string())))

    def _write(self, rows: Sequence[Mapping[str, Any]], there: set[str], taken: Taken) -> None:
        """Rows of events some of which, `there`, are known to be in their day's index."""
        pending = list(self._grouped(rows, taken))
        asked = [(one, one.index if one.id in there else self._neighbour(one)) for one in pending]
        self._look_up([(one, index) for one, index in asked if index])
        for _ in range(ROUNDS):
            for one in pending:
                if one.stored is not None:
                    taken.known += len(one.rows) - len(one.missing())
                    one.rows = one.missing()
            pending = [one for one in pending if one.rows]
            if not pending:
                return
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
                    unavailable = self._refused(one.rows, result, taken) or unavailable
            if unavailable is not None:
                raise unavailable
        return conflicts

    def _refused(
        self, rows: Sequence[Mapping[str, Any]], result: Mapping[str, Any], taken: Taken
    ) -> Unavailable | None:
        """A document that will never fit is a dead letter, and the others go on; all else may pass or is an error."""
        status, kind = result["status"], result["error"]["type"]
        said = f"Elasticsearch refused an event with {status} {kind}: {result['error'].get('reason')}"
        # A validation of the whole request, such as no more shards allowed, or an index that somebody closed: it would fit
        # another day.
        if status == 400 and kind not in ("validation_exception", "index_closed_exception"):
            taken.refused.extend(_dead_letter(row, kind) for row in rows)
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


def _alone(events: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Which rows are an event each, as far as this batch tells, under an id that Elasticsearch takes; and of which of them
    another part may be in the neighbouring day."""
    ids = events["event_id"].combine_chunks()
    length = pc.binary_length(ids)
    alone = pc.and_(pc.greater(length, 0), pc.less_equal(length, ID_LIMIT))
    coded = ids.dictionary_encode()
    if len(coded.dictionary) < len(ids):
        counted = coded.indices.value_counts()
        once = counted.field("values").filter(pc.equal(counted.field("counts"), 1))
        alone = pc.and_(alone, pc.is_in(coded.indices, value_set=once))
    joined = pc.or_(pc.is_valid(events["request_id"]), pc.is_valid(events["join_confidence"])).combine_chunks()
    of_day = events["timestamp"].combine_chunks().cast(pa.time64("us")).cast(pa.int64())
    edge = STRADDLE // timedelta(microseconds=1)
    near = pc.or_(pc.less(of_day, edge), pc.greater_equal(of_day, DAY_MICROSECONDS - edge))
    return alone, pc.and_(alone, pc.and_(joined, near))


def _neighbours(times: pa.Array, alias: str) -> list[str]:
    """The index of the day that is nearer than an hour to each time."""
    before = pc.less(times.cast(pa.time64("us")).cast(pa.int64()), STRADDLE // timedelta(microseconds=1))
    days = (
        pc.add(times.cast(pa.date32()).cast(pa.int32()), pc.if_else(before, -1, 1)).cast(pa.int32()).cast(pa.date32())
    )
    return _days(days, alias)


def _days(times: pa.Array, alias: str) -> list[str]:
    """The index of the day of each time."""
    coded = times.cast(pa.date32()).dictionary_encode()
    names = pc.binary_join_element_wise(f"{alias}-", pc.strftime(coded.dictionary, format="%Y.%m.%d"), "")
    return [str(name) for name in names.take(coded.indices).to_pylist()]


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
