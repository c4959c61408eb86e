"""Tallies of what each source's lines look like, over time: how much is read, which fields are filled, which names are new.

The collector only counts. The counts lie in the store as one note per source and format (`drift/<source>/<format>`), where
the analytics judge them; a metric shows the present slot. A slot is ten minutes of reading, longer while there are few lines.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from collector.field_names import known_fields, names_in
from collector.interpret import Interpreted
from collector.scrubbed import scrubbed
from collector.stages import Block
from collector.telemetry import CollectorTelemetry
from store.errors import StoreError
from store.event import Outcome, iso

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

NOTES = "drift/"
SLOT = timedelta(minutes=10)
SLOT_LINES = 100  # with fewer a slot goes on, up to LONGEST_SLOT
LONGEST_SLOT = timedelta(hours=6)
SLOTS_KEPT = 72
SAVE_EVERY = timedelta(seconds=20)
ACTIONS_KEPT = 8  # of a slot, besides all of them together
LEARNED_KEPT = 500
NEW_KEPT = 20
REASONS_KEPT = 10
JSON_LINES_LOOKED_AT = 32  # of each block
MOST_SERIES = 500  # sources × formats; what comes behind is not watched

# What lines say themselves, and not what is made of it: fields whose sudden absence means that a format changed.
WATCHED = (
    "actor",
    "client_ip",
    "user_agent",
    "method",
    "uri",
    "host",
    "request_id",
    "status",
    "response_bytes",
    "request_bytes",
    "duration_ns",
    "repository",
    "reference",
    "digest",
    "media_type",
    "size_bytes",
    "error_code",
)
ALL = "*"  # all actions of a slot together
_COUNTED = frozenset((Outcome.SUCCESS.value, Outcome.UNKNOWN.value))


class KeepsNotes(Protocol):
    """What is asked of a store here."""

    def put_note(self, key: str, value: Mapping[str, Any]) -> None: ...

    def note(self, key: str) -> dict[str, Any] | None: ...


@dataclass(slots=True, kw_only=True)
class Slot:
    """Counts of some minutes. `filled`: action → [events, then how many of them have each of `WATCHED`]; only events that
    went well or of which the outcome is unknown, because a refusal always says less.
    """

    start: str
    end: str
    lines: int = 0
    events: int = 0
    ignored: int = 0
    rejects: int = 0
    filled: dict[str, list[int]] = field(default_factory=dict)
    json_lines: int = 0
    new: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    first_reject: dict[str, Any] | None = None
    first_new: str | None = None


@dataclass(slots=True)
class _Series:
    """One source in one format."""

    source: str
    registry: str | None
    format: str
    slots: list[Slot]
    learned: set[str]
    changed: bool = False

    def as_note(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "registry": self.registry,
            "format": self.format,
            "fields": list(WATCHED),
            "learned": sorted(self.learned),
            "slots": [asdict(slot) for slot in self.slots],
        }


class DriftTallies:
    """Counts in the writer's thread; the store has them a little later. A store that does not take them loses counts of
    some seconds, never a line.
    """

    def __init__(self, store: KeepsNotes, telemetry: CollectorTelemetry) -> None:
        self._store, self._telemetry = store, telemetry
        self._series: dict[tuple[str, str], _Series] = {}
        self._saved: datetime | None = None

    def take(self, source: str, block: Block, got: Interpreted, at: datetime) -> None:
        """Count one block and what became of it."""
        if not got.lines:
            return
        format_name = _format_of(got)
        series = self._of(source, format_name, block.registry)
        if series is None:
            return
        slot = _open_slot(series, at)
        slot.end = iso(at)
        slot.lines += got.lines
        slot.events += got.events.num_rows
        slot.ignored += got.ignored
        slot.rejects += len(got.dead)
        _count_rejects(slot, block, got, at)
        _count_filled(slot, got.events)
        if format_name in known_fields():
            _count_names(slot, series, block, at)
        series.changed = True

    def save(self, now: datetime, at_once: bool = False) -> None:
        """Write what changed, every `SAVE_EVERY` at most."""
        if not at_once and self._saved is not None and now - self._saved < SAVE_EVERY:
            return
        self._saved = now
        for (source, format_name), series in self._series.items():
            if not series.changed:
                continue
            try:
                self._store.put_note(f"{NOTES}{source}/{format_name}", series.as_note())
            except StoreError:
                log.warning("tallies of formats not written", extra={"source": source}, exc_info=True)
                return
            series.changed = False
            self._tell(series)

    def _of(self, source: str, format_name: str, registry: str | None) -> _Series | None:
        """The series, with what earlier runs have seen; None when there are too many."""
        key = (source, format_name)
        if key not in self._series:
            if len(self._series) >= MOST_SERIES:
                return None
            try:
                note = self._store.note(f"{NOTES}{source}/{format_name}") or {}
            except StoreError:
                return None  # asked again with the next block
            slots = [Slot(**slot) for slot in note.get("slots", [])] if note.get("fields") == list(WATCHED) else []
            self._series[key] = _Series(source, registry, format_name, slots, set(note.get("learned", [])))
        return self._series[key]

    def _tell(self, series: _Series) -> None:
        slot = series.slots[-1]
        events, *counts = slot.filled.get(ALL, [0])
        empty = {name: 1 - count / events for name, count in zip(WATCHED, counts, strict=False)} if events else {}
        self._telemetry.looks(series.source, series.format, slot.rejects / max(slot.lines, 1), len(slot.new), empty)


def _format_of(got: Interpreted) -> str:
    if got.events.num_rows:
        return str(got.events["dataset"][0].as_py())
    if got.dead:
        return got.dead[0].format or "unknown"
    return str(got.after.detail.get("format") or "unknown")


def _open_slot(series: _Series, at: datetime) -> Slot:
    if series.slots:
        last = series.slots[-1]
        age = at - datetime.fromisoformat(last.start)
        if age < SLOT or (last.lines < SLOT_LINES and age < LONGEST_SLOT):
            return last
        series.learned |= set(last.new)
        series.learned = set(sorted(series.learned)[:LEARNED_KEPT])
        _forget_rare_actions(last)
    series.slots = [*series.slots, Slot(start=iso(at), end=iso(at))][-SLOTS_KEPT:]
    return series.slots[-1]


def _forget_rare_actions(slot: Slot) -> None:
    actions = sorted((name for name in slot.filled if name != ALL), key=lambda name: -slot.filled[name][0])
    for name in actions[ACTIONS_KEPT:]:
        del slot.filled[name]


def _count_rejects(slot: Slot, block: Block, got: Interpreted, at: datetime) -> None:
    for letter in got.dead:
        if letter.reason in slot.reasons or len(slot.reasons) < REASONS_KEPT:
            slot.reasons[letter.reason] = slot.reasons.get(letter.reason, 0) + 1
    if got.dead and slot.first_reject is None:
        first = got.dead[0]
        slot.first_reject = {
            "at": iso(at),
            "reason": first.reason,
            "path": block.path,
            "offset": first.offset,
            "line": scrubbed(first.line),
        }


def _count_filled(slot: Slot, events: pa.Table) -> None:
    if not events.num_rows:
        return
    # Counted by outcome too, and not picked out first: copying the rows of a block costs ten times what counting them does.
    named = [name for name in WATCHED if events[name].null_count < events.num_rows]
    aggregates = [([], "count_all"), *((name, "count") for name in named)]
    for row in (
        events.select(["action", "outcome", *named]).group_by(["action", "outcome"]).aggregate(aggregates).to_pylist()
    ):
        if row["outcome"] not in _COUNTED:
            continue
        counts = [row["count_all"], *(row.get(f"{name}_count", 0) for name in WATCHED)]
        for action in (row["action"], ALL):
            known = slot.filled.get(action)
            slot.filled[action] = counts if known is None else [a + b for a, b in zip(known, counts, strict=True)]


def _count_names(slot: Slot, series: _Series, block: Block, at: datetime) -> None:
    known = known_fields().get(series.format, frozenset())
    found: Counter[str] = Counter()
    for _, names in names_in(block.data, JSON_LINES_LOOKED_AT):
        slot.json_lines += 1
        found.update(name for name in names if name not in known and name not in series.learned)
    if found and slot.first_new is None:
        slot.first_new = iso(at)
    for name, count in found.most_common():
        if name in slot.new or len(slot.new) < NEW_KEPT:
            slot.new[name] = slot.new.get(name, 0) + count
