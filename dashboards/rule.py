"""What a Prometheus rule is made of here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recording:
    """A figure under a name of the form level:metric:operations."""

    record: str
    expr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`severity`: critical (somebody must act now), warning (today), info (look when there is time)."""

    name: str
    expr: str
    lasting: str  # how long it must hold before anyone is told
    severity: str
    summary: str
    description: str
    first: Sequence[str] = ()  # the runbook: what to look at, in this order
    panel: tuple[str, str] | None = None  # uid of the board and title of the panel that show it

    def as_rule(self, runbooks_url: str) -> dict[str, Any]:
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.lasting,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbooks_url}#{self.name.lower()}",
            },
        }


def risen(series: str, by: str, window: str) -> str:
    """Counters that grew in the window.

    increase() does not see the step from nothing to the first value, which for rare things is often the only step there
    is; hence also those that did not exist before the window.
    """
    return (
        f"sum by ({by}) (increase({series}[{window}])) > 0"
        f" or sum by ({by}) ({series} unless {series} offset {window}) > 0"
    )
