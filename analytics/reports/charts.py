"""Bar and line charts as inline SVG: no script, no style attributes (colours are classes), readable on paper.

Each chart is drawn twice, wide and narrow, and the style sheet shows the one that fits: scaling one drawing down to a
phone would make its letters unreadable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analytics.reports.shown import number, size, visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One row of values under one name; `look` is a class of the style sheet: blue, orange, red, grey."""

    name: str
    values: Sequence[float]
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What is usual: an area between two lines, drawn behind everything else."""

    name: str
    low: Sequence[float]
    high: Sequence[float]

    def above(self, values: Sequence[float]) -> int:
        """How many of the values lie above it."""
        return sum(1 for value, high in zip(values, self.high, strict=True) if value > high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The measures of one drawing, in SVG units (CSS pixels at full width)."""

    kind: str
    width: int
    height: int
    left: int = 62
    right: int = 10
    top: int = 26
    bottom: int = 26

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height of the plot itself."""
        return self.width - self.left - self.right, self.height - self.top - self.bottom


FRAMES = (Frame(kind="wide", width=560, height=210), Frame(kind="narrow", width=340, height=210, left=54))
LABEL_WIDTH = 72  # room that a label of the x axis needs
HALF_LETTER = 3.6  # half the width of a digit at the style sheet's size


def bar_chart(title: str, labels: Sequence[str], series: Sequence[Series], unit: str) -> Markup:
    """Bars of several series side by side, one group a label."""
    return _chart(title, labels, series, unit, _bars)


def line_chart(
    title: str, labels: Sequence[str], series: Sequence[Series], unit: str, band: Band | None = None
) -> Markup:
    """Lines over evenly spaced labels, with what is usual behind them."""
    return _chart(title, labels, series, unit, _lines, band)


Draw = Callable[[Frame, Sequence[str], Sequence[Series], float, str], list[Markup]]


def _chart(
    title: str, labels: Sequence[str], series: Sequence[Series], unit: str, draw: Draw, band: Band | None = None
) -> Markup:
    values = [value for row in series for value in row.values] + list(band.high if band else ())
    top = _ceiling(max(values, default=0.0), unit)
    keys = [(row.look, row.name) for row in series] + ([("band", band.name)] if band else [])
    legend = Markup("").join(
        Markup(
            '<span class="key"><svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">'
            '<rect class="fill {look}" width="12" height="12" rx="2"/></svg>{name}</span>'
        ).format(look=look, name=visible(name))
        for look, name in keys
    )
    drawings = Markup("").join(_drawing(frame, title, labels, series, unit, top, draw, band) for frame in FRAMES)
    return Markup(
        '<figure class="chart"><figcaption><strong>{title}</strong> <span class="keys">{legend}</span>'
        "</figcaption>{drawings}</figure>"
    ).format(title=title, legend=legend, drawings=drawings)


def _drawing(
    frame: Frame,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: str,
    top: float,
    draw: Draw,
    band: Band | None,
) -> Markup:
    spoken = "; ".join(
        f"{row.name}: {_value(sum(row.values), unit)} in all, at most {_value(max(row.values, default=0), unit)}"
        for row in series
    )
    behind = [_area(frame, band, top)] if band else []
    parts = [*behind, *_axes(frame, labels, unit, top), *draw(frame, labels, series, top, unit)]
    return Markup(
        '<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{parts}</svg>'
    ).format(
        kind=frame.kind,
        width=frame.width,
        height=frame.height,
        label=f"{title} ({unit}). {visible(spoken)}",
        parts=Markup("").join(parts),
    )


def _ceiling(highest: float, unit: str) -> float:
    """The end of the y axis: a round number (round in powers of 1024 for bytes) that four steps divide well."""
    if highest <= 0:
        return 4.0
    base = 1024.0 ** int(math.log(highest, 1024)) if unit == "bytes" and highest >= 1 else 1.0
    scaled = max(highest / base, 4.0 if base == 1.0 else 0.0)
    power = 10.0 ** math.floor(math.log10(scaled))
    step = next(step for step in (1, 2, 4, 6, 8, 10) if scaled <= step * power * (1 + 1e-9))
    return step * power * base


def _value(value: float, unit: str) -> str:
    return size(value) if unit == "bytes" else f"{number(value)} {unit}"


def _tick(value: float, unit: str) -> str:
    if unit == "bytes":
        return size(value).replace(".0 ", " ")
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{number(round(value / (1e3 if sign == 'k' else limit), 1))}\u202f{sign}"
    return number(value)


def _axes(frame: Frame, labels: Sequence[str], unit: str, top: float) -> list[Markup]:
    width, height = frame.inner
    parts = [Markup('<text class="unit" x="{x}" y="14">{unit}</text>').format(x=0, unit=unit)]
    for step in range(5):
        y = frame.top + height - height * step / 4
        parts.append(
            Markup(
                '<line class="grid" x1="{x1}" x2="{x2}" y1="{y}" y2="{y}"/>'
                '<text class="tick end" x="{x}" y="{ty}">{text}</text>'
            ).format(
                x1=frame.left,
                x2=frame.left + width,
                y=f"{y:.1f}",
                x=frame.left - 6,
                ty=f"{y + 4:.1f}",
                text=_tick(top * step / 4, unit),
            )
        )
    every = max(1, math.ceil(len(labels) * LABEL_WIDTH / width))
    for index in range(0, len(labels), every):
        x = frame.left + width * (index + 0.5) / len(labels)
        if x + len(labels[index]) * HALF_LETTER > frame.width:
            break
        parts.append(
            Markup('<text class="tick middle" x="{x}" y="{y}">{text}</text>').format(
                x=f"{x:.1f}", y=frame.height - 8, text=visible(labels[index])
            )
        )
    return parts


def _bars(frame: Frame, labels: Sequence[str], series: Sequence[Series], top: float, unit: str) -> list[Markup]:
    width, height = frame.inner
    group = width / max(1, len(labels))
    bar = group * 0.8 / max(1, len(series))
    parts = []
    for index, label in enumerate(labels):
        for place, row in enumerate(series):
            tall = height * row.values[index] / top
            parts.append(
                Markup(
                    '<rect class="fill {look}" x="{x}" y="{y}" width="{width}" height="{height}">'
                    "<title>{tip}</title></rect>"
                ).format(
                    look=row.look,
                    x=f"{frame.left + group * (index + 0.1) + bar * place:.1f}",
                    y=f"{frame.top + height - tall:.1f}",
                    width=f"{max(bar - 1, 0.8):.1f}",
                    height=f"{tall:.1f}",
                    tip=visible(f"{label}, {row.name}: {_value(row.values[index], unit)}"),
                )
            )
    return parts


def _area(frame: Frame, band: Band, top: float) -> Markup:
    width, height = frame.inner

    def point(index: int, value: float) -> str:
        x = frame.left + width * (index + 0.5) / len(band.high)
        return f"{x:.1f},{frame.top + height * (1 - value / top):.1f}"

    there = [point(index, value) for index, value in enumerate(band.high)]
    back = [point(index, value) for index, value in enumerate(band.low)][::-1]
    return Markup('<polygon class="fill band" points="{points}"><title>{tip}</title></polygon>').format(
        points=" ".join([*there, *back]), tip=visible(band.name)
    )


def _lines(frame: Frame, labels: Sequence[str], series: Sequence[Series], top: float, unit: str) -> list[Markup]:
    width, height = frame.inner
    parts = []
    for row in series:
        points = " ".join(
            f"{frame.left + width * (index + 0.5) / len(row.values):.1f},{frame.top + height * (1 - value / top):.1f}"
            for index, value in enumerate(row.values)
        )
        parts.append(
            Markup('<polyline class="stroke {look}" points="{points}"><title>{tip}</title></polyline>').format(
                look=row.look, points=points, tip=visible(row.name)
            )
        )
    return parts
