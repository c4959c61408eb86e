"""What an account did on one day, as far as one thing is concerned: put together for a finding that grows as the day goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from analytics.replay import EPOCH, floor
from analytics.walk import Event
from analytics.windows import DAY

MOST = 200  # events named of a day


@dataclass(slots=True)
class AccountDay:
    """The day, since when on it, the events (the first `MOST`), where and from where."""

    day: datetime = EPOCH
    start: datetime = EPOCH
    evidence: list[str] = field(default_factory=list)
    repositories: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)

    def enter(self, event: Event) -> AccountDay:
        """With one event more; the first of another day begins anew."""
        at = event["timestamp"]
        day = floor(at, DAY)
        one = self if self.day == day else AccountDay(day, at)
        if len(one.evidence) < MOST:
            one.evidence.append(event["event_id"])
        one.repositories.add(event["repository"])
        if event["client_ip"]:
            one.clients.add(event["client_ip"])
        return one

    def subjects(self, actor: str | None) -> dict[str, list[str]]:
        """Of a finding about it; `actor`: None where the log names nobody."""
        return {
            "actor": [actor] if actor else [],
            "client": sorted(self.clients),
            "repository": sorted(self.repositories),
        }


def with_day(days: list[datetime], at: datetime, most: int) -> list[datetime]:
    """Days on which something happened, each once, with that of `at`; the last `most` and it."""
    if days and days[-1].date() == at.date():
        return days
    return [*days[-most:], at]
