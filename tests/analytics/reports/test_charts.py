"""Charts are well-formed SVG with labelled axes, and end where their values end."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from analytics.reports.charts import Series, bar_chart, line_chart

HOURS = [f"{hour:02d}:00" for hour in range(24)]


def drawings(chart: Markup) -> list[ElementTree.Element]:
    return [svg for svg in ElementTree.fromstring(chart).iter("svg") if svg.get("role") == "img"]


def test_bars_are_as_high_as_their_values() -> None:
    """The tallest bar ends at its value on the axis, half the value is half as tall, zero is nothing."""
    chart = bar_chart("Pulls", ["a", "b", "c"], [Series(name="pulls", values=[100, 50, 0], look="blue")], "per day")
    for svg in drawings(chart):
        tall = [float(bar.get("height", "")) for bar in svg.iter("rect")]
        grid = sorted(float(line.get("y1", "")) for line in svg.iter("line"))
        assert tall[0] == pytest.approx(grid[-1] - grid[0], abs=0.2)
        assert tall[1] == pytest.approx(tall[0] / 2, abs=0.2)
        assert tall[2] == 0


@pytest.mark.parametrize("highest", [0, 1, 3, 7, 99, 1001, 123_456, 5_000_000_000])
def test_axis_holds_the_highest_value_and_little_more(highest: int) -> None:
    """No value leaves the drawing, whatever its size, and the unit stands at the axis."""
    for unit in ("per hour", "bytes"):
        for svg in drawings(line_chart("x", HOURS, [Series(name="x", values=[highest] * 24, look="red")], unit)):
            line = next(svg.iter("polyline"))
            ys = {float(point.split(",")[1]) for point in line.get("points", "").split()}
            grid = sorted(float(one.get("y1", "")) for one in svg.iter("line"))
            assert len(ys) == 1 and grid[0] - 0.1 <= ys.pop() <= grid[-1] + 0.1
            assert next(svg.iter("text")).text == unit


def test_labels_do_not_overlap() -> None:
    """However many values, the labels of the x axis keep their distance, on both drawings."""
    many = [f"11-{day:02d} 00:00" for day in range(1, 30)] * 10
    for svg in drawings(line_chart("x", many, [Series(name="x", values=[1] * len(many), look="blue")], "per hour")):
        places = [float(text.get("x", "")) for text in svg.iter("text") if "middle" in text.get("class", "")]
        assert len(places) > 2
        assert min(b - a for a, b in pairwise(places)) >= 60
        assert places[-1] + 30 <= float(svg.get("viewBox", "").split()[2])


def test_a_chart_can_be_heard() -> None:
    """The drawing has a name with its unit, sum and peak; names of series cannot break out."""
    chart = bar_chart("Pulls", ["a"], [Series(name='"><script>', values=[7], look="blue")], "per day")
    label = drawings(chart)[0].get("aria-label", "")
    assert label.startswith("Pulls (per day).")
    assert "7 per day in all" in label
    assert "<script>" not in chart
