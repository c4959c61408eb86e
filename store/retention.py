"""Which days go, what is kept of them, and which stay because somebody holds them: the same for every store.

Before a day is dropped its hourly counts are stored (`ROLLUP`). A day may come back when late lines arrive: they are a
batch of their own, so that a crash between counting and dropping counts nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from store.contract import Day
from store.frames import ROLLUP, ROLLUP_BY
from store.holds import Hold, holding, holds

if TYPE_CHECKING:
    from store.contract import Store

HOUR = timedelta(hours=1)
NOTE = "rollup:"


@dataclass(frozen=True, slots=True)
class Plan:
    """What `retain` would do now."""

    drop: list[Day]
    held: list[tuple[Day, Hold]]

    @property
    def bytes(self) -> int:
        """That dropping frees."""
        return sum(day.bytes for day in self.drop)


def plan(store: Store, now: datetime, keep: timedelta) -> Plan:
    """The days that lie wholly before now - keep, and those among them that are held."""
    oldest = f"{now - keep:%Y-%m-%d}"
    made = Plan([], [])
    in_force = holds(store)
    for day in store.days():
        if day.day >= oldest:
            continue
        hold = holding(store, day.day, in_force)
        if hold is None:
            made.drop.append(day)
        else:
            made.held.append((day, hold))
    return made


def retain(store: Store, now: datetime, keep: timedelta | None, keep_rollups: timedelta | None) -> dict[str, int]:
    """Count and drop the days that are too old. Safe to repeat after a crash at any moment."""
    if keep is None:
        return {}
    _close_batches(store)
    todo = plan(store, now, keep)
    counted = keep_rollups is None or keep_rollups > keep
    for day in todo.drop:
        if counted:
            _roll_up(store, day)
        store.drop_days([day.day])
        if counted:
            store.put_note(NOTE + day.day, {**(store.note(NOTE + day.day) or {}), "dropped": True})
    done = {"days_dropped": len(todo.drop), "bytes_dropped": todo.bytes, "days_held": len(todo.held)}
    if keep_rollups is not None:
        done["rollup_rows_dropped"] = store.drop_rollups(f"{now - keep_rollups:%Y-%m-%d}")
    return done


def _close_batches(store: Store) -> None:
    """After a crash between dropping a day and saying so: what comes now for that day is a batch of its own."""
    there = {day.day for day in store.days()}
    for key, note in store.notes(NOTE).items():
        if not note["dropped"] and key.removeprefix(NOTE) not in there:
            store.put_note(key, note | {"dropped": True})


def _roll_up(store: Store, day: Day) -> None:
    note = store.note(NOTE + day.day) or {"batch": 0, "dropped": True}
    batch = note["batch"] + 1 if note["dropped"] else note["batch"]
    start = datetime.strptime(day.day, "%Y-%m-%d").replace(tzinfo=UTC)
    counts = store.counts(start, start + timedelta(days=1), ROLLUP_BY, HOUR)
    store.put_note(NOTE + day.day, {"batch": batch, "dropped": False})
    store.put_rollup(day.day, batch, counts[list(ROLLUP)])
