"""How long a failed delivery rests, and how many may go out at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

from alerts.config import Channel
from alerts.message import channel_of
from store.contract import Delivery

_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)


def retry_pause(attempts: int, key: str, asked_seconds: float | None = None) -> timedelta:
    """How long a delivery rests after its `attempts`-th failure: 30 s, doubled each time up to an hour, ± 20 %.

    The jitter comes from the delivery's own key, so that a hundred messages that failed together do not come back
    together, and the pause is still the same when it is worked out again. Never shorter than what the channel
    asked for.
    """
    pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE)
    byte = blake2b(f"{key}\x1f{attempts}".encode(), digest_size=2).digest()
    pause *= 0.8 + 0.4 * int.from_bytes(byte) / 65535
    return max(pause, timedelta(seconds=min(asked_seconds or 0.0, 86400.0)))


def repair_pause(key: str) -> timedelta:
    """How long a delivery rests when the channel's settings are wrong: a person has to act first."""
    return retry_pause(20, key)


def within_rate(waiting: int, outbox: Sequence[Delivery], channel: Channel, now: datetime) -> int:
    """How many of `waiting` deliveries may go out now under the channel's limit per hour."""
    hour_ago = now - timedelta(hours=1)
    lately = sum(
        1
        for one in outbox
        if channel_of(one.channel) == channel.name and one.sent_at is not None and one.sent_at > hour_ago
    )
    return max(0, min(waiting, channel.max_per_hour - lately))
