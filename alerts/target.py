"""What a delivery is for. In the outbox it is the part behind the channel's name: `chat`, `chat/critical`, `chat/reminder-2`.

A finding and a target are one delivery, once and for all: that is what makes telling idempotent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """Why somebody is told."""

    FIRST = "first"
    WORSE = "worse"  # it became more severe after it was told
    REMINDER = "reminder"  # nobody has acknowledged it
    ESCALATION = "escalation"  # nobody of the channel before has
    RESOLVED = "resolved"  # it was closed: Alertmanager ends its alert


@dataclass(frozen=True, slots=True)
class Target:
    """`detail`: the severity (worse), a number (reminder, resolved), or the channel that did not answer (escalation), with
    a number behind a dot when the incident was opened again since."""

    channel: str
    purpose: Purpose
    detail: str = ""

    def __str__(self) -> str:
        if self.purpose is Purpose.FIRST:
            return self.channel
        return f"{self.channel}/{self.detail if self.purpose is Purpose.WORSE else f'{self.purpose}-{self.detail}'}"

    @property
    def teller(self) -> str:
        """The channel that was told before: in an escalation the one that did not answer, else the channel itself."""
        return self.detail.partition(".")[0] if self.purpose is Purpose.ESCALATION else self.channel

    @staticmethod
    def read(text: str) -> Target:
        """The inverse of `str`."""
        channel, _, rest = text.partition("/")
        if not rest:
            return Target(channel, Purpose.FIRST)
        word, _, detail = rest.partition("-")
        if word in (Purpose.REMINDER, Purpose.ESCALATION, Purpose.RESOLVED):
            return Target(channel, Purpose(word), detail)
        return Target(channel, Purpose.WORSE, rest)
