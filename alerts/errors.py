"""Why a finding could not be told.

AlertsError
├── NotSent            the channel did not answer, or asked us to come back: the same message may get through later
├── ChannelUnusable    a setting is wrong (address, secret, rights): gets through once a person has put it right
└── Refused            the channel will never take this message: it is given up
"""

from __future__ import annotations


class AlertsError(Exception):
    """Root of all errors of this folder. Messages hold no secret: they are stored in the outbox and shown."""


class NotSent(AlertsError):
    """Retrying with growing pauses helps; `retry_after_seconds` is what the channel asked for (Retry-After)."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ChannelUnusable(AlertsError):
    """A setting of the channel is wrong. Retried rarely, so that nothing is lost while somebody repairs it."""


class Refused(AlertsError):
    """The channel understood the message and will not have it. Retrying never helps."""
