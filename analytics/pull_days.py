"""Pulls per five minutes and combination of subjects, day by day, so that a day that is over is counted once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from analytics.acts import NAMES, Acts, by_word, changes
from analytics.novelty import Pushes
from analytics.pulls import KINDS, Pulls, busiest_hours
from analytics.windows import DAY, Ints, minute

_HOUR = 55  # minutes before an hour's last five


@dataclass(frozen=True, slots=True)
class _Day:
    """Numbers of `NAMES`; -1 is null."""

    day: datetime
    starts: Ints
    amounts: Ints
    codes: dict[str, Ints]
    pushes: Pushes
    # By kind: subjects and the busiest hour of each, and the same if nothing were known of the day before.
    busiest: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)
    busiest_alone: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)

    def pulls(self) -> Pulls:
        """Of this day alone, by the numbers of `NAMES`."""
        return Pulls(self.starts, self.amounts, self.codes, {kind: NAMES[kind].words for kind in KINDS})

    def behind(self, before: _Day | None) -> _Day:
        """The same with its busiest hours, of which the first begin on the day before."""
        begin, alone = minute(self.day), self.pulls()
        of_alone = {kind: busiest_hours(kind, alone, begin) for kind in KINDS}
        if before is None:
            return replace(self, busiest=of_alone, busiest_alone=of_alone)
        end = before.pulls().between(begin - _HOUR, begin)
        both = Pulls(
            np.concatenate([end.starts, self.starts]),
            np.concatenate([end.amounts, self.amounts]),
            {kind: np.concatenate([end.codes[kind], self.codes[kind]]) for kind in KINDS},
            alone.names,
        )
        of_both = {kind: busiest_hours(kind, both, begin) for kind in KINDS}
        return replace(self, busiest=of_both, busiest_alone=of_alone)


@dataclass(frozen=True, slots=True)
class PullDays:
    """The days of a span before a day."""

    span: timedelta
    days: tuple[_Day, ...] = ()

    def after(self, day: datetime, acts: Acts) -> PullDays:
        """With one day more, and without those that are too old then."""
        kept = tuple(one for one in self.days if one.day >= day + DAY - self.span)
        before = self.days[-1] if self.days and self.days[-1].day == day - DAY else None
        return replace(self, days=(*kept, _counted(day, acts).behind(before)))

    def _busiest(self, kind: str) -> tuple[Ints, Ints]:
        """Of each day and subject; what came before the first day is forgotten with it."""
        found = [self.days[0].busiest_alone[kind]] if self.days else [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        found += [one.busiest[kind] for one in self.days[1:]]
        return np.concatenate([codes for codes, _ in found]), np.concatenate([hours for _, hours in found])

    def with_today(self, day: datetime, acts: Acts) -> Pulls:
        """All of them and the day itself; codes are in the order of the names."""
        days = (*self.days, _counted(day, acts))
        ordered = {kind: NAMES[kind].in_order() for kind in KINDS}
        places = {kind: places for kind, (places, _) in ordered.items()}
        return Pulls(
            starts=np.concatenate([one.starts for one in days]),
            amounts=np.concatenate([one.amounts for one in days]),
            codes={kind: places[kind][np.concatenate([one.codes[kind] for one in days])] for kind in KINDS},
            names={kind: words for kind, (_, words) in ordered.items()},
            pushes=Pushes(
                np.concatenate([one.pushes.starts for one in days]),
                places["actor"][np.concatenate([one.pushes.actors for one in days])],
                places["repository"][np.concatenate([one.pushes.repositories for one in days])],
            ),
            busiest={kind: (places[kind][codes], hours) for kind in KINDS for codes, hours in [self._busiest(kind)]},
        )


def _counted(day: datetime, acts: Acts) -> _Day:
    """One row per five minutes and combination, by time, then the most first, then by name."""
    pulls, pushes = acts.where(~acts.pushed), acts.where(acts.pushed)
    columns = [pulls.starts, *(pulls.codes[kind] for kind in KINDS)]
    order = np.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    begins = changes(columns)
    starts, *codes = (column[begins] for column in columns)
    amounts = np.diff(np.append(np.flatnonzero(begins), len(begins)))
    words = [by_word(kind, column) for kind, column in zip(KINDS, codes, strict=True)]
    order = np.lexsort([*words[::-1], -amounts, starts])
    return _Day(
        day=day,
        starts=starts[order],
        amounts=amounts[order],
        codes={kind: column[order] for kind, column in zip(KINDS, codes, strict=True)},
        pushes=Pushes(pushes.starts, pushes.codes["actor"], pushes.codes["repository"]),
    )
