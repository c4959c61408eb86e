"""How many alerts a week a person wants at most, in words: `3 alerts a week at medium and above per 1000 repositories`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from store.finding import Severity

EXAMPLE = "3 alerts a week at medium and above per 1000 repositories"
FEWEST_A_WEEK = 1.0  # of a whole registry, however small: a budget that lets nothing through in a month helps nobody
_WEEKS = {"hour": 1 / 168, "day": 1 / 7, "week": 1.0, "month": 30 / 7, "year": 365 / 7}
_LEAST = ("low", "medium", "high", "critical")
_NUMBER = r"\d[\d,_]*(?:\.\d+)?"
_FORM = re.compile(
    rf"(?:at most )?(?P<alerts>{_NUMBER}) alerts? (?:a|an|per|each|every) (?P<span>{'|'.join(_WEEKS)})"
    rf"(?: at (?P<least>{'|'.join(_LEAST)})(?: (?:and|or) (?:above|higher|more))?)?"
    rf"(?: (?:per|for) (?P<per>{_NUMBER}) repositor(?:y|ies))?\.?"
)


class WrongBudget(ValueError):
    """The words are none of ours. `str()` says which they were, and how it is written."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `alerts` in `weeks`, of severity `least` or above, per `per` repositories (None: in the whole registry)."""

    alerts: float = 3.0
    weeks: float = 1.0
    least: Severity = Severity.MEDIUM
    per: int | None = 1000
    words: str = EXAMPLE

    def a_week(self, repositories: int) -> float:
        """What a registry of this many repositories may be told a week, and no less than `FEWEST_A_WEEK`."""
        share = repositories / self.per if self.per else 1.0
        return max(self.alerts / self.weeks * share, FEWEST_A_WEEK if self.per else 0.0)


DEFAULT = Budget()


def budget(words: str) -> Budget:
    """The budget that the words ask for. Without a severity they mean medium and above.

    Raises:
        WrongBudget: they cannot be understood.
    """
    found = _FORM.fullmatch(" ".join(words.lower().split()))
    if found is None:
        raise WrongBudget(f"{words!r} cannot be understood; write it like {EXAMPLE!r}")
    alerts, per = _number(found["alerts"]), _number(found["per"] or "0")
    if alerts <= 0 or (found["per"] and per < 1):
        raise WrongBudget(f"{words!r} leaves nothing to be told; write it like {EXAMPLE!r}")
    least = Severity(found["least"] or "medium")
    return Budget(alerts, _WEEKS[found["span"]], least, int(per) or None, " ".join(words.split()))


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("_", ""))


def _read(value: Any) -> Any:
    return budget(value) if isinstance(value, str) else value


Words = Annotated[Budget, BeforeValidator(_read)]
