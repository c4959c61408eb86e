"""Two logs of one registry against each other: what one tells of and the other does not.

A registry has several voices: its application log, notifications, an audit table, the proxy in front. The collector joins
the rows about one request to one event, so an event with rows of one channel only is a request that the other kept silent
about. Some always are (each channel has its rules); it is the share that must not jump.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from store.contract import EventQuery
from store.event import Action, Channel, Outcome, iso

NOTES = "reconcile/"
SLOT = timedelta(hours=1)
SETTLED = timedelta(minutes=15)  # rows of the slower channel may come so late
AROUND = timedelta(minutes=5)  # rows about one request are no further apart, or not joined at all
SLOTS_KEPT = 168
CAUGHT_UP_AT_MOST = 24  # slots behind a pause
LEAST_EVENTS = 20  # of a channel in a slot
LEAST_MISSING = 10
LEAST_SHARE = 0.05
TIMES_WORST = 3.0
LEAST_BEFORE = 3  # slots that say what is usual
# What more than one channel tells of, and what they agree to call it.
ACTIONS = (Action.PULL, Action.PUSH, Action.DELETE)
PAIRS = (
    (Channel.APPLICATION, Channel.NOTIFICATION),
    (Channel.APPLICATION, Channel.ACCESS),
    (Channel.AUDIT, Channel.ACCESS),
)


class Asked(Protocol):
    """What is asked of a store here."""

    def parts(self, query: EventQuery) -> Iterator[dict[str, Any]]: ...

    def notes(self, prefix: str) -> dict[str, dict[str, Any]]: ...

    def note(self, key: str) -> dict[str, Any] | None: ...

    def put_note(self, key: str, value: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Events in channel `here` of a registry in one slot, and how many of them are `missing` in `there`.

    `usual` is the worst share of the slots before; None while there are too few of them.
    """

    registry: str
    here: str
    there: str
    action: str
    start: str
    events: int
    missing: int
    usual: float | None

    @property
    def share(self) -> float:
        return self.missing / self.events if self.events else 0.0

    @property
    def unusual(self) -> bool:
        if self.usual is None or self.events < LEAST_EVENTS or self.missing < LEAST_MISSING:
            return False
        return self.share >= max(LEAST_SHARE, TIMES_WORST * self.usual)

    def as_json(self) -> dict[str, Any]:
        names = ("registry", "here", "there", "action", "start", "events", "missing")
        return {name: getattr(self, name) for name in names} | {
            "share": round(self.share, 4),
            "usual": round(self.usual or 0.0, 4),
            "unusual": self.unusual,
        }


def count_slots(store: Asked, now: datetime) -> int:
    """Count the hours that are over and not counted yet. How many.

    Raises:
        Unavailable: the store did not answer; calling again goes on there.
    """
    last = _floor(now - SETTLED)  # end of the newest slot that is over
    done = store.note(NOTES + "done") or {}
    begin = datetime.fromisoformat(done["until"]) if done else last - SLOT
    begin = max(begin, last - CAUGHT_UP_AT_MOST * SLOT)
    count = 0
    while begin < last:
        for registry, counts in _count(store, begin).items():
            note = store.note(f"{NOTES}of/{registry}") or {"registry": registry, "slots": []}
            slots = [slot for slot in note["slots"] if slot["start"] != iso(begin)]
            note["slots"] = [*slots, {"start": iso(begin), "counts": counts}][-SLOTS_KEPT:]
            store.put_note(f"{NOTES}of/{registry}", note)
        begin += SLOT
        count += 1
        store.put_note(NOTES + "done", {"until": iso(begin)})
    return count


def _floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _count(store: Asked, begin: datetime) -> dict[str, dict[str, int]]:
    """Registry → "action channel[ channel …]" → events that exactly these channels tell of."""
    events: dict[str, tuple[str, str, datetime, set[str]]] = {}
    query = EventQuery(
        since=begin - AROUND,
        until=begin + SLOT + AROUND,
        action=[str(action) for action in ACTIONS],
        outcome=[str(Outcome.SUCCESS)],
    )
    for part in store.parts(query):
        key = (str(part["registry"] or ""), str(part["action"]))
        registry, action, first, channels = events.setdefault(part["event_id"], (*key, part["timestamp"], set()))
        channels.add(str(part["channel"]))
        events[part["event_id"]] = (registry, action, min(first, part["timestamp"]), channels)
    counts: dict[str, dict[str, int]] = {}
    for registry, action, first, channels in events.values():
        if begin <= first < begin + SLOT:
            name = " ".join([action, *sorted(channels)])
            of_registry = counts.setdefault(registry, {})
            of_registry[name] = of_registry.get(name, 0) + 1
    return counts


def compared(store: Asked) -> list[Compared]:
    """The newest slot of each registry, for every pair of channels that ever told of the same requests."""
    return [each for note in store.notes(f"{NOTES}of/").values() for each in _of(note, newest_only=True)]


def unusual(notes: Iterable[Mapping[str, Any]]) -> list[Compared]:
    """Slots in which the share jumped; `notes` as `count_slots` keeps them."""
    return [each for note in notes for each in _of(note, newest_only=False) if each.unusual]


def _of(note: Mapping[str, Any], newest_only: bool) -> Iterator[Compared]:
    for one, other in (pair for a, b in PAIRS for pair in ((a, b), (b, a))):
        for action in ACTIONS:
            usual: list[float] = []
            joined = False  # channels that never told of one request (none is joined) cannot disagree
            for number, slot in enumerate(note["slots"]):
                events, missing = _in(slot["counts"], str(action), str(one), str(other))
                joined = joined or missing < events
                if not joined or events < LEAST_EVENTS:
                    continue
                found = Compared(
                    registry=str(note["registry"]),
                    here=str(one),
                    there=str(other),
                    action=str(action),
                    start=slot["start"],
                    events=events,
                    missing=missing,
                    usual=max(usual) if len(usual) >= LEAST_BEFORE else None,
                )
                if not newest_only or number == len(note["slots"]) - 1:
                    yield found
                if not found.unusual:
                    usual.append(found.share)


def _in(counts: Mapping[str, int], action: str, one: str, other: str) -> tuple[int, int]:
    """Events that channel `one` tells of, and those of them that `other` does not."""
    events = missing = 0
    for name, count in counts.items():
        said, *channels = name.split(" ")
        if said == action and one in channels:
            events += count
            missing += count if other not in channels else 0
    return events, missing
