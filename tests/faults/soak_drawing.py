"""Draws `soak.json` as docs/images/soak.svg: memory, descriptors and waiting lines over the time, a column for each store.

cd tests && python -m faults.soak_drawing
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faults.soak import RESULTS

IMAGE = Path(__file__).resolve().parents[2] / "docs" / "images" / "soak.svg"
WIDTH, HEIGHT = 470, 150  # of one panel
LEFT, TOP, BELOW, GAP = 62, 44, 22, 26
PANELS = (
    ("resident memory, MiB", 1, "#1f6feb"),
    ("open descriptors", 2, "#8250df"),
    ("lines not yet stored", 3, "#bc4c00"),
)
REFUSED, KILLED, WATCHED, INK, FAINT = "#fff1d6", "#cf222e", "#dafbe1", "#24292f", "#d0d7de"


def drawing(found: dict[str, dict[str, Any]]) -> str:
    """All kinds of stores in `found`, side by side."""
    wide = (LEFT + WIDTH + GAP) * len(found) + 14
    high = TOP + (HEIGHT + BELOW + GAP) * len(PANELS) + 20
    parts = [f'<rect width="{wide}" height="{high}" fill="#ffffff"/>']
    for column, (kind, soak) in enumerate(found.items()):
        left = LEFT + column * (LEFT + WIDTH + GAP)
        title = f"{kind}: {soak['written']:,} lines in {soak['seconds'] / 60:.0f} minutes, {soak['lost']} lost, "
        parts.append(_text(left, 18, f"{title}{soak['doubled']} doubled", 13, "start", "bold"))
        for row, (name, place, colour) in enumerate(PANELS):
            top = TOP + row * (HEIGHT + BELOW + GAP)
            parts += _panel(soak, name, [sample[place] for sample in soak["samples"]], colour, left, top)
    parts.append(_key(high - 10))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="Soak: memory, descriptors and waiting lines over '
        f'the time">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(soak: dict[str, Any], name: str, values: Sequence[float], colour: str, left: int, top: int) -> Iterator[str]:
    end = max(soak["seconds"], 1)
    ceiling = _ceiling(max(values))

    def x(at: float) -> float:
        return round(left + WIDTH * at / end, 1)

    def band(start: float, until: float, fill: str) -> str:
        return f'<rect x="{x(start)}" y="{top}" width="{x(until) - x(start):.1f}" height="{HEIGHT}" fill="{fill}"/>'

    yield band(soak["watched_from"], end, WATCHED)
    for start, until in soak["refused_at"]:
        yield band(start, min(until, end), REFUSED)
    for part in range(5):
        y = round(top + HEIGHT * (1 - part / 4), 1)
        yield f'<line x1="{left}" x2="{left + WIDTH}" y1="{y}" y2="{y}" stroke="{FAINT}" stroke-width="0.7"/>'
        yield _text(left - 6, y + 4, f"{ceiling * part / 4:,.0f}", 11, "end")
    for part in range(7):
        yield _text(x(end * part / 6), top + HEIGHT + 15, _clock(end * part / 6), 11, "middle")
    for at in soak["killed_at"]:
        yield f'<line x1="{x(at)}" x2="{x(at)}" y1="{top}" y2="{top + 6}" stroke="{KILLED}" stroke-width="1"/>'
    points = " ".join(
        f"{x(sample[0])},{top + HEIGHT * (1 - value / ceiling):.1f}"
        for sample, value in zip(soak["samples"], values, strict=True)
    )
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
    yield _text(left, top - 6, name, 12, "start")


def _key(y: int) -> str:
    entries = (("refusals (429)", REFUSED), ("memory and descriptors are judged here", WATCHED), ("kill -9", KILLED))
    parts, x = [], LEFT
    for name, colour in entries:
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}" stroke="{FAINT}"/>')
        parts.append(_text(x + 15, y, name, 11, "start"))
        x += 30 + 7 * len(name)
    return "\n".join(parts)


def _text(x: float, y: float, text: str, size: int, anchor: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{INK}">{text}</text>'


def _ceiling(highest: float) -> float:
    """A round number above it, which four steps divide."""
    power = 10.0 ** max(0, len(str(int(highest))) - 1)
    return next(step * power for step in (0.4, 0.8, 1.2, 1.6, 2, 2.8, 4, 6, 8, 10) if highest <= step * power) or 4


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def write() -> None:
    IMAGE.write_text(drawing(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    write()
