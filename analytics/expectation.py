"""What should happen regularly at a registry: a backup, a replication, a scan. `[[analytics.expect]]` of the settings."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from store.contract import EventQuery
from store.durations import Span
from store.event import Action, Outcome
from store.finding import Severity


class Expectation(BaseModel):
    """At least one such event in any span of `within`. Names are equal or, with `*` or `?`, glob patterns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80, description="what people call it, such as nightly backup")
    within: Span = Field(gt=timedelta(0), description="the longest time without one, such as 26h for a daily one")
    action: tuple[Action, ...] = ()
    outcome: tuple[Outcome, ...] = (Outcome.SUCCESS,)
    actor: str | None = None
    client: str | None = None
    repository: str | None = None
    registry: str | None = None
    severity: Severity = Severity.MEDIUM

    def query(self) -> EventQuery:
        """The newest such event."""
        return EventQuery(
            action=[str(one) for one in self.action],
            outcome=[str(one) for one in self.outcome],
            actor=self.actor,
            client=self.client,
            repository=self.repository,
            registry=self.registry,
            newest_first=True,
            limit=1,
        )
