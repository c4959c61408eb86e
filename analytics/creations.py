"""When an account was made, and by whom, as far as an audit log tells."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from store.contract import EventQuery, EventReader
from store.event import Action, Outcome


def last_creation(
    store: EventReader, account: str, until: datetime, since: datetime | None = None
) -> dict[str, Any] | None:
    """The newest event in [since, until) that tells of the making of this account: its `timestamp`, and who did it (`actor`)."""
    query = EventQuery(
        since=since,
        until=until,
        action=(Action.PERMISSION,),
        outcome=(Outcome.SUCCESS,),
        newest_first=True,
        columns=("timestamp", "actor", "target", "change"),
    )
    made = (one for one in store.events(query) if one["target"] == account and str(one["change"]).endswith("_created"))
    return next(made, None)
