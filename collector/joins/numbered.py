"""Rows that need no search for a partner: the registry itself numbered their requests, and the number made their ids.

Distribution's log and its notifications name the same id of a request, so their rows are one event before joining looks at
them. As long as nothing else tells of a registry, its rows are neither compared nor remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from store.event import Channel

if TYPE_CHECKING:
    import pyarrow as pa

# Formats whose ids of requests are of one registry's counting; others (GitLab's correlation ids) have a counting of their own.
NUMBERED_BY = ("distribution-json", "distribution-text", "distribution-access", "distribution-notifications")
_CHANNELS = (Channel.APPLICATION.value, Channel.NOTIFICATION.value)
# Where access lines stand among the application's: they are rows only if the application does not tell of the request.
_BOTH_IN_ONE = ("distribution-json", "distribution-text")


def number_of(row: Mapping[str, Any]) -> str | None:
    """The registry's own number of the request, where it made the row's id."""
    if row["dataset"] in NUMBERED_BY and row["channel"] in _CHANNELS and row["event_id"].startswith("r-"):
        number: str | None = row["request_id"]
        return number
    return None


def stands_alone(row: Mapping[str, Any]) -> bool:
    """Whether a row of the store (it tells its own time) is numbered, or an access line of the registry's own output for which
    neither the application log nor a notification can have a partner: it names no repository."""
    if number_of(row) is not None:
        return True
    return row["dataset"] in _BOTH_IN_ONE and row["channel"] == Channel.ACCESS and row["repository"] is None


def standing_alone(events: pa.Table) -> pa.ChunkedArray:
    """The same of every row of a table; rows without a time of their own do not stand alone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def among(column: str, values: tuple[str, ...]) -> pa.ChunkedArray:
        return pc.is_in(events[column], value_set=pa.array(values))

    own_id = pc.fill_null(pc.starts_with(events["event_id"], "r-"), False)
    numbered = pc.and_(pc.and_(among("dataset", NUMBERED_BY), among("channel", _CHANNELS)), own_id)
    numbered = pc.and_(numbered, pc.is_valid(events["request_id"]))
    nobody_else = pc.and_(among("dataset", _BOTH_IN_ONE), among("channel", (Channel.ACCESS.value,)))
    alone = pc.or_(numbered, pc.and_(nobody_else, pc.is_null(events["repository"])))
    return pc.and_(alone, pc.fill_null(pc.not_equal(events["timestamp"], events["read_at"]), False))
