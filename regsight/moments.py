"""Moments as people write them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from store.durations import duration

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def moment(text: str, now: datetime) -> datetime:
    """`2026-11-24`, `2026-11-24T02:17:24Z`, `now`, `today`, `yesterday`, `monday` (the last one), or `36h` (so long ago).

    Without a zone UTC is meant. ValueError says what is allowed.
    """
    word = text.strip().lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if word == "now":
        return now
    if word == "today":
        return midnight
    if word == "yesterday":
        return midnight - timedelta(days=1)
    if word in _DAYS:
        return midnight - timedelta(days=(midnight.weekday() - _DAYS.index(word)) % 7)
    try:
        return now - duration(word)
    except ValueError:
        pass
    try:
        given = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no moment: write 2026-11-24, 2026-11-24T02:17:24Z, today, yesterday, monday, or 36h for so long ago"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)
