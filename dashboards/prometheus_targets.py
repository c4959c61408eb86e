"""What Grafana and Prometheus demand of a target, and mostly answer with an empty panel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dashboards import promql
from dashboards.metrics import series_labels

_AT_ONE_MOMENT = frozenset({"table", "bargauge", "barchart", "piechart"})
_OVER_TIME = frozenset({"timeseries", "heatmap", "state-timeline"})


def problems(target: dict[str, Any], panel_type: str, metrics: set[str], several: set[str]) -> Iterator[str]:
    """What is wrong with it, in words. `several`: variables that stand for an alternative, `a|b`."""
    expr = target.get("expr")
    if not isinstance(expr, str) or not expr.strip():
        yield "no expr"
        return
    yield from promql.problems(expr)
    yield from (f"nobody exports {name!r}" for name in sorted(promql.metrics(expr) - metrics))
    yield from _labels(expr)
    for name in re.findall(r"(?<![~!])=\s*[\"']\$\{?(\w+)", expr):
        if name in several:
            yield f"${name} may be several values: compare with =~"
    if target.get("intervalFactor", 1) != 1:
        yield "intervalFactor makes every step longer"
    yield from _shape(target, panel_type, expr)


def _shape(target: dict[str, Any], panel_type: str, expr: str) -> Iterator[str]:
    if bool(target.get("instant")) == bool(target.get("range")):
        yield "instant or range: exactly one"
    elif target.get("instant") and panel_type in _OVER_TIME:
        yield "a panel over time asks for a range"
    elif target.get("range") and panel_type in _AT_ONE_MOMENT:
        yield "a ranking asks for an instant"
    if (panel_type == "heatmap") != (target.get("format") == "heatmap"):
        yield "a heatmap and the format of that name belong together"
    if panel_type == "heatmap" and "le" not in promql.grouping_labels(expr):
        yield "a heatmap needs its buckets: sum by (le)"
    if panel_type == "logs":
        yield "Prometheus has no logs"


def _labels(expr: str) -> Iterator[str]:
    known = series_labels()
    for metric, labels in promql.matched_labels(expr).items():
        yield from (f"{metric} has no label {name!r}" for name in sorted(labels - known.get(metric, labels)))
    asked = [known[name] for name in promql.metrics(expr) if name in known]
    if asked:
        for name in sorted(promql.grouping_labels(expr) - set[str]().union(*asked)):
            yield f"grouped by label {name!r}, which none of its metrics has"
