"""The stage between interpreting a batch and committing it: gives parts of one request one event id.

The batch is the only wait. What came before is remembered, or asked of the store; nothing is held back, so a position never
passes a row that is not stored. A part that comes late takes over the id of the event that it belongs to, and readers see
them merged.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from collector.config import JoinsConfig
from collector.joins.alike import rivals
from collector.joins.corrections import attach, correction_row
from collector.joins.matching import Candidate, candidates, choose, wanted
from collector.joins.memory import Group, Memory
from collector.joins.numbered import NUMBERED_BY, standing_alone, stands_alone
from collector.joins.part import COLUMNS, SECOND, Part, micros, moment_of, part_of
from collector.joins.placing import place
from store.contract import EventQuery, Voice
from store.event import Channel
from store.plain import plain_rows

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_FOREVER = micros(datetime.max.replace(tzinfo=UTC))
# Log by log, those first that say most by which others can be told apart: requests, then who made them, then the rest.
_ORDER = {Channel.APPLICATION: 0, Channel.ACCESS: 1, Channel.AUDIT: 2, Channel.NOTIFICATION: 3}


class PartReader(Protocol):
    """What of a store joining needs."""

    def parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        """See `store.contract.EventReader.parts`."""
        ...


class Joiner:
    """Joins batch after batch. Not for several threads."""

    def __init__(
        self,
        store: PartReader,
        config: JoinsConfig | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._clock = store, clock
        self._config = config or JoinsConfig()
        self._window = int(self._config.window_seconds * SECOND)
        self._memories: dict[str | None, Memory] = {}
        self._asked: dict[str | None, datetime] = {}
        self._before_asking: Callable[[EventQuery], None] | None = None
        self.counts: Counter[str] = Counter()  # rows joined, by confidence; `late`: two stored events that are one

    def join(self, events: pa.Table, before_asking: Callable[[EventQuery], None] | None = None) -> pa.Table:
        """The batch with the event ids of what its rows belong to, and with rows that correct what is stored. `before_asking`
        is called with each question to the store, and waits until earlier batches are there if the answer should have them.

        Raises:
            Unavailable: the store does not answer; the same batch may be handed in again.
        """
        if not self._config.enabled or not events.num_rows:
            return events
        self._before_asking = before_asking
        # All that is asked comes first: what fails there leaves nothing half done.
        shared = [part.registry for part in _summaries(events) if self._look_up(part)]
        fresh, extra = [], []
        for registry, rows in _by_registry(events, shared):
            parts = [part_of(row, place) for place, row in rows]
            memory = self._memories[registry]
            batch = _Batch(memory, self._window, self.counts)
            batch.run(parts)
            extra += [correction_row(part) for part in batch.corrected.values()]
            fresh += parts
            memory.shrink()
        joined = _rewritten(events, fresh, extra)
        for part in fresh:
            if part.changes:
                part.tell({**part.row, **part.changes})
            part.changes, part.fresh = {}, False
        return joined

    def _new_memory(self) -> Memory:
        return Memory(self._config.memory_rows, int(self._config.tolerance_seconds * SECOND))

    def _look_up(self, part: _Summary) -> bool:
        """Fill the memory around the batch's times. False: one log alone tells of this registry, nothing can be joined."""
        now, memory = self._clock(), self._memories.setdefault(part.registry, self._new_memory())
        if now - self._asked.get(part.registry, now) > timedelta(seconds=self._config.ask_again_seconds):
            memory.covered.clear()
        begin, end = part.begin - self._window, part.end + self._window
        # Nothing is stored of what has not happened: from here on this process knows what it writes itself.
        end = _FOREVER if end >= micros(now) else end
        missing = memory.covered.missing(begin, end)
        if missing:
            self._asked[part.registry] = now
        if memory.numbered and part.numbered and self._all_numbered(part.registry, missing):
            memory.covered.add(begin, end)
            return False
        if memory.numbered or (memory.voices and not part.voices <= memory.voices):
            memory.clear()  # another log begins to tell: what the others said is in the store
            memory.numbered = False
            missing = [(begin, end)]
        memory.voices |= part.voices
        if _one_alone(memory.voices) and not part.untimed and self._nobody_else(part.registry, missing, memory.voices):
            memory.covered.add(begin, end)
            memory.forget_parts()
            return False
        self._fill(part, memory, missing)
        memory.covered.add(begin, end)
        if part.untimed and not memory.groups:
            self._ask(part.registry, memory, EventQuery(limit=self._config.memory_rows, newest_first=True))
        if _one_alone(memory.voices):
            memory.forget_parts()
            return False
        return True

    def _fill(self, part: _Summary, memory: Memory, missing: Sequence[tuple[int, int]]) -> None:
        """Take over what is stored of these times, and no more than can be remembered: what is closest to the batch first, then
        what came last. What had to make room once is not asked for by batches that lie behind it.
        """
        room = self._config.memory_rows
        for low, high in sorted(missing, key=lambda span: (span[1] < part.begin, -span[0])):
            begin = max(low, memory.forgotten + 1) if part.begin > memory.forgotten else low
            for least, most in ((begin, min(high, part.end)), (max(begin, part.end + 1), high)):
                if least <= most and room > 0:
                    room -= self._ask(part.registry, memory, replace(_span(least, most), limit=room, newest_first=True))

    def _all_numbered(self, registry: str | None, spans: Sequence[tuple[int, int]]) -> bool:
        """Whether nothing is stored of these times that could be joined with a row which has its number."""
        for span in spans:
            query = replace(_span(*span), registry=registry)
            rows = self._parts(query, numbered_by=NUMBERED_BY)
            if not all(stands_alone(row) for row in rows if row["registry"] == registry):
                return False
        return True

    def _nobody_else(
        self, registry: str | None, spans: Sequence[tuple[int, int]], voices: Collection[tuple[str, str]]
    ) -> bool:
        """Whether no other log told of these times."""
        asked = (replace(_span(*span), registry=registry) for span in spans)
        rows = (row for query in asked for row in self._parts(query, besides=voices))
        return not any(row["registry"] == registry for row in rows)

    def _parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        if self._before_asking is not None:
            self._before_asking(query)
        return self._store.parts(query, numbered_by=numbered_by, besides=besides)

    def _ask(self, registry: str | None, memory: Memory, query: EventQuery) -> int:
        """How many rows the store had."""
        count = 0
        for row in self._parts(replace(query, registry=registry)):
            count += 1
            if row["registry"] == registry:
                part = part_of(row)
                memory.voices.add(part.voice)
                memory.take_stored(part)
        return count


class _Batch:
    """One registry's rows of one batch on their way into the memory."""

    def __init__(self, memory: Memory, window: int, counts: Counter[str]) -> None:
        self._memory, self._window, self._counts = memory, window, counts
        self._taken: set[int] = set()
        self.corrected: dict[int, Part] = {}  # parts that are stored, of which something better is known now

    def run(self, parts: Sequence[Part]) -> None:
        """Every part gets the id of its event. Log by log, the registry's own first; each in its own order."""
        new = [part for part in sorted(parts, key=_order) if not self._known(part)]
        voices: dict[tuple[Any, ...], list[Part]] = {}
        for part in new:
            voices.setdefault((*_rank(part), *part.voice, part.stream), []).append(part)
        for lines in voices.values():
            if not all(line.placed for line in lines):
                place([line for line in lines if not line.placed], self._memory.groups.values())
            self._take(lines)

    def _known(self, part: Part) -> bool:
        """A line that was read before keeps its event."""
        event_id = self._memory.again(part, self._taken)
        if event_id is None:
            return False
        part.changes["event_id"] = event_id
        known = self._memory.groups[event_id]
        self._memory.remember(part, known)
        same = next((other for other in known.parts if other.row["stream"] == part.row["stream"]), None)
        if same is not None:
            part.changes["join_confidence"] = same.row["join_confidence"]
        return True

    def _take(self, lines: Sequence[Part]) -> None:
        for line in lines:
            self._memory.learn_from(line)
        found = {id(line): candidates(line, self._memory, self._window) for line in lines}
        wanting: defaultdict[int, list[Part]] = defaultdict(list)
        for line in lines:
            for group in wanted(found[id(line)]):
                wanting[id(group)].append(line)
        for line in lines:
            self._take_one(line, found[id(line)], wanting)

    def _take_one(self, part: Part, found: Sequence[Candidate], wanting: dict[int, list[Part]]) -> None:
        same = self._memory.of_request(part)
        if same is not None:
            self._count_late(part, found, same)
            self._attach(part, same, None)
            return
        found = [_now(one, part) for one in found]
        others = [
            line
            for one in found
            if not one.taken
            for line in wanting.get(id(one.group), ())
            if "event_id" not in line.changes
        ]
        choice = choose(part, found, others)
        if choice is not None:
            self._attach(part, choice.group, choice.confidence)
            self._counts[choice.confidence] += 1
            return
        if not part.placed and part.begin <= part.at < micros(part.row["read_at"]):
            part.changes["timestamp"] = moment_of(part.at)  # no partner, but its place among lines that have one
        self._memory.add(part, Group(part.event_id))

    def _attach(self, part: Part, group: Group, confidence: str | None) -> None:
        self.corrected |= {id(other): other for other in attach(part, group, confidence)}
        self._memory.add(part, group)

    def _count_late(self, part: Part, found: Sequence[Candidate], same: Group) -> None:
        """A line whose request is known already, and which also fits an event that stands alone: too late to make them one."""
        fitting = (
            one.group.parts for one in found if one.group is not same and not (one.taken or one.penalty or one.weak)
        )
        alone = [parts[0] for parts in fitting if len(parts) == 1 and not parts[0].fresh]
        if any(not any(rivals(one, other) for other in same.parts) for one in alone):
            self._counts["late"] += 1


def _now(one: Candidate, part: Part) -> Candidate:
    """The candidate after the lines before this one have chosen."""
    taken = not one.taken and any(rivals(part, other) for other in one.group.parts)
    return replace(one, taken=True) if taken else one


def _rank(part: Part) -> tuple[int, bool]:
    return _ORDER.get(part.row["channel"], len(_ORDER)), part.front


def _order(part: Part) -> tuple[Any, ...]:
    return (*_rank(part), *part.voice, part.stream, part.at if part.placed else 0, part.row["offset"])


def _one_alone(voices: Collection[tuple[str, str]]) -> bool:
    """Whether a single log tells of the registry; of one request, notifications may tell twice."""
    return len(voices) == 1 and next(iter(voices))[1] != Channel.NOTIFICATION


def _span(begin: int, end: int) -> EventQuery:
    return EventQuery(since=moment_of(begin), until=None if end >= _FOREVER else moment_of(end + 1))


@dataclass(frozen=True, slots=True)
class _Summary:
    """What a batch holds of one registry: which logs told, between which times (µs), whether some lines have none, and whether
    all have the number of their request (`numbered.py`)."""

    registry: str | None
    voices: set[tuple[str, str]]
    begin: int
    end: int
    untimed: bool
    numbered: bool


def _summaries(events: pa.Table) -> list[_Summary]:
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = ["registry", "dataset", "channel"]
    begins = pc.subtract(events["timestamp"].cast(pa.int64()), pc.divide(pc.fill_null(events["duration_ns"], 0), 1000))
    told = events.select([*keys, "timestamp"]).append_column("begin", begins)
    told = told.append_column("untimed", pc.equal(events["timestamp"], events["read_at"]))
    told = told.append_column("numbered", standing_alone(events))
    measures = [("begin", "min"), ("timestamp", "max"), ("untimed", "any"), ("numbered", "all")]
    found: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for group in told.group_by(keys).aggregate(measures).to_pylist():
        found[group["registry"]].append(group)
    return [
        _Summary(
            registry=registry,
            voices={(group["dataset"] or "", group["channel"] or "") for group in groups},
            begin=min(group["begin_min"] for group in groups),
            end=max(micros(group["timestamp_max"]) for group in groups) + SECOND,
            untimed=any(group["untimed_any"] for group in groups),
            numbered=all(group["numbered_all"] for group in groups),
        )
        for registry, groups in found.items()
    ]


def _by_registry(
    events: pa.Table, registries: Sequence[str | None]
) -> Iterable[tuple[str | None, list[tuple[int, dict[str, Any]]]]]:
    """(place in the batch, row) of each of these registries."""
    found: defaultdict[str | None, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    if registries:
        for place_, row in enumerate(plain_rows(events, COLUMNS)):
            if row["registry"] in registries:
                found[row["registry"]].append((place_, row))
    return found.items()


def _rewritten(events: pa.Table, parts: Iterable[Part], extra: list[dict[str, Any]]) -> pa.Table:
    """The table with what joining changed, column by column, and the rows that it adds."""
    import pyarrow as pa

    changed: defaultdict[str, dict[int, Any]] = defaultdict(dict)
    for part in parts:
        for name, value in part.changes.items():
            changed[name][part.place] = value
    for name, values in changed.items():
        column = events[name].to_pylist()
        for place_, value in values.items():
            column[place_] = value
        field = events.schema.field(name)
        events = events.set_column(events.schema.get_field_index(name), field, pa.array(column, type=field.type))
    if extra:
        events = pa.concat_tables([events, pa.Table.from_pylist(extra, schema=events.schema)])
    return events
