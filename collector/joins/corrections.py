"""What a partner knows better: whose address it really was, and who asked.

A registry behind a proxy may name the proxy as its client, and one behind Harbor's core names core's own account. The
merge takes each field from the most trusted part that has it, so such a value is taken out of a part that is not stored
yet; one that is stored gets a higher revision with the better value.
"""

from __future__ import annotations

from typing import Any

from collector.joins.memory import Group, proxy_between
from collector.joins.part import SERVICE_ACCOUNTS, Part, moment_of
from store.event import Channel, Via

_CLIENT = ("client_ip", "client_port", "client_via")
_ACTOR = ("actor", "actor_kind")
_KEPT = (
    "event_id", "channel", "timestamp", "read_at", "action", "outcome", "dataset", "registry", "registry_kind", "stream",
    "offset", "parts", "join_confidence",
)  # fmt: skip


def attach(part: Part, group: Group, confidence: str | None) -> list[Part]:
    """Write into the part what belonging to the group changes, and into the group's parts what the part knows better.

    Returns:
        The parts of the group that are stored already and need a better row.
    """
    part.changes["event_id"] = group.id
    if confidence is not None:
        part.changes["join_confidence"] = confidence
    if not part.placed:
        part.changes["timestamp"] = _time_of(group)
    for other in group.parts:
        _improve(part, by=other)
    return [other for other in group.parts if _improve(other, by=part) and not other.fresh]


def _improve(part: Part, by: Part) -> bool:
    """Take out of a part (or, if it is stored, replace) what another knows better; whether there was such a thing."""
    values: dict[str, Any] = {}
    if by.front and proxy_between(by, part) is not None:
        values = {name: by.row[name] for name in _CLIENT} | {"client_via": Via.FORWARDED.value}
        part.changes["peer_ip"] = part.row["client_ip"]
    if part.row["actor"] in SERVICE_ACCOUNTS and by.actor is not None and by.row["channel"] == Channel.AUDIT:
        values |= {name: by.row[name] for name in _ACTOR}
    part.changes |= dict.fromkeys(values) if part.fresh else values
    return bool(values)


def correction_row(part: Part) -> dict[str, Any]:
    """The row of a higher revision for a stored part that was corrected; the part then is as that row says."""
    revision = {"revision": (part.row["revision"] or 0) + 1}
    row = {name: part.row[name] for name in _KEPT} | part.changes | revision
    part.tell({**part.row, **part.changes, **revision})
    part.changes = {}
    return row


def _time_of(group: Group) -> Any:
    placed = [part for part in group.parts if part.placed]
    best = min(placed or group.parts, key=lambda part: (not part.exact, part.at))
    return best.row["timestamp"] if best.placed else moment_of(best.at)
