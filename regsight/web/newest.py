"""The newest events that fit, without reading more of the store than that takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from regsight.web.filters import names_text
from store.contract import EventQuery, EventReader

DAY = timedelta(days=1)
TEXT_SCANNED = 5000  # the newest events, among which a free text is looked for: no index helps with it


def newest(store: EventReader, query: EventQuery, now: datetime, most: int, text: str = "") -> list[dict[str, Any]]:
    """The newest `most` events that fit, newest first. The last day's partitions usually hold enough; only a quiet
    registry makes the store look further back.
    """
    looked_at = TEXT_SCANNED if text else most
    found = list(store.events(replace(query, since=now - DAY, limit=looked_at, newest_first=True)))
    if len(found) < looked_at:
        found = list(store.events(replace(query, limit=looked_at, newest_first=True)))
    return [event for event in found if names_text(event, text)][:most]
