"""Two drawings for the page, as SVG files that need nothing else: recall against false alerts, and found by kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from regsight.evaluation.measures import found
from regsight.evaluation.tables import Judged
from regsight.evaluation.yardsticks import BUDGETS, WORDS
from regsight.traffic.scenes import DIFFICULTIES

_INK, _FAINT = "#24292f", "#d0d7de"
_COLOURS = ("#1f6feb", "#bc4c00", "#8250df", "#57606a", "#1a7f37", "#bf3989", "#9a6700")
_DASHES = ("", "7 4", "2 3", "10 3 2 3", "12 5", "4 2 1 2", "1 5")  # told apart without colours too
_LEFT, _TOP, _WIDE, _HIGH = 60, 40, 520, 280
_CELL, _NAME, _ROW = 86, 250, 19


def budgets(curves: Mapping[str, Sequence[float]]) -> str:
    """Recall of each way of finding at each budget."""
    step = _WIDE / (len(BUDGETS) - 1)
    parts = list(_axes(step))
    for values, colour, dash in zip(curves.values(), _COLOURS, _DASHES, strict=False):
        points = [(_LEFT + place * step, _TOP + _HIGH * (1 - value)) for place, value in enumerate(values)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    for place, (name, colour, dash) in enumerate(zip(curves, _COLOURS, _DASHES, strict=False)):
        y = _TOP + _HIGH + 56 + place * 18
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + 34}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="2.5" '
            f'stroke-dasharray="{dash}"/>'
        )
        parts.append(_text(_LEFT + 42, y, WORDS.get(name, name)))
    high = _TOP + _HIGH + 56 + len(curves) * 18
    return _svg(_LEFT + _WIDE + 40, high, parts, "Share of incidents found against false alerts")


def _axes(step: float) -> Iterator[str]:
    yield _text(_LEFT, 20, "incidents found", weight="bold")
    for part in range(0, 101, 20):
        y = _TOP + _HIGH * (1 - part / 100)
        yield f'<line x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_FAINT}"/>'
        yield _text(_LEFT - 8, y + 4, f"{part} %", anchor="end")
    for place, budget in enumerate(BUDGETS):
        yield _text(_LEFT + place * step, _TOP + _HIGH + 18, f"{budget:g}", anchor="middle")
    yield _text(_LEFT + _WIDE / 2, _TOP + _HIGH + 36, "false alerts a week per 1,000 repositories", anchor="middle")


def kinds(judged: Judged) -> str:
    """Which share of each attack was found at each difficulty."""
    codes = sorted({(one.incident.kind, one.incident.name) for one in judged.attacks})
    parts = [
        _text(_NAME + place * _CELL + _CELL / 2, 20, difficulty, anchor="middle", weight="bold")
        for place, difficulty in enumerate(DIFFICULTIES)
    ]
    for row, (code, name) in enumerate(codes):
        y = 30 + row * _ROW
        parts.append(_text(_NAME - 8, y + 14, f"{name} {code}", anchor="end"))
        for place, difficulty in enumerate(DIFFICULTIES):
            mine = [one for one in judged.attacks if (one.incident.kind, one.incident.difficulty) == (code, difficulty)]
            parts += _cell(_NAME + place * _CELL, y, found(mine).hits, len(mine))
    return _svg(_NAME + 3 * _CELL + 10, 40 + len(codes) * _ROW, parts, "Found by kind of attack and difficulty")


def _cell(x: float, y: float, hits: int, total: int) -> Iterator[str]:
    fill = "#f6f8fa" if not total else "#aceebb" if hits == total else "#ffcecb" if not hits else "#fff1d6"
    yield f'<rect x="{x + 1}" y="{y + 1}" width="{_CELL - 2}" height="{_ROW - 2}" fill="{fill}"/>'
    yield _text(x + _CELL / 2, y + 14, f"{hits} of {total}" if total else "–", anchor="middle")


def _text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{_INK}">{escape(words)}</text>'
    )


def _svg(wide: float, high: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" width="{wide:.0f}" '
        f'height="{high:.0f}" font-family="system-ui, sans-serif" role="img" aria-label="{escape(label)}">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def write(folder: Path, judged: Judged, curves: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Write both; name of the file → what it shows."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {"detection-budget.svg": budgets(curves), "detection-kinds.svg": kinds(judged)}
    for name, drawing in drawn.items():
        (folder / name).write_text(drawing, encoding="utf-8")
    return {
        "detection-budget.svg": "Share of incidents found against the false alerts that are allowed",
        "detection-kinds.svg": "Found, by kind of attack and difficulty",
    }
