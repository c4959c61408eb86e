"""Legal hold: spans of time, or the events of somebody, that are kept however old they get.

A hold is lifted, never erased: who held what from when to when stays in the records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from store.contract import EventQuery, Records
from store.event import iso

if TYPE_CHECKING:
    from store.contract import Store

NOTE = "hold:"
SUBJECTS = ("actor", "client", "repository")
# Parts of one request may stand on both sides of midnight, and in Elasticsearch in the index of either day.
MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What is held: everything in [since, until) (None: without end), or of it the days on which the subject shows.

    `subject` is "" or `kind:name` with a kind of `SUBJECTS`; the name may be a pattern with `*` and `?`.
    """

    id: str
    reason: str
    by: str
    at: datetime
    since: datetime | None = None
    until: datetime | None = None
    subject: str = ""
    lifted_at: datetime | None = None
    lifted_by: str = ""

    def as_json(self) -> dict[str, Any]:
        """The field names of the command line's JSON; times as ISO 8601 UTC or null."""
        return {name: iso(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Hold:
        """The inverse of `as_json`."""
        times = {
            name: None if data[name] is None else datetime.fromisoformat(data[name])
            for name in ("at", "since", "until", "lifted_at")
        }
        return Hold(**(dict(data) | times))

    def touches(self, day: str) -> bool:
        """Whether its span, with the margin, has a moment of the day."""
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        later = self.since is not None and self.since - MARGIN >= start + timedelta(days=1)
        earlier = self.until is not None and self.until + MARGIN <= start
        return not later and not earlier

    def holds(self, store: Store, day: str) -> bool:
        """Whether the day must stay."""
        if not self.touches(day):
            return False
        if not self.subject:
            return True
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        since, until = start - MARGIN, start + timedelta(days=1) + MARGIN
        kind, _, name = self.subject.partition(":")
        query = replace(EventQuery(since=since, until=until, limit=1), **{kind: name})  # type: ignore[arg-type]  # SUBJECTS
        return next(iter(store.parts(query)), None) is not None


def add_hold(
    records: Records,
    reason: str,
    by: str,
    at: datetime,
    since: datetime | None,
    until: datetime | None,
    subject: str = "",
) -> Hold:
    """Raises: ValueError: an empty span, or a subject of no kind."""
    if since is not None and until is not None and since >= until:
        raise ValueError("a hold ends after it begins")
    kind, _, name = subject.partition(":")
    if subject and (kind not in SUBJECTS or not name):
        raise ValueError(f"{subject!r}: a subject is {', '.join(f'{one}:NAME' for one in SUBJECTS)}")
    if since is None and until is None and not subject:
        raise ValueError("a hold names a span of time, a subject, or both")
    hold = Hold(id=f"h-{uuid4().hex[:12]}", reason=reason, by=by, at=at, since=since, until=until, subject=subject)
    records.put_note(NOTE + hold.id, hold.as_json())
    return hold


def lift_hold(records: Records, id: str, by: str, at: datetime) -> Hold | None:
    """The hold as it is then; None where there is no such hold in force."""
    stored = records.note(NOTE + id)
    if stored is None or stored["lifted_at"] is not None:
        return None
    hold = replace(Hold.from_json(stored), lifted_at=at, lifted_by=by)
    records.put_note(NOTE + id, hold.as_json())
    return hold


def holds(records: Records, in_force: bool = True) -> list[Hold]:
    """Oldest first; with `in_force=False` those that were lifted too."""
    found = [Hold.from_json(value) for value in records.notes(NOTE).values()]
    return sorted(
        (hold for hold in found if not in_force or hold.lifted_at is None), key=lambda hold: (hold.at, hold.id)
    )


def holding(store: Store, day: str, found: Iterable[Hold]) -> Hold | None:
    """The first hold because of which the day must stay."""
    return next((hold for hold in found if hold.holds(store, day)), None)
