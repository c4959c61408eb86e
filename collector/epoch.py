"""Times as numbers: seconds or milliseconds since 1970, as webhooks and audit APIs of clouds write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from collector.errors import Unreadable

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_moment(value: Any, *, per_second: int = 1) -> datetime:
    """An aware UTC datetime from a number (`1497467660`, `1.417566161e9`), of which a second has `per_second`.

    Raises:
        Unreadable: it is no number, not after 1970, or beyond the year 9998.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 253_300_000_000 * per_second:
        if isinstance(value, int):
            seconds, rest = divmod(value, per_second)
            return _BEGIN + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // per_second)
        return _BEGIN + timedelta(seconds=value / per_second)
    raise Unreadable("no time that can be read")
