"""A line of the tables of attacks, and the recipes that follow from them."""

from __future__ import annotations

from typing import NamedTuple

from regsight.traffic.scenes import Play, Recipe

WORK, NIGHT, DAY, ANY = (8.0, 15.0), (0.0, 4.5), (6.0, 20.0), (0.0, 24.0)
SHORT = (0.1, 0.5, 5.0)


class Row(NamedTuple):
    """One kind of attack."""

    code: str
    name: str
    play: Play
    evidence: str  # S: by bookkeeping, N: by novelty or sequence, V: by volume
    technique: str
    classes: str
    severity: str
    days: tuple[float, float, float] = SHORT
    hours: tuple[float, float] = ANY
    alters: bool = False  # lines of others


def recipes(table: tuple[Row, ...]) -> dict[str, Recipe]:
    """By code."""
    return {
        row.code: Recipe(
            code=row.code,
            name=row.name,
            play=row.play,
            evidence=row.evidence,
            technique=tuple(row.technique.split()),
            classes=tuple(row.classes.split()),
            severity=row.severity,
            days=row.days,
            hours=row.hours,
            alters=row.alters,
        )
        for row in table
    }
