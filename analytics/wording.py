"""How findings speak: numbers with units, names that cannot break the line they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

_LONGEST_NAME = 80


def plain(name: str) -> str:
    """A name from a log, fit for a sentence: no control characters, not endless. Escaping is left to who shows it."""
    shown = "".join(char if char.isprintable() else "�" for char in name)
    return shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + "…"


def several(amount: int, one: str, many: str | None = None) -> str:
    """`1 pull`, `12 pulls`, `1,200 repositories`."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def duration(span: timedelta) -> str:
    """`0.3 s`, `12 s`, `5 min`, `1.5 h`, `3 days`."""
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{max(seconds, 0.1):.1f}".removesuffix(".0") + " s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.1f}".removesuffix(".0") + " h"
    return f"{seconds / 86400:.0f} days"


def number(value: float) -> str:
    """A count that may be an average: `0`, `0.2`, `3.5`, `120`."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def names(all_names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(plain(name) for name in all_names[:most])
    rest = len(all_names) - most
    return f"{shown} and {rest} more" if rest > 0 else shown
