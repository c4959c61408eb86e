"""The simulated traffic against figures counted in real registries' traffic."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from regsight.traffic.describe import Row, describe, table
from regsight.traffic.simulate import simulate

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
# Figures that settle within a week of a small registry; the others need longer or larger ones.
SETTLED = (
    "GET share",
    "HEAD share",
    "PUT share",
    "POST share",
    "PATCH share",
    "handshakes among GETs",
    "401 share",
    "5xx share",
    "pulls per push",
    "CV of inter-arrivals",
    "variance/mean in a minute",
    "re-pull share of nodes",
    "novelty per half day",
)


@pytest.fixture(scope="module", params=["distribution-json", "distribution-text"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    out = tmp_path_factory.mktemp("week")
    simulate(out, start=MONDAY, days=7, seed=2, attacks=[], surprises=[], source=request.param)
    return describe(out)


@pytest.mark.slow
def test_a_week_holds_the_bounds(rows: dict[str, Row]) -> None:
    """A small registry's week lies inside the bounds of the acceptance table."""
    assert {name: rows[name].value for name in SETTLED if not rows[name].within} == {}


@pytest.mark.slow
def test_the_table_has_a_line_for_each_figure(rows: dict[str, Row]) -> None:
    """The table for people names every figure and marks what is out of bounds."""
    lines = table(rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert all(line.startswith(name) for name, line in zip(rows, lines[1:], strict=True))
    assert "OUT" in table({"x": Row("x", 2.0, 0.0, 1.0)})
    assert "(out)" in table({"x": Row("x", 2.0, 0.0, 1.0, binding=False)})


def test_access_lines_alone_are_not_enough(tmp_path: Path) -> None:
    """Whole seconds cannot tell burstiness: the file is refused, by name."""
    simulate(tmp_path, start=MONDAY, days=0.1, seed=2, attacks=[], surprises=[], source="access")
    with pytest.raises(ValueError, match=r"access\.log"):
        describe(tmp_path)
