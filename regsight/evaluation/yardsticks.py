"""The yardsticks beside the detectors: each cut at the threshold that gives the same number of false alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from regsight.evaluation.match import Score, score
from regsight.evaluation.measures import Share, false_rate, found, scored
from regsight.evaluation.outcome import Alarm, Outcome, Said

BUDGETS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # false alerts a week and per 1,000 repositories
WORDS = {
    "fixed": "fixed thresholds (5 refusals in 5 min, 200 pulls or 20 deletes in 1 h, pushes at night)",
    "seasonal": "robust z-score per account or address and hour of the day",
    "forest": "isolation forest on account-days alone",
    "isolated": "isolation forest on account-days and repository-days",
    "components": "what principal components leave of account-days and repository-days",
    "neighbours": "local outlier factor of account-days and repository-days",
}


@dataclass(frozen=True, slots=True)
class Cut:
    """A yardstick at a threshold: what it costs and what it finds."""

    name: str
    threshold: float
    false_alerts: float  # a week and per 1,000 repositories
    found: Share
    hard: Share  # of the moderate and stealthy ones


def scores_of(outcomes: Sequence[Outcome], name: str, threshold: float) -> list[Score]:
    """The outcomes as if the yardstick had been the only detector."""
    return [
        score(replace(one, said=[_said(name, alarm) for alarm in one.yardsticks[name] if alarm.score >= threshold]))
        for one in outcomes
    ]


def cut_for(outcomes: Sequence[Outcome], name: str, budget: float) -> float:
    """The lowest threshold at which the yardstick gives no more than `budget` false alerts."""
    levels = sorted({alarm.score for one in outcomes for alarm in one.yardsticks[name]})
    low, high = 0, len(levels)
    while low < high:  # more alarms are never fewer false ones, save for repeats that are told apart by their day
        middle = (low + high) // 2
        if false_rate(scores_of(outcomes, name, levels[middle])) <= budget:
            high = middle
        else:
            low = middle + 1
    return levels[low] if low < len(levels) else float("inf")


def cut(outcomes: Sequence[Outcome], name: str, threshold: float) -> Cut:
    """What the yardstick gives at a threshold."""
    scores = scores_of(outcomes, name, threshold)
    attacks = scored(scores)
    return Cut(
        name,
        threshold,
        false_rate(scores),
        found(attacks),
        found(attacks, lambda incident: incident.difficulty != "blatant"),
    )


def _said(name: str, alarm: Alarm) -> Said:
    return Said(
        detector=name,
        kind=name,
        severity="medium",
        title="",
        at=alarm.end,
        start=alarm.start,
        end=alarm.end,
        actors=(alarm.actor,) if alarm.actor else (),
        clients=(alarm.client,) if alarm.client else (),
        repositories=(alarm.repository,) if alarm.repository else (),
        score=alarm.score,
    )
