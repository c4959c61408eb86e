"""Up to when windows were judged, and what came in about the time before: which part of it is judged again.

Detection does not wait for stragglers: it judges up to now, and the last minutes once more. Rows that are stored later than
that re-open the time that they tell of: everything from their first moment on is judged anew, as if they had been there in
time. The clock may jump: forwards, what was judged of a time that has not come yet is judged again when it does; backwards,
rows are looked for from the new time on. The state is one note of the store, so that it outlives the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.replay import floor
from analytics.windows import HOUR
from store.contract import Store
from store.event import iso

LATE_NOTE = "analytics.late"
GRACE = timedelta(minutes=1)  # from happening to being stored; what is quicker is never late
MARGIN = timedelta(minutes=2)  # a commit takes its time between its stamp and being readable
SHORT = timedelta(hours=2)  # so much is judged again at once; more waits until nothing more comes …
PATIENCE = timedelta(minutes=10)  # … but no longer than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """What is to be judged again: from `since` on, because of so many rows; `noticed` when the first of them was seen."""

    since: datetime
    rows: int
    noticed: datetime


@dataclass(slots=True, kw_only=True)
class State:
    """What the note holds. `handled`: hour → when its newest late row was stored, for those looked at already."""

    looked: datetime | None = None
    handled: dict[str, str] = field(default_factory=dict)
    waiting: Late | None = None

    @staticmethod
    def of(note: Mapping[str, Any] | None) -> State:
        if not note:
            return State()
        waiting = note.get("waiting")
        return State(
            looked=datetime.fromisoformat(note["looked"]),
            handled=dict(note["handled"]),
            waiting=Late(
                since=datetime.fromisoformat(waiting["since"]),
                rows=int(waiting["rows"]),
                noticed=datetime.fromisoformat(waiting["noticed"]),
            )
            if waiting
            else None,
        )

    def as_note(self) -> dict[str, Any]:
        waiting = self.waiting
        return {
            "looked": iso(self.looked or datetime.now(UTC)),
            "handled": self.handled,
            "waiting": None
            if waiting is None
            else {"since": iso(waiting.since), "rows": waiting.rows, "noticed": iso(waiting.noticed)},
        }


def look(
    store: Store, now: datetime, judged: datetime | None, most: timedelta, group: str = ""
) -> tuple[Late | None, int]:
    """What is to be judged again now, if anything, and how many late rows are new since the last look.

    `judged` is up to when windows were judged, None before the first time. What is later than `most` is stored and shown,
    but judges nothing again. The answer stays until `done` is called. Each group of detectors has a state of its own.
    """
    state = State.of(store.note(LATE_NOTE + group))
    if judged is not None and judged > now:  # the clock went back: what was judged of the future was guessed
        state.waiting = _joined(state.waiting, floor(now, HOUR), 0, now)
    since = min(state.looked or now, now) - MARGIN
    # What is stored since then about the time before it is late by more than the grace; the rest is in the overlap.
    before = min(judged or now, since) - GRACE
    arrivals = store.arrived(since, before - most, before)
    fresh = [one for one in arrivals if state.handled.get(iso(one.hour)) != iso(one.stored)]
    new = sum(one.rows for one in fresh)
    if state.looked is not None and judged is not None and fresh:
        state.waiting = _joined(state.waiting, min(one.first for one in fresh), new, now)
    # An hour that shows again within the margin is known by its newest row; older ones cannot show again.
    state.handled = {iso(one.hour): iso(one.stored) for one in arrivals}
    state.looked = now
    store.put_note(LATE_NOTE + group, state.as_note())
    waiting = state.waiting
    if waiting is None:
        return None, new
    short, patient = before - waiting.since <= SHORT, now - waiting.noticed < PATIENCE
    return (None if not short and fresh and patient else waiting), new


def done(store: Store, group: str = "") -> None:
    """What `look` gave last was judged."""
    state = State.of(store.note(LATE_NOTE + group))
    state.waiting = None
    store.put_note(LATE_NOTE + group, state.as_note())


def _joined(waiting: Late | None, since: datetime, rows: int, now: datetime) -> Late:
    if waiting is None:
        return Late(since=since, rows=rows, noticed=now)
    return Late(since=min(waiting.since, since), rows=waiting.rows + rows, noticed=min(waiting.noticed, now))
