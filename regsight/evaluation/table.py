"""A table of words, and how shares and spans are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf

from regsight.evaluation.measures import Share


@dataclass(frozen=True, slots=True)
class Table:
    """A title, column names, rows of cells, a sentence below."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


def percent(share: Share) -> str:
    """`83 % (61–94), 10 of 12`"""
    if not share.total:
        return "none to judge"
    low, high = share.interval
    return f"{share.value:.0%} ({low:.0%}–{high:.0%}), {share.hits} of {share.total}".replace("%", " %")


def span(seconds: float) -> str:
    """`never`, `42 s`, `3 min`, `2.5 h`, `4.1 d`"""
    if isinf(seconds):
        return "never"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
