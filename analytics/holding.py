"""Holds what statistics alone suspect to the budget, and says why each finding weighs what it does.

What a detector knows by exact bookkeeping (a rule, a ledger, a success after refused passwords) is held back only where
another has told of the same events, as gravely, already. What it knows by chance (`Finding.chance` is a number) is told
as severe only if chance gives no more of that a week than the level. The level is the budget, and half of it for each
other account or address about which such an alert was told in the week before: the rarer things are, the longer they go
on being told, and the number of alerts does not grow with the number of subjects. Spending a level that shrinks by what
was told is alpha investing (Foster and Stine, Journal of the Royal Statistical Society B 70, 2008; Javanmard and
Montanari, Annals of Statistics 46, 2018), in alerts a week instead of in tries. A second detector that suspects the same
account at the same time costs nothing and wakes nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from analytics.budget import Budget
from analytics.housekeeping import housekeeping
from analytics.newly_read import newly_read
from analytics.replay import floor, remember
from analytics.surprise import together
from analytics.windows import DAY
from store.contract import EventReader
from store.finding import Finding, Severity

WEEK = timedelta(days=7)
SAME = timedelta(hours=24)  # within which two findings about the same account have one cause
SIZED_BY = timedelta(days=28)
_HELD = re.compile(r"low: would be (?P<asked>\w+)[;,] (?:f-\w+ by (?P<detector>\w+) tells)?")
MOST_NAMES = 20  # more name nobody in particular


@dataclass(frozen=True, slots=True)
class Holding:
    """A budget as it applies to a registry: `level` is what one detector may tell a week."""

    budget: Budget
    level: float
    store: EventReader | None = None  # to look up what a finding does not say

    @staticmethod
    def of(budget: Budget, repositories: int, store: EventReader | None = None, shared_by: int = 1) -> Holding:
        return Holding(budget, budget.a_week(repositories) / max(shared_by, 1), store)

    def held(
        self, finding: Finding, others: Iterable[Finding], now: datetime, *, without_past: bool = False
    ) -> Finding:
        """The finding at the severity that the budget leaves it, with its reasons. `others` are all findings so far;
        `without_past`: it is wrong also where nothing is known of the time before.
        """
        asked = finding.severity
        if not without_past and asked.rank >= self.budget.least.rank and (why := self._learning(finding, now)):
            return replace(finding, severity=Severity.LOW, reasons=[f"low: would be {asked}, but {why}"])
        # Each in its last state.
        others = [one for one in {one.id: one for one in others}.values() if not one.withdrawn]
        if finding.chance is None:
            return self._exact(finding, others, now)
        if asked.rank < self.budget.least.rank:
            return replace(finding, reasons=[f"{asked}: {finding.detector} itself does not hold it for more"])
        alerts = [one for one in others if self._counts(one, finding, now)]
        before = next((one for one in alerts if one.severity.rank >= asked.rank and _same(one, finding)), None)
        if before is not None:
            return _told(finding, before)
        chance = together([finding.chance, *(one.chance for one in _about(others, finding, now) if one.chance)])
        # What is found in the same step spends nothing of each other's.
        recent = [one for one in alerts if one.chance is not None and now - WEEK < one.detected_at < now]
        spent = len({_who(one) for one in recent} - {_who(finding)})
        level = self.level / 2**spent
        after = f", after {spent} such alerts within a week" if spent else ""
        if chance <= level:
            said = f"chance gives {_rate(chance)} as strange a week; the budget allows up to {_rate(level)}{after}"
            return replace(finding, reasons=[f"{asked}: {said}"])
        said = (
            f"would be {asked}; chance gives {_rate(chance)} as strange a week, the budget allows {_rate(level)}{after}"
        )
        return replace(finding, severity=Severity.LOW, reasons=[f"low: {said} ({self.budget.words})"])

    def _exact(self, finding: Finding, others: Sequence[Finding], now: datetime) -> Finding:
        """Nothing holds it back but what the store knows of those who do such things every week, and that another detector
        has told of the same events as gravely: who looks at those sees it.
        """
        asked = finding.severity
        if asked.rank >= self.budget.least.rank and (before := self._one_thing(finding, others, now)):
            return _told(finding, before)
        if self.store is not None and asked.rank >= Severity.MEDIUM.rank and (why := _housework(self.store, finding)):
            return replace(finding, severity=Severity.LOW, reasons=[f"low: would be {asked}, but {why}"])
        return replace(finding, reasons=[f"{asked}: known exactly by {finding.detector}, which no budget holds back"])

    def _learning(self, finding: Finding, now: datetime) -> str:
        """Whether what it is about is new to the store; asked once a day as long as it does not grow."""
        store = self.store
        if store is None:
            return ""
        grown = (floor(now, DAY), finding.start, finding.end, len(finding.evidence))
        return remember(store, f"newly read {finding.id}", grown, lambda: newly_read(store, finding, now))

    def _one_thing(self, finding: Finding, others: Sequence[Finding], now: datetime) -> Finding | None:
        """What another detector has told of the same account and of some of the same events. What was told itself stays
        told, however it grows; and a rule of the user's own speaks whoever else does.
        """
        graver = [one for one in others if one.severity.rank >= finding.severity.rank]
        if finding.runbook is not None or any(one.id == finding.id for one in graver):
            return None
        mine = _narrow(finding, "actor")
        told = (one for one in graver if one.detector != finding.detector and self._counts(one, finding, now))
        return next((one for one in told if _pulls(one, finding) and not mine.isdisjoint(_narrow(one, "actor"))), None)

    def _counts(self, one: Finding, finding: Finding, now: datetime) -> bool:
        """Whether it was told before this one, or by a detector that came first in the same step."""
        told = one.severity.rank >= self.budget.least.rank and now - WEEK - SAME < one.detected_at <= now
        return told and one.id != finding.id


def _told(finding: Finding, before: Finding) -> Finding:
    said = f"would be {finding.severity}; {before.id} by {before.detector} tells of it already"
    return replace(finding, severity=Severity.LOW, reasons=[f"low: {said}"])


def _housework(store: EventReader, finding: Finding) -> str:
    """`housekeeping`, asked once as long as the finding does not grow: each minute judges the minutes before it again."""
    grown = (finding.start, finding.end, len(finding.evidence))
    return remember(store, f"housework {finding.id}", grown, lambda: housekeeping(store, finding))


def held_back(finding: Finding) -> tuple[Severity, str] | None:
    """At which severity it would have been told, and the detector that had told of it already; None if it was told."""
    found = next(filter(None, map(_HELD.match, finding.reasons)), None)
    return (Severity(found["asked"]), found["detector"] or "") if found else None


def _about(others: Iterable[Finding], finding: Finding, now: datetime) -> list[Finding]:
    return [
        one
        for one in others
        if one.detector != finding.detector and now - SAME < one.detected_at < now and _same(one, finding)
    ]


def _same(one: Finding, finding: Finding) -> bool:
    """Whether both tell, within a day, of what the same account does; of the same address, where one names no account."""
    if one.start > finding.end + SAME or one.end < finding.start - SAME or one.kind == finding.kind:
        return False
    if one.chance is None and not _pulls(one, finding):
        return False
    for sort in ("actor", "client"):
        mine, its = _narrow(finding, sort), _narrow(one, sort)
        if mine and its:
            return not mine.isdisjoint(its)
    return False


def _pulls(one: Finding, finding: Finding) -> bool:
    """Whether what is known exactly is about the same events as what is only odd."""
    return not set(one.evidence).isdisjoint(finding.evidence)


def _narrow(finding: Finding, sort: str) -> frozenset[str]:
    found = finding.subjects.get(sort, [])
    return frozenset(found) if len(found) <= MOST_NAMES else frozenset()


def _who(finding: Finding) -> tuple[str, ...]:
    """What one alert is about, to count alerts by: an account's second alert of a week costs nothing."""
    for sort in ("actor", "client", "repository"):
        if found := sorted(_narrow(finding, sort)):
            return (sort, found[0])
    return (finding.kind,)


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 0.95 else f"{rate:.2g}" if rate >= 0.001 else "fewer than 0.001"


@dataclass(slots=True)
class Allowance:
    """The budget of a registry day by day, as it grows: sized by the repositories of the four weeks before."""

    budget: Budget
    store: EventReader
    since: datetime  # the reader can be asked from here on
    shared_by: int = 1  # so many detectors, each of which has its own false alarms
    _of_day: dict[datetime, Holding] = field(default_factory=dict)

    def at(self, step: datetime) -> Holding:
        day = floor(step, DAY)
        if day not in self._of_day:
            since = max(self.since, day - SIZED_BY)
            many = self.store.counts(since, day, ("repository",), DAY)["repository"].nunique() if since < day else 0
            self._of_day[day] = Holding.of(self.budget, int(many), self.store, self.shared_by)
        return self._of_day[day]
