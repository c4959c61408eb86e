"""What is found if fewer or more false alerts are allowed, and what each detector adds to that.

Findings are put in one order: by severity, then known exactly before suspected, then by how rarely chance gives as
strange. A cut through that order is Regsight at another budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10

from regsight.evaluation.match import score
from regsight.evaluation.measures import Share, false_rate, found, scored
from regsight.evaluation.outcome import RANKS, Outcome, Said
from regsight.evaluation.table import Table
from regsight.evaluation.yardsticks import BUDGETS, WORDS, cut, cut_for

OWN = "Regsight"
_EARNS = 0.01  # of recall: a detector that adds less does not earn its place


def strength(said: Said) -> float:
    """The place in the order; 200 and above is medium and above."""
    rare = 99.0 if said.chance is None else min(max(50.0 - 10 * log10(max(said.chance, 1e-6)), 0.0), 98.0)
    return 100.0 * said.rank + rare


def at_least(outcomes: Sequence[Outcome], least: float) -> list[Outcome]:
    """The outcomes as if everything from this strength on were told, and nothing else."""
    return [
        replace(one, said=[replace(said, severity="medium") for said in one.said if strength(said) >= least])
        for one in outcomes
    ]


def recall(outcomes: Sequence[Outcome]) -> Share:
    return found(scored([score(one) for one in outcomes]))


def false_of(outcomes: Sequence[Outcome]) -> float:
    return false_rate([score(one) for one in outcomes])


def within(outcomes: Sequence[Outcome], budget: float) -> list[Outcome]:
    """As much of the order as gives no more than `budget` false alerts."""
    levels = sorted({strength(said) for one in outcomes for said in one.said})
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        if false_of(at_least(outcomes, levels[middle])) <= budget:
            high = middle
        else:
            low = middle + 1
    return at_least(outcomes, levels[low] if low < len(levels) else float("inf"))


def recall_within(outcomes: Sequence[Outcome], budget: float) -> float:
    return recall(within(outcomes, budget)).value


def curves(outcomes: Sequence[Outcome], tuned: Sequence[Outcome]) -> dict[str, list[float]]:
    """Recall at each of `BUDGETS`, of Regsight and of the yardsticks. The yardsticks are cut on `tuned`."""
    lines = {OWN: [recall_within(outcomes, budget) for budget in BUDGETS]}
    for name in WORDS:
        lines[name] = [cut(outcomes, name, cut_for(tuned, name, budget)).found.value for budget in BUDGETS]
    return lines


@dataclass(frozen=True, slots=True)
class Without:
    """The figures if one detector had not been there; `equal` after as much of the rest was let through."""

    detector: str
    recall: float
    false: float
    equal: float
    alone: int  # incidents that nothing else found


def without(outcomes: Sequence[Outcome], detector: str, budget: float) -> Without:
    """What the others find. Those that kept silent because this detector had spoken speak up."""
    rest = [
        replace(one, said=[_spoken(said, detector) for said in one.said if said.detector != detector])
        for one in outcomes
    ]
    judged = scored([score(one) for one in outcomes])
    alone = sum(one.found and {said.detector for said in one.said} == {detector} for one in judged)
    filled = _filled(rest, budget)
    return Without(detector, recall(rest).value, false_of(rest), recall(filled).value, alone)


def _spoken(said: Said, detector: str) -> Said:
    return replace(said, severity=said.would_be) if said.behind == detector else said


def _filled(outcomes: Sequence[Outcome], budget: float) -> Sequence[Outcome]:
    """With the strongest of what was held back, as long as the false alerts stay within the budget."""
    waiting = sorted({strength(said) for one in outcomes for said in one.said if said.rank < 2 and said.would_be})
    best: Sequence[Outcome] = outcomes
    for least in reversed(waiting):
        more = [
            replace(one, said=[_let_through(said, least) for said in one.said])
            for one in outcomes
        ]  # fmt: skip
        if false_of(more) > budget:
            break
        best = more
    return best


def _let_through(said: Said, least: float) -> Said:
    waits = said.rank < RANKS.index("medium") and said.would_be and strength(said) >= least
    return replace(said, severity=said.would_be) if waits else said


def ablation(outcomes: Sequence[Outcome]) -> Table:
    """Each detector left out."""
    own, budget = recall(outcomes), false_of(outcomes)
    rows = []
    for detector in sorted({said.detector for one in outcomes for said in one.said}):
        less = without(outcomes, detector, budget)
        lost = own.value - less.equal
        rows.append(
            (
                detector,
                f"{less.recall * 100:.0f} %",
                f"{less.false:.1f}",
                f"{less.equal * 100:.0f} %",
                f"{-lost * 100:+.1f}",
                str(less.alone),
                "yes" if lost >= _EARNS else "no",
            )
        )
    note = (
        f"With all of them {own.value * 100:.0f} % at {budget:.1f} false alerts. At equal false alerts: what the budget had "
        "held back of the others is let through until there are as many again. A detector earns its place with one point."
    )
    columns = ("left out", "found", "false alerts", "found at equal", "points", "found by it alone", "earns its place")
    return Table("Each detector left out", columns, rows, note)
