"""What others may ask of a store. Two kinds answer: `store.embedded` (Delta + SQLite) and `store.elastic`.

A store keeps two sorts of things. Events are many and only ever added: rows with the same `event_id` are parts of one
event, and every reader sees them merged (`merged`: for each field the value of the most trusted part that has one), so
writing a line twice, or reading one request from two logs, counts once. Findings, deliveries, job runs, leases, dead
letters and positions are few and change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from store.arrivals import Arrival
from store.finding import Finding, Severity
from store.incident import Incident

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Columns of `EventReader.windows`, all int64. `denied` counts outcome denied; `bad_credentials` is the part of it in which
# a password or token was presented and refused; `failures` counts outcome failure. `bytes` sums response_bytes of pulls and
# layer downloads plus request/size bytes of pushes and layer uploads as far as the logs say.
WINDOW_COUNTS: tuple[str, ...] = (
    "requests",
    "pulls",
    "pushes",
    "deletes",
    "checks",
    "layer_downloads",
    "layer_uploads",
    "logins",
    "denied",
    "bad_credentials",
    "failures",
    "distinct_clients",
    "distinct_actors",
    "distinct_repositories",
    "distinct_digests",
    "bytes",
)

# What a window may be counted by. Events in which the subject's field is null are left out; "registry_wide" has the single
# subject "*".
SUBJECTS: Mapping[str, str | None] = {
    "actor": "actor",
    "client": "client_ip",
    "repository": "repository",
    "project": "project",
    "client_class": "client_class",
    "registry": "registry",
    "registry_wide": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a stream has been read: every byte before `offset` is stored, rejected to the dead letters, or ignored.

    `detail` is the source's own: whatever it needs to find the stream again (path, inode, hashes, cursor), JSON values only.
    """

    stream: str
    offset: int
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Bytes that nobody could read, kept with the reason. `line` is cut at 64 KiB; `length` is the true length."""

    stream: str
    offset: int
    length: int
    reason: str
    line: bytes
    path: str = ""
    format: str = ""
    read_at: datetime | None = None
    registry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit did. `rows` were handed over; `known` of them were there before (stored once all the same)."""

    rows: int
    known: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the store holds of one day (`2026-11-24`): rows (Elasticsearch: events) and bytes on the disk."""

    day: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Something in the store that cannot be read. `lost` says what is missing because of it; `mended` what was done."""

    path: str
    wrong: str
    lost: str
    mended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events. Times are half open [since, until); a name is equal or, with `*` or `?` in it, a glob pattern.
    `columns` are the fields that are wanted; all of them if it names none. Who goes through millions should name some.
    """

    since: datetime | None = None
    until: datetime | None = None
    action: Sequence[str] = ()
    outcome: Sequence[str] = ()
    reason: Sequence[str] = ()
    actor: str | None = None
    client: str | None = None
    repository: str | None = None
    reference: str | None = None
    digest: str | None = None
    registry: str | None = None  # name of the instance, equal
    ids: Sequence[str] = ()
    limit: int | None = None
    newest_first: bool = False
    columns: Sequence[str] = ()


Voice = tuple[str, str]  # which log tells: dataset and channel


class EventWriter(Protocol):
    """The collector's side."""

    def commit(self, events: pa.Table, positions: Sequence[Position], dead: Sequence[DeadLetter] = ()) -> Committed:
        """Store rows (schema of `store.event.schema()`), dead letters and positions so that a crash at any moment,
        followed by reading again from `position()`, loses nothing and counts nothing twice.

        Raises:
            Unavailable: try again with the same arguments.
            Rejected: never will.
        """
        ...

    def add(self, events: pa.Table) -> Committed:
        """Store rows some of which may be there already, each part once, without a position; for copies of a store."""
        ...

    def position(self, stream: str) -> Position | None:
        """The committed position of one stream; None if it was never read."""
        ...

    def positions(self) -> list[Position]:
        """All committed positions."""
        ...


class EventReader(Protocol):
    """What detection, reports, the page and the command line ask."""

    def events(self, query: EventQuery) -> Iterator[dict[str, Any]]:
        """Merged events by time, keys as in `store.event.FIELDS` (nulls present), times aware UTC."""
        ...

    def table(self, query: EventQuery) -> pa.Table:
        """The same events as columns, as `store.event.schema()` has them; for questions about very many of them."""
        ...

    def parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        """The rows of which the events are made, each as it was stored, by time; keys as in `store.event.FIELDS`.

        What joins the rows of different logs asks this; a row may be there twice where a line was read twice. Rows of the
        formats `numbered_by` are left out where the registry's own number of the request made the event's id (`r-…`), and those
        of the logs `besides`: (dataset, channel).
        """
        ...

    def counts(
        self, since: datetime, until: datetime, by: Sequence[str], width: timedelta | None = None
    ) -> pd.DataFrame:
        """How many merged events per combination of the fields `by` (and per window of `width` where given).

        Returns:
            Columns: `by` in order (null kept as None), `window_start` (aware UTC, only with `width`, aligned to the epoch),
            `events` (int64), `bytes` (int64), `duration_ns` (mean, float64, NaN where no line says). Sorted by window_start,
            then events descending.
        """
        ...

    def windows(self, since: datetime, until: datetime, width: timedelta, subject: str) -> pd.DataFrame:
        """Counts per subject and window in [since, until), windows aligned to the epoch.

        Returns:
            Index (subject, window_start), window_start aware UTC, sorted. Columns `WINDOW_COUNTS`, all int64.
            Only windows in which the subject did something have a row (`analytics.windows.dense` adds the zeros).

        Raises:
            Unavailable: the store did not answer; asking again may help.
        """
        ...

    def span(self) -> tuple[datetime, datetime] | None:
        """Time of the first and the last event, or None when there is none."""
        ...

    def arrived(self, stored_since: datetime, since: datetime, before: datetime) -> list[Arrival]:
        """The hours of event time in [since, before) about which rows were stored at or after `stored_since`, by time."""
        ...

    def total(self) -> int:
        """Number of merged events."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One finding on its way to one channel. `state` is pending, sent or failed (given up)."""

    finding_id: str
    channel: str
    state: str
    attempts: int
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One run of one job, for the moment it was due (`due_at`), whenever it really ran. `state`: running, ok, failed."""

    job: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None = None
    state: str = "running"
    note: str = ""


class Records(Protocol):
    """The few things that change. Every method is one atomic act; none may be called inside another."""

    def put_finding(self, finding: Finding) -> bool:
        """Store it, or replace the one with its id when it changed; True only if the id is new.
        The first `detected_at` is kept."""
        ...

    def finding(self, id: str) -> Finding | None: ...

    def findings(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        min_severity: Severity = Severity.INFO,
        limit: int | None = None,
    ) -> list[Finding]:
        """Findings whose [start, end] touches [since, until), newest `detected_at` first."""
        ...

    def incident(self, id: str) -> Incident | None: ...

    def incidents(
        self, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> list[Incident]:
        """Incidents whose [start, end] touches [since, until), newest `detected_at` first."""
        ...

    def change_incident(self, id: str, change: Callable[[Incident | None], Incident | None]) -> Incident | None:
        """Store what `change` makes of the incident (None where there is none yet), alone or not at all; `change` may be
        called again when somebody else wrote in between. None from it leaves things as they are.

        Returns:
            The incident as it is stored now.
        """
        ...

    def enqueue(self, finding_id: str, channels: Iterable[str], now: datetime) -> int:
        """Put a finding into the outbox once per channel; how many were new (an existing pair is left as it is)."""
        ...

    def due(self, now: datetime, limit: int = 100) -> list[Delivery]:
        """Pending deliveries with `due_at` <= now, oldest first."""
        ...

    def mark_sent(self, delivery: Delivery, now: datetime) -> None: ...

    def mark_failed(self, delivery: Delivery, now: datetime, error: str, retry_at: datetime | None) -> None:
        """Count an attempt; try again at `retry_at`, or give up with None."""
        ...

    def deliveries(self, finding_id: str | None = None) -> list[Delivery]: ...

    def start_run(self, run: JobRun) -> None: ...

    def finish_run(self, run: JobRun) -> None:
        """`run` as returned at the start with finished_at, state and note filled."""
        ...

    def runs(self, job: str | None = None, limit: int = 50) -> list[JobRun]:
        """Newest `due_at` first."""
        ...

    def last_ok(self, job: str) -> JobRun | None:
        """The run with the newest `due_at` among those with state ok."""
        ...

    def take_lease(self, name: str, holder: str, now: datetime, span: timedelta) -> bool:
        """True if `holder` now has the lease until now + span: it was free, ran out, or was already the holder's."""
        ...

    def release_lease(self, name: str, holder: str) -> None: ...

    def dead_letters(self, limit: int = 100, stream: str | None = None) -> list[DeadLetter]:
        """Newest first."""
        ...

    def drop_dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        """Forget letters (by stream and offset) that have become events; how many were still there."""
        ...

    def dead_letter_counts(self) -> dict[str, int]:
        """Reason → how many."""
        ...

    def put_note(self, key: str, value: Mapping[str, Any]) -> None:
        """A small JSON value under a key of a job's own (a learned model's path, a source's last sign of life)."""
        ...

    def note(self, key: str) -> dict[str, Any] | None: ...

    def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        """All notes whose key begins with `prefix`, by key."""
        ...


class Store(EventWriter, EventReader, Records, Protocol):
    """Everything, as `store.locate.open_store(url)` gives it."""

    url: str  # without secrets

    def maintain(self, now: datetime, keep: timedelta | None, keep_rollups: timedelta | None = None) -> dict[str, int]:
        """Compact, clean up, and drop whole days older than `keep` except where a hold is on them; their hourly counts
        are kept for `keep_rollups` (None: for ever). Returns what was done, as counts by name."""
        ...

    def days(self) -> list[Day]:
        """What is stored of each day, oldest first; a day without rows is left out."""
        ...

    def drop_days(self, days: Sequence[str]) -> None:
        """Forget all rows of these days. `store.retention` decides which; nothing is asked here."""
        ...

    def put_rollup(self, day: str, batch: int, counts: pd.DataFrame) -> None:
        """Store the hourly counts of a day's rows (columns `store.frames.ROLLUP`), in place of those that the same
        batch put before."""
        ...

    def rollups(self, since: datetime, until: datetime) -> pd.DataFrame:
        """Hourly counts of the days whose events are gone, hours in [since, until).

        Returns:
            Columns `store.frames.ROLLUP`: window_start (aware UTC), the names (None where a line did not say), events,
            bytes. Days that still have their events are not in it: ask `counts` for those.
        """
        ...

    def drop_rollups(self, before: str) -> int:
        """Forget the hourly counts of days before this one; how many rows."""
        ...

    def damage(self, repair: bool = False, deep: bool = False) -> list[Damage]:
        """What cannot be read, and with `repair` takes it out so that all else works; `deep` reads every file whole."""
        ...

    def close(self) -> None: ...
