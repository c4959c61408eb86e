"""One store into another: day by day, safe to break off and start again, compared at the end of each day.

What is compared are the parts of which the events are made, each once: how many, and the sum of their hashes. A store may
hold a line that was read twice as two rows or as one; the parts are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any

from store.contract import EventQuery
from store.event import schema, to_ecs
from store.merge import distinct

if TYPE_CHECKING:
    from store.contract import Store

NOTE = "copied:"
BATCH = 5_000
# Parts of a day are read so much at a time: what has to be compared stays small.
SLICE = timedelta(hours=1)
DAY = timedelta(days=1)
# Notes that speak of the store itself, or of one process at it.
OWN_NOTES = (NOTE,)
EVERYTHING = 10**9


@dataclass(frozen=True, slots=True)
class Sum:
    """Parts and the sum of their hashes, which no order changes."""

    parts: int = 0
    hash: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.parts + other.parts, (self.hash + other.hash) % 2**128)

    def __str__(self) -> str:
        return f"{self.parts}:{self.hash:032x}"


@dataclass(frozen=True, slots=True)
class CopiedDay:
    """`state`: copied, known (an earlier run did it), different (the two are not the same afterwards)."""

    day: str
    state: str
    source: Sum
    target: Sum


def copy_events(source: Store, target: Store) -> Iterator[CopiedDay]:
    """All events of the source, oldest day first. A day that differs at the end is told and not marked as done."""
    there = {day.day for day in target.days()}
    for day in days_of(source):
        told = target.note(_key(source, day))
        if told is not None and told["sum"] == str(summed := sum_of(source, day)):
            yield CopiedDay(day, "known", summed, summed)
            continue
        before = Sum()
        for start in _slices(day):
            rows = _rows(source, start)
            before += _sum(rows)
            # Into a day that is there already go only the parts that it lacks.
            _write(target, rows, again=day in there)
        after = sum_of(target, day)
        same = before == after
        if same:
            target.put_note(_key(source, day), {"sum": str(before)})
        yield CopiedDay(day, "copied" if same else "different", before, after)


def days_of(store: Store) -> list[str]:
    """The days of which there may be parts: those that the store names, and in Elasticsearch their neighbours too, for a
    part may live in the index of the day before or after."""
    named = [_start(day.day) for day in store.days()]
    span = store.span()
    if span is None:
        return []
    wide = (
        {moment + way * DAY for moment in named for way in (-1, 0, 1)} if store.url.startswith("http") else set(named)
    )
    return [f"{day:%Y-%m-%d}" for day in sorted(wide)]


def sum_of(store: Store, day: str) -> Sum:
    """Of the parts whose own time is in the day."""
    return sum((_sum(_rows(store, start)) for start in _slices(day)), Sum())


def copy_records(source: Store, target: Store) -> dict[str, int]:
    """Findings, incidents, deliveries, job runs, dead letters, notes, positions and hourly counts; how many of each.

    A delivery keeps its state and times, and counts as one attempt. Leases are of running processes and stay behind.
    """
    findings, incidents = source.findings(), source.incidents()
    for finding in findings:
        target.put_finding(finding)
    for incident in incidents:
        target.change_incident(incident.id, lambda _, incident=incident: incident)  # type: ignore[misc]  # one of ours
    done = {"findings": len(findings), "incidents": len(incidents)}
    done["deliveries"] = _copy_deliveries(source, target)
    runs = source.runs(limit=10_000)
    for run in runs:
        target.finish_run(run)
    done["job runs"] = len(runs)
    letters, positions = source.dead_letters(limit=EVERYTHING), source.positions()
    empty = schema().empty_table()
    for start in range(0, len(letters), BATCH):
        target.commit(empty, [], letters[start : start + BATCH])
    target.commit(empty, positions)
    done |= {"dead letters": len(letters), "positions": len(positions)}
    notes = {key: value for key, value in source.notes("").items() if not key.startswith(OWN_NOTES)}
    for key, value in notes.items():
        target.put_note(key, value)
    return done | {"notes": len(notes), "hourly counts": _copy_rollups(source, target)}


def _copy_deliveries(source: Store, target: Store) -> int:
    found = source.deliveries()
    known = {(one.finding_id, one.channel): one.state for one in target.deliveries()}
    for one in found:
        target.enqueue(one.finding_id, [one.channel], one.created_at)
        if known.get((one.finding_id, one.channel), "pending") != "pending":
            continue
        if one.state == "sent":
            target.mark_sent(one, one.sent_at or one.due_at)
        elif one.state == "failed":
            target.mark_failed(one, one.due_at, one.error, None)
    return len(found)


def _copy_rollups(source: Store, target: Store) -> int:
    counts = source.rollups(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
    for day, rows in counts.groupby(counts["window_start"].dt.strftime("%Y-%m-%d")):
        target.put_rollup(str(day), 1, rows)
    return len(counts)


def _key(source: Store, day: str) -> str:
    return f"{NOTE}{source.url}:{day}"


def _start(day: str) -> datetime:
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)


def _slices(day: str) -> list[datetime]:
    return [_start(day) + hour * SLICE for hour in range(DAY // SLICE)]


def _rows(store: Store, start: datetime) -> list[Mapping[str, Any]]:
    """The distinct parts of one hour."""

    def id(row: Mapping[str, Any]) -> str:
        return str(row["event_id"])

    found = sorted(store.parts(EventQuery(since=start, until=start + SLICE)), key=id)
    return [part for _, rows in groupby(found, id) for part in distinct(rows)]


def _sum(rows: Iterable[Mapping[str, Any]]) -> Sum:
    total = Sum()
    for row in rows:
        text = json.dumps(to_ecs(row), sort_keys=True, ensure_ascii=False)
        total += Sum(1, int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()))
    return total


def _write(target: Store, rows: list[Mapping[str, Any]], again: bool) -> None:
    import pyarrow as pa

    for at in range(0, len(rows), BATCH):
        table = pa.Table.from_pylist([dict(row) for row in rows[at : at + BATCH]], schema=schema())
        if again:
            target.add(table)
        else:
            target.commit(table, [])
