"""What was read of every source, so that it can be proved later: totals, a sign of life, and sealed bytes.

The bytes of a followed file are hashed in segments of some 4 MiB and chained: each link is made of the link before it, the
place and the hash of the segment. The open end of the chain lies in the committed position, in the same act as the events;
sealed segments are notes (`seal/<stream>/<number>`). A file, an archive or a row of the store that was changed afterwards no
longer fits (`collector.verify`). Two collectors that read one file each seal what they read; the later one's chain stays.

What was counted of a source up to a block stands in the position behind it: a collector that was killed counts on from what
is stored, neither more nor less. A note has the rest (sign of life, watermark), as it was some seconds ago at worst.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from collector.gaps import GapLog
from collector.interpret import Interpreted
from collector.stages import Block
from store.contract import Committed, Position
from store.errors import StoreError
from store.event import iso

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

SEALS, READ = "seal/", "read/"
SEGMENT_BYTES = 4 << 20
ALONE_BYTES = SEGMENT_BYTES // 2  # a block of so many is a segment of its own, hashed by the thread that interprets it
SEGMENTS_IN_NOTE = 128
MOST_STREAMS = 10_000  # whose open ends are held; others begin a segment anew when they are read on
SAVE_EVERY = timedelta(seconds=20)


class KeepsNotes(Protocol):
    """What is asked of a store here."""

    def put_note(self, key: str, value: Mapping[str, Any]) -> None: ...

    def note(self, key: str) -> dict[str, Any] | None: ...

    def position(self, stream: str) -> Position | None: ...

    def positions(self) -> list[Position]: ...


def read_so_far(positions: Iterable[Position]) -> dict[str, dict[str, int]]:
    """What was counted of each source (`COUNTS` but "known"), as far as it is stored: the position of its newest block says so.
    Nothing of sources that only an earlier release read.
    """
    found: dict[str, dict[str, int]] = {}
    for position in positions:
        told = position.detail.get("read") or {}
        if told and told["lines"] >= found.get(told["source"], told)["lines"]:
            found[told["source"]] = {name: int(told[name]) for name in COUNTS if name in told}
    return found


def counts_of(note: Mapping[str, Any], stored: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """What was counted of the source of a note; what is stored of it (`read_so_far`) says it better."""
    told = {**note.get("counts", {}), **stored.get(note.get("source", ""), {})}
    return {name: int(told.get(name, 0)) for name in COUNTS}


def link_of(before: str, start: int, end: int, digest: str) -> str:
    """The link behind a segment."""
    return blake2b(f"{before} {start} {end} {digest}".encode(), digest_size=16).hexdigest()


def digest_of(data: bytes) -> str:
    return _hash(data).hexdigest()


def digest_alone(block: Block) -> str:
    """Of a block that will be a segment of its own; empty for others."""
    sealed = "inode" in block.after.detail and len(block.data) == block.length >= ALONE_BYTES
    return digest_of(block.data) if sealed else ""


def _hash(data: bytes = b"") -> blake2b:
    return blake2b(data, digest_size=16)


def note_key(stream: str, number: int) -> str:
    return f"{SEALS}{stream}/{number // SEGMENTS_IN_NOTE:06}"


@dataclass(slots=True)
class _Chain:
    """One stream's segments. `places`: how many lines of the open segment gave events, `span`: their first and last
    time; `letters`: how many were dead letters."""

    stream: str
    start: int
    link: str
    number: int  # of the open segment
    hash: blake2b = field(default_factory=_hash)
    end: int = 0
    places: int = 0
    letters: int = 0
    span: tuple[str, str] | None = None
    sealed: list[dict[str, Any]] = field(default_factory=list)  # in the note that is being filled


@dataclass(slots=True)
class _Totals:
    """Of one source since the first run."""

    registry: str | None
    since: str  # from when on the collector has looked without a pause
    counts: dict[str, int]
    last_line: str | None
    watermark: str | None = None  # time of the newest event, never beyond when it was read


COUNTS = ("lines", "events", "dead_letters", "ignored", "bytes", "known")


class Ledger:
    """Works in the writer's thread."""

    def __init__(self, store: KeepsNotes, gaps: GapLog | None = None) -> None:
        self._store, self._gaps = store, gaps
        self._chains: OrderedDict[str, _Chain] = OrderedDict()
        self._unwritten: dict[str, list[dict[str, Any]]] = {}  # notes of sealed segments, by key
        self._totals: dict[str, _Totals] = {}
        self._stored: dict[str, dict[str, int]] | None = None  # at the start
        self._saved: datetime | None = None

    def take(self, source: str, block: Block, got: Interpreted, at: datetime) -> Interpreted:
        """Count a block; its position with the open end of the chain."""
        totals = self._of(source, block.registry, at)
        size = block.length if block.data else 0
        for name, count in zip(
            COUNTS, (got.lines, got.events.num_rows, len(got.dead), got.ignored, size, 0), strict=True
        ):
            totals.counts[name] += count
        totals.last_line = iso(at)
        if got.events.num_rows:
            _move(totals, got, at)
        told = {"source": source, **{name: totals.counts[name] for name in COUNTS if name != "known"}}
        got = replace(got, after=replace(got.after, detail={**got.after.detail, "read": told}))
        if "inode" not in block.after.detail:
            return got
        try:
            chain = self._chain(block, at)
        except StoreError:  # it will be asked again; what was read until then is not sealed
            return got
        if len(block.data) != block.length:  # a line too long to be carried: what was not read is not sealed
            self._seal(chain, at)
            chain.start = chain.end = block.after.offset
        else:
            self._add(chain, block, got, at)
        return replace(got, after=replace(got.after, detail={**got.after.detail, "seal": _open_end(chain, source, at)}))

    def _add(self, chain: _Chain, block: Block, got: Interpreted, at: datetime) -> None:
        import pyarrow.compute as pc

        if got.digest:
            self._seal(chain, at)
        else:
            chain.hash.update(block.data)
        chain.end = block.after.offset
        chain.letters += len(got.dead)
        if got.events.num_rows:
            chain.places += _different(got.events["offset"])
            ends = pc.min_max(got.events["timestamp"]).as_py()
            first, last = iso(ends["min"]), iso(ends["max"])
            chain.span = (first, last) if chain.span is None else (min(chain.span[0], first), max(chain.span[1], last))
        if got.digest or chain.end - chain.start >= SEGMENT_BYTES:
            self._seal(chain, at, got.digest)

    def _of(self, source: str, registry: str | None, at: datetime) -> _Totals:
        if source not in self._totals:
            try:
                before = self._store.note(READ + source) or {}
                if self._stored is None:
                    self._stored = read_so_far(self._store.positions())
            except StoreError:
                before = {}
            counts = counts_of({**before, "source": source}, self._stored or {})
            last = (before.get("last_line"), before.get("watermark"))
            self._totals[source] = _Totals(registry, iso(at), counts, *last)
        return self._totals[source]

    def begin(self, source: str, registry: str | None, at: datetime) -> None:
        """A source is looked at from now on, whether it has lines or not."""
        self._of(source, registry, at)

    def committed(self, done: Committed, sources: set[str]) -> None:
        """Rows that were known already; told of a source only where the batch had no other."""
        if done.known and len(sources) == 1:
            self._totals[next(iter(sources))].counts["known"] += done.known

    # the chain

    def _chain(self, block: Block, at: datetime) -> _Chain:
        stream = block.after.stream
        chain = self._chains.get(stream)
        if chain is None:
            chain = self._chains[stream] = self._resumed(stream, block.offset, at)
            while len(self._chains) > MOST_STREAMS:
                self._chains.popitem(last=False)
        self._chains.move_to_end(stream)
        if chain.end != block.offset:  # zeros were stepped over, or the stream begins elsewhere
            self._seal(chain, at)
            chain.start = chain.end = block.offset
        return chain

    def _resumed(self, stream: str, offset: int, at: datetime) -> _Chain:
        """As an earlier run left it: its open end becomes a segment of its own."""
        position = self._store.position(stream)
        end = dict(position.detail.get("seal") or {}) if position is not None else {}
        if position is None or not end:
            return _Chain(stream, offset, "", 0, end=offset)
        chain = _Chain(stream, int(end["start"]), str(end["link"]), int(end["number"]), end=position.offset)
        note = self._store.note(note_key(stream, chain.number)) or {}
        chain.sealed = [each for each in note.get("segments", []) if each["number"] < chain.number]
        chain.letters = int(end["letters"])
        chain.places, chain.span = int(end["places"]), tuple(end["span"]) if end["span"] else None
        if chain.end > chain.start:
            self._seal(chain, at, str(end["digest"]))
        return chain

    def _seal(self, chain: _Chain, at: datetime, digest: str = "") -> None:
        if chain.end <= chain.start:
            return
        digest = digest or chain.hash.hexdigest()
        if chain.sealed and chain.sealed[-1]["number"] // SEGMENTS_IN_NOTE != chain.number // SEGMENTS_IN_NOTE:
            chain.sealed = []
        chain.link = link_of(chain.link, chain.start, chain.end, digest)
        chain.sealed.append(
            {
                "number": chain.number,
                "start": chain.start,
                "end": chain.end,
                "digest": digest,
                "link": chain.link,
                "places": chain.places,
                "letters": chain.letters,
                "span": chain.span,
                "at": iso(at),
            }
        )
        self._unwritten[note_key(chain.stream, chain.number)] = chain.sealed
        chain.number += 1
        chain.start, chain.hash, chain.places, chain.letters, chain.span = chain.end, _hash(), 0, 0, None

    def prepare(self) -> None:
        """Write the segments that were sealed; before the commit of the positions that stand behind them.

        Raises:
            StoreError: call again.
        """
        while self._unwritten:
            key = next(iter(self._unwritten))
            self._store.put_note(key, {"segments": self._unwritten[key]})
            del self._unwritten[key]

    # totals

    def save(self, now: datetime, at_once: bool = False) -> None:
        """Write totals and the sign of life, every `SAVE_EVERY` at most, and gaps that wait. Does not raise."""
        if not at_once and self._saved is not None and now - self._saved < SAVE_EVERY:
            return
        self._saved = now
        if self._gaps is not None:
            self._gaps.save()
        for source, totals in self._totals.items():
            note = {
                "source": source,
                "registry": totals.registry,
                "since": totals.since,
                "looked_at": iso(now),
                "last_line": totals.last_line,
                "watermark": totals.watermark,
                "counts": totals.counts,
            }
            try:
                self._store.put_note(READ + source, note)
            except StoreError:
                return


def _different(offsets: pa.ChunkedArray) -> int:
    """How many places there are; rows mostly stand in the order of their lines, several of one line side by side."""
    import numpy as np
    import pyarrow.compute as pc

    steps = np.diff(offsets.to_numpy()) if not offsets.null_count else np.array([-1])
    if (steps < 0).any():
        return int(pc.count_distinct(offsets).as_py())
    return int(np.count_nonzero(steps)) + 1


def _move(totals: _Totals, got: Interpreted, at: datetime) -> None:
    """The watermark with a block's events; a line that is dated in the future does not move it."""
    import pyarrow.compute as pc

    times = got.events["timestamp"]
    newest = pc.max(times).as_py()
    if newest is not None and newest > at:
        newest = pc.max(times.filter(pc.less_equal(times, at))).as_py()
    if newest is not None:
        totals.watermark = max(totals.watermark or "", iso(newest))


def _open_end(chain: _Chain, source: str, at: datetime) -> dict[str, Any]:
    return {
        "source": source,
        "number": chain.number,
        "start": chain.start,
        "digest": chain.hash.hexdigest(),
        "places": chain.places,
        "letters": chain.letters,
        "span": chain.span,
        "link": chain.link,
        "at": iso(at),
    }
