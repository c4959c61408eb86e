"""Is everything in the store readable? Looked at on the timetable, kept as a note for the page, told as a gap."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from collector import gaps
from store.event import iso

if TYPE_CHECKING:
    from store.contract import Damage, Store

NOTE = "store/damage"
SOURCE = "store"  # of the gaps
ADVICE = "`regsight store verify` says what is lost; stop Regsight and run `regsight store repair` to take it out."


def watch_store(store: Store, now: datetime) -> list[Damage]:
    """Look at every file by name and size. What is damaged is a gap, of which a finding is made; it ends with the damage.

    Raises:
        StoreError: the store did not answer.
    """
    found = store.damage()
    log = gaps.GapLog(store, clock=lambda: now)
    there = {gap.id: gap for gap in (_gap(one, now) for one in found)}
    told = {id for id, note in open_gaps(store).items() if note["source"] == SOURCE}
    for id in there.keys() - told:
        log.notice(there[id])
    for id in told - there.keys():
        log.resolve(id)
    store.put_note(NOTE, {"looked_at": iso(now), "damage": [asdict(one) for one in found]})
    return found


def open_gaps(store: Store) -> dict[str, dict[str, Any]]:
    """Gap id → note, of what is still missing."""
    notes = store.notes(gaps.NOTES)
    return {key.removeprefix(gaps.NOTES): note for key, note in notes.items() if not note["resolved_at"]}


def known_damage(store: Store) -> list[dict[str, Any]]:
    """What was found damaged at the last look: `path`, `wrong`, `lost` of each."""
    note = store.note(NOTE)
    return list(note["damage"]) if note else []


def _gap(damage: Damage, now: datetime) -> gaps.Gap:
    return gaps.Gap(
        kind=gaps.ROWS_MISSING,
        source=SOURCE,
        path=damage.path,
        start=now,
        end=now,
        text=f"{damage.wrong}; lost: {damage.lost}. {ADVICE}",
    )
