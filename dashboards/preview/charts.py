"""Lines over time and heatmaps as inline SVG, drawn twice, wide and narrow, as the report's charts are.

The report's charts (`analytics.reports.charts`) draw whole rows over evenly spaced labels in two units. A board's lines have
holes, stand on one another, run over real time and come in Grafana's units: hence these, over the same `Frame` and style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from analytics.reports.charts import Frame
from analytics.reports.shown import visible
from dashboards.preview.frames import Line, Lines
from dashboards.preview.units import ceiling, shown

COLOURS = 10  # classes c0 … of the style sheet; after that they begin again
NARROW = Frame(kind="narrow", width=340, height=190, left=58, right=12, top=8, bottom=22)
_LABEL_WIDTH = 92  # room for a label of the time axis
_ROUND = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600)
_DAY = 86400


def wide(width: float, height: float) -> Frame:
    return Frame(kind="wide", width=round(width), height=round(height), left=58, right=12, top=8, bottom=22)


def colour(place: int) -> str:
    return f"c{place % COLOURS}"


def time_chart(title: str, shown_lines: Lines, unit: str, stacked: bool, frame: Frame) -> Markup:
    """Lines, or with `stacked` areas that stand on one another."""
    floors = _floors(shown_lines.lines) if stacked else [[0.0] * len(shown_lines.times)] * len(shown_lines.lines)
    tops = [
        [None if value is None else value + floor for value, floor in zip(line.values, floors[place], strict=True)]
        for place, line in enumerate(shown_lines.lines)
    ]
    said = [value for values in tops for value in values if value is not None]
    whole = unit in ("short", "none") and all(value == int(value) for value in said)
    top = ceiling(max(said, default=0.0), unit, whole)
    plot = _Plot(frame, shown_lines.times, top)
    parts = [*_value_axis(frame, top, unit), *_time_axis(frame, shown_lines.times)]
    drawn = list(enumerate(zip(shown_lines.lines, floors, tops, strict=True)))
    for place, (line, floor, values) in reversed(drawn):
        parts += _line(plot, line, floor if stacked else None, values, colour(place))
    return _svg(frame, f"{title}. {_spoken(shown_lines.lines, unit)}", parts)


def _floors(lines: Sequence[Line]) -> list[list[float]]:
    """What each line stands on: the sum of those before it."""
    floors, so_far = [], [0.0] * (len(lines[0].values) if lines else 0)
    for line in lines:
        floors.append(list(so_far))
        so_far = [sum_ + (value or 0.0) for sum_, value in zip(so_far, line.values, strict=True)]
    return floors


class _Plot:
    """Where a value at a moment lies."""

    def __init__(self, frame: Frame, times: Sequence[float], top: float) -> None:
        self.frame, self.top = frame, top
        self._first = times[0] if times else 0.0
        self._long = (times[-1] - times[0] if times else 0.0) or 1.0
        self.times = times

    def point(self, place: int, value: float) -> str:
        width, height = self.frame.inner
        x = self.frame.left + width * (self.times[place] - self._first) / self._long
        return f"{x:.1f},{self.frame.top + height * (1 - min(max(value / self.top, 0.0), 1.0)):.1f}"


def _line(
    plot: _Plot, line: Line, floor: Sequence[float] | None, tops: Sequence[float | None], look: str
) -> Iterator[Markup]:
    tip = visible(line.name)
    for first, last in _runs(tops):
        points = [plot.point(place, tops[place] or 0.0) for place in range(first, last)]
        if floor is not None:
            back = [plot.point(place, floor[place]) for place in reversed(range(first, last))]
            yield Markup('<polygon class="area {look}" points="{points}"><title>{tip}</title></polygon>').format(
                look=look, points=" ".join(points + back), tip=tip
            )
        if len(points) == 1:
            x, y = points[0].split(",")
            yield Markup('<circle class="dot {look}" cx="{x}" cy="{y}" r="2"><title>{tip}</title></circle>').format(
                look=look, x=x, y=y, tip=tip
            )
        else:
            yield Markup('<polyline class="line {look}" points="{points}"><title>{tip}</title></polyline>').format(
                look=look, points=" ".join(points), tip=tip
            )


def _runs(values: Sequence[float | None]) -> Iterator[tuple[int, int]]:
    """Stretches without a hole: first place, and one behind the last."""
    first = None
    for place, value in enumerate([*values, None]):
        if value is not None and first is None:
            first = place
        elif value is None and first is not None:
            yield first, place
            first = None


def heatmap(title: str, shown_lines: Lines, unit: str, frame: Frame) -> Markup:
    """Counts of a histogram's buckets over time: the lines are named by upper limits and hold what lies below them."""
    limits = sorted((float(line.name.replace("+Inf", "inf")), line) for line in shown_lines.lines)
    rows = [line.values for _, line in limits]
    cells = [
        [
            max((now or 0.0) - (below or 0.0), 0.0)
            for now, below in zip(row, rows[place - 1] if place else [0.0] * len(row), strict=True)
        ]
        for place, row in enumerate(rows)
    ]
    most = max((value for row in cells for value in row), default=0.0) or 1.0
    width, height = frame.inner
    tall, broad = height / len(rows), width / max(1, len(shown_lines.times))
    parts = list(_time_axis(frame, shown_lines.times))
    every = max(1, -(-len(rows) * 14 // int(height)))
    for place, (limit, _) in enumerate(limits):
        y = frame.top + height - tall * (place + 1)
        if place % every == 0:
            text = "more" if limit == float("inf") else shown(limit, unit)
            parts.append(_tick(frame.left - 6, y + tall / 2 + 4, text, "end"))
        for column, value in enumerate(cells[place]):
            if value > 0:
                parts.append(
                    Markup(
                        '<rect class="cell" x="{x}" y="{y}" width="{w}" height="{h}" fill-opacity="{shade}">'
                        "<title>up to {limit}: {value}</title></rect>"
                    ).format(
                        x=f"{frame.left + broad * column:.1f}",
                        y=f"{y:.1f}",
                        w=f"{max(broad - 0.6, 0.6):.1f}",
                        h=f"{max(tall - 1, 0.6):.1f}",
                        shade=f"{0.12 + 0.88 * (value / most) ** 0.5:.2f}",
                        limit="any" if limit == float("inf") else shown(limit, unit),
                        value=shown(value, "cps"),
                    )
                )
    return _svg(frame, f"{title}: how many lay below which limit, over time", parts)


def _svg(frame: Frame, label: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="{kind}" viewBox="0 0 {w} {h}" role="img" aria-label="{label}">{parts}</svg>').format(
        kind=frame.kind, w=frame.width, h=frame.height, label=visible(label, 1000), parts=Markup("").join(parts)
    )


def _spoken(lines: Sequence[Line], unit: str) -> str:
    return "; ".join(
        f"{line.name}: last {shown(line.last(), unit)}, at most {shown(line.most(), unit)}" for line in lines
    )


def _tick(x: float, y: float, text: str, side: str) -> Markup:
    return Markup('<text class="tick {side}" x="{x}" y="{y}">{text}</text>').format(
        side=side, x=f"{x:.1f}", y=f"{y:.1f}", text=text
    )


def _value_axis(frame: Frame, top: float, unit: str) -> Iterator[Markup]:
    width, height = frame.inner
    for step in range(5):
        y = frame.top + height * (1 - step / 4)
        yield Markup('<line class="grid" x1="{x1}" x2="{x2}" y1="{y}" y2="{y}"/>').format(
            x1=frame.left, x2=frame.left + width, y=f"{y:.1f}"
        )
        yield _tick(frame.left - 6, y + 4, shown(top * step / 4, unit), "end")


def _time_axis(frame: Frame, times: Sequence[float]) -> Iterator[Markup]:
    """Labels at round times in UTC, as many as there is room for."""
    if len(times) < 2:
        return
    width, height = frame.inner
    long = times[-1] - times[0]
    apart = next((step for step in _ROUND if long / step <= max(1, width // _LABEL_WIDTH)), _ROUND[-1])
    at = -(-times[0] // apart) * apart
    while at <= times[-1]:
        x = frame.left + width * (at - times[0]) / long
        when = datetime.fromtimestamp(at, UTC)
        text = when.strftime("%H:%M" if long <= _DAY else "%d %b" if apart >= _DAY else "%d %b %H:%M")
        if x + 3.4 * len(text) <= frame.width:
            yield Markup('<line class="mark" x1="{x}" x2="{x}" y1="{y1}" y2="{y2}"/>').format(
                x=f"{x:.1f}", y1=frame.top + height, y2=frame.top + height + 4
            )
            yield _tick(x, frame.height - 6, text, "middle")
        at += apart
