"""Grafana's units in words and on axes."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from analytics.reports.shown import NOTHING

_THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_TIMES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BEHIND = {"cps": "/s", "binBps": "/s"}
_GAP = "\u202f"  # a narrow space that does not break


def shown(value: float | None, unit: str) -> str:
    """`12.3 k`, `4.5 MiB/s`, `7 ms`, `97.2 %`, `2026-11-24 02:17:24`; a dash for nothing."""
    if value is None:
        return NOTHING
    if unit == "dateTimeAsIso":
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if unit == "percentunit":
        return f"{_three(value * 100)}{_GAP}%"
    if unit in ("bytes", "binBps"):
        return _of_bytes(value) + _BEHIND.get(unit, "")
    if unit == "s":
        return _of_seconds(value)
    return _plain(value) + _BEHIND.get(unit, "")


def ceiling(highest: float, unit: str, whole: bool = False) -> float:
    """The end of an axis from 0: a round number of its unit, that four steps divide well.

    `whole`: whole things are counted, and no step of the axis says that there was half of one.
    """
    least = 4.0 if whole or unit in ("bytes", "binBps") else 0.0
    if highest <= 0:
        return max(1.0, least)
    base = _base(highest, unit)
    scaled = highest / base
    power = 10.0 ** math.floor(math.log10(scaled))
    # A quarter of 1.2 MiB is no round number of KiB, as 300 is one of 1200.
    coarse = power == 1 if whole else base > 1 and power < 10
    steps = (1, 2, 4, 8, 10) if coarse else (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10)
    return max(next(step for step in steps if scaled <= step * power * (1 + 1e-9)) * power * base, least)


def _base(highest: float, unit: str) -> float:
    if unit in ("bytes", "binBps"):
        return 1024.0 ** max(0, int(math.log(highest, 1024)))
    if unit == "s":
        return next((limit for limit, _ in _TIMES if highest >= limit and limit >= 1), 1.0)
    return 1.0


def _plain(value: float) -> str:
    for limit, sign in _THOUSANDS:
        if abs(value) >= limit:
            return f"{_three(value / limit)}{_GAP}{sign}"
    return _three(value)


def _of_bytes(value: float) -> str:
    scaled = float(value)
    for unit in _BYTES:
        if abs(scaled) < 1024 or unit == _BYTES[-1]:
            break
        scaled /= 1024
    return f"{_three(scaled)}{_GAP}{unit}"


def _of_seconds(value: float) -> str:
    if value == 0:
        return f"0{_GAP}s"
    limit, name = next((pair for pair in _TIMES if abs(value) >= pair[0]), _TIMES[-1])
    return f"{_three(value / limit)}{_GAP}{name}"


def _three(value: float) -> str:
    """Three digits that count, without zeros behind the point."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
