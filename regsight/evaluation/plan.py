"""What is planted for a seed: which log tells of it, which attacks and surprises, when and how hard to see.

Seeds below 1000 are for development, 1001 and above for reports only. In each thousand, 1 to 20 get attacks and surprises,
21 and above neither: the quiet weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from regsight.traffic.attacks import FAMILIES
from regsight.traffic.scenes import DIFFICULTIES, Recipe
from regsight.traffic.seeds import stream
from regsight.traffic.surprises import SURPRISES

# What a registry's operator may have: each with the sources that tell of the same traffic.
SCENARIOS: dict[str, tuple[str, ...]] = {
    "distribution": ("distribution-json", "notifications"),
    "harbor": ("harbor-audit",),
    "ecr": ("ecr-cloudtrail",),
    "distribution-text": ("distribution-text",),
}
START = datetime(2026, 8, 3, tzinfo=UTC)  # a Monday
QUIET_FROM = 21
REPORT_FROM = 1001


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The size of an evaluation. `learn` and `judge` are days; attacks and surprises are per judged week. `family`: a key of
    `FAMILIES`, the kinds of attack that are planted.
    """

    preset: str = "small"
    learn: int = 10
    judge: int = 7
    attacks_a_week: int = 8
    surprises_a_week: int = 4
    renamed: bool = False
    family: str = "catalogue"

    @property
    def weeks(self) -> float:
        return self.judge / 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. `attacks` and `surprises` are as `simulate` wants them: `A06/stealthy@12.25`."""

    seed: int
    scenario: str
    setup: Setup
    attacks: tuple[str, ...]
    surprises: tuple[str, ...]

    @property
    def quiet(self) -> bool:
        return not self.attacks and not self.surprises


def plan(seed: int, scenarios: Sequence[str], setup: Setup) -> Plan:
    """What the seed plants: the decks of all kinds at all difficulties are dealt out, so that no kind is left out."""
    scenario = scenarios[(seed + seed // 5) % len(scenarios)]  # the deck's round must not fall in with the scenarios'
    if seed % 1000 >= QUIET_FROM:
        return Plan(seed=seed, scenario=scenario, setup=setup, attacks=(), surprises=())
    return Plan(
        seed=seed,
        scenario=scenario,
        setup=setup,
        attacks=_dealt(FAMILIES[setup.family], round(setup.attacks_a_week * setup.weeks), seed, setup),
        surprises=_dealt(SURPRISES, round(setup.surprises_a_week * setup.weeks), seed, setup),
    )


def _dealt(recipes: dict[str, Recipe], count: int, seed: int, setup: Setup) -> tuple[str, ...]:
    """The seed's share of the deck, each card with its moment. The deck goes through all kinds three times, at another
    difficulty each time, so that no kind comes twice in one run.
    """
    kinds = list(recipes)
    stream(0, "deck", *recipes).shuffle(kinds)
    deck = [(code, DIFFICULTIES[(place + turn) % 3]) for turn in range(3) for place, code in enumerate(kinds)]
    rng = stream(seed, "deal", *recipes)
    chosen = []
    for offset in range(min(count, len(kinds))):
        code, difficulty = deck[(seed * count + offset) % len(deck)]
        recipe = recipes[code]
        need = recipe.days[DIFFICULTIES.index(difficulty)]
        day = setup.learn + int(rng.random() * max(setup.judge - need, 0.99))
        chosen.append(f"{code}/{difficulty}@{day + rng.uniform(*recipe.hours) / 24:.4f}")
    return tuple(chosen)
