"""At which hours of the day an account clears away: what a nightly job removes is no news, whatever it removes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

HISTORY = timedelta(days=28)
CUSTOM = 3  # days before, within `HISTORY`, on which an account deleted at about this hour: a job that clears away


@dataclass(slots=True)
class CleanUps:
    """When one account deleted: hour of the day → days (since year 1)."""

    hours: dict[int, list[int]] = field(default_factory=dict)

    def usual(self, at: datetime) -> bool:
        """Whether it deletes at about this hour on other days too."""
        near = ((at.hour + beside) % 24 for beside in (-1, 0, 1))
        days = {day for hour in near for day in self.hours.get(hour, ())}
        oldest = at.toordinal() - HISTORY.days
        return sum(oldest <= day < at.toordinal() for day in days) >= CUSTOM

    def enter(self, at: datetime) -> None:
        """It deleted something."""
        days = self.hours.setdefault(at.hour, [])
        if not days or days[-1] != at.toordinal():
            days.append(at.toordinal())
            del days[: -HISTORY.days]
