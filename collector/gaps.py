"""What is known to be missing: every loss that the collector notices is written into the store, with what can be said of it.

A loss that nobody hears of looks like a quiet registry. The collector only states facts, one note each (`gap/<id>`); the
analytics make findings of them, and `regsight gaps` shows them. The same loss noticed again has the same id.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Protocol

from collector.telemetry import CollectorTelemetry
from store.errors import StoreError
from store.event import iso

log = logging.getLogger(__name__)

NOTES = "gap/"
MOST_WAITING = 10_000  # while the store is away; what comes behind is counted, and said in the log, only

TRUNCATED = "truncated"  # cut in place, and no copy of what was read is beside it
COPYTRUNCATE = "copytruncate"  # cut in place behind a copy: what was written between the two is in neither
FILE_GONE = "file_gone"  # read up to a point, and then nowhere to be found
MISSING_GENERATION = "missing_generation"  # a rotated file between those that are there
DAMAGED_ARCHIVE = "damaged_archive"  # nobody can read what is behind the offset
UNFINISHED_LINE = "unfinished_line"  # nothing is lost yet: half a line waits for its end
HOLE = "hole"  # zeros where a writer went on at its old offset behind a truncation
SYSLOG_LOST = "syslog_lost"  # messages that the receiver knows it did not get
REWRITTEN = "rewritten"  # bytes that were read are now others
ROWS_MISSING = "rows_missing"  # events that were stored are not in the store any more
KINDS = (
    TRUNCATED,
    COPYTRUNCATE,
    FILE_GONE,
    MISSING_GENERATION,
    DAMAGED_ARCHIVE,
    UNFINISHED_LINE,
    HOLE,
    SYSLOG_LOST,
    REWRITTEN,
    ROWS_MISSING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One loss. `offset` is how far the stream was read; `bytes` what is missing behind it, None where that cannot be known.

    `lines` is an estimate, at most so many, from the length and the pace of the lines before. What is missing was written
    between `start` and `end`. `discriminator` tells apart what has the same kind, source, path, stream and offset.
    """

    kind: str
    source: str
    path: str
    start: datetime
    end: datetime
    stream: str = ""
    offset: int = 0
    bytes: int | None = None
    lines: int | None = None
    registry: str | None = None
    text: str = ""
    discriminator: str = ""

    @property
    def id(self) -> str:
        cause = (self.kind, self.source, self.path, self.stream, str(self.offset), self.discriminator)
        return "g-" + blake2b("\x1f".join(cause).encode("utf-8", "replace"), digest_size=8).hexdigest()

    def as_note(self, noticed_at: datetime) -> dict[str, Any]:
        """As it is kept and shown; times as ISO 8601 UTC. `resolved_at` says that nothing is missing after all."""
        shown = asdict(self) | {"start": iso(self.start), "end": iso(self.end)}
        del shown["discriminator"]
        shown["path"] = self.path.encode("utf-8", "replace").decode()
        return {"id": self.id, **shown, "noticed_at": iso(noticed_at), "resolved_at": None}


class KeepsNotes(Protocol):
    """What is asked of a store here."""

    def put_note(self, key: str, value: Mapping[str, Any]) -> None: ...

    def note(self, key: str) -> dict[str, Any] | None: ...


class GapLog:
    """Takes gaps from any thread and has them in the store soon; while the store is away they wait here."""

    def __init__(
        self,
        store: KeepsNotes,
        telemetry: CollectorTelemetry | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._telemetry, self._clock = store, telemetry, clock
        self._waiting: dict[str, dict[str, Any]] = {}
        self._lost: dict[str, dict[str, Any]] = {}  # messages of this run
        self._begun = clock()
        self._lock = threading.Lock()

    def notice(self, gap: Gap) -> None:
        """Keep it, count it, say it."""
        log.warning(
            "part of a log is missing",
            extra={"gap": gap.kind, "path": gap.path, "offset": gap.offset, "text": gap.text},
        )
        if self._telemetry is not None:
            self._telemetry.gap(gap.source, gap.kind)
        note = gap.as_note(self._clock())
        if (before := self._waiting.get(gap.id) or self._stored(gap.id)) is not None and not before["resolved_at"]:
            note["noticed_at"] = before["noticed_at"]
        self._put(gap.id, note)

    def lost_messages(self, source: str, registry: str | None, reason: str, count: int) -> None:
        """Messages that a syslog receiver knows it did not get: one gap per source, reason, day and run, which adds up.
        Returns at once; `save` writes it.
        """
        now = self._clock()
        gap = Gap(
            kind=SYSLOG_LOST,
            source=source,
            path="",
            start=now,
            end=now,
            lines=count,
            registry=registry,
            discriminator=f"{reason} {now:%Y-%m-%d} {iso(self._begun)}",
            text=f"messages lost: {reason}",
        )
        if self._telemetry is not None:
            self._telemetry.gap(source, SYSLOG_LOST)
        note = gap.as_note(now)
        if (before := self._lost.get(gap.id)) is not None:
            note |= {"lines": before["lines"] + count, "start": before["start"], "noticed_at": before["noticed_at"]}
        self._lost[gap.id] = note
        with self._lock:
            self._waiting[gap.id] = note

    def resolve(self, id: str) -> None:
        """What was thought missing is there."""
        note = self._waiting.get(id) or self._stored(id)
        if note is not None and note["resolved_at"] is None:
            self._put(id, note | {"resolved_at": iso(self._clock())})

    def save(self) -> None:
        """Write what waits. Does not raise: what the store does not take goes on waiting."""
        with self._lock:
            for id, note in list(self._waiting.items()):
                try:
                    self._store.put_note(NOTES + id, note)
                except StoreError:
                    return
                del self._waiting[id]

    def _put(self, id: str, note: dict[str, Any]) -> None:
        with self._lock:
            if id in self._waiting or len(self._waiting) < MOST_WAITING:
                self._waiting[id] = note
        self.save()

    def _stored(self, id: str) -> dict[str, Any] | None:
        try:
            return self._store.note(NOTES + id)
        except StoreError:
            return None
