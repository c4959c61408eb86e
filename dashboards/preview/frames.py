"""Answers of the data sources as lines over time and as tables, and the transformations that Grafana does in the browser."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.preview.asked import Span

Value = float | None
# What Grafana calls the columns of an Elasticsearch metric.
_METRICS = {"count": "Count", "sum": "Sum", "cardinality": "Unique Count", "min": "Min", "max": "Max", "avg": "Average"}
_OPERATORS: Mapping[str, Callable[[float, float], Value]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else None,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One name's values, one for each of the times it is drawn over; None where nothing was said."""

    name: str
    values: Sequence[Value]

    def last(self) -> Value:
        return next((value for value in reversed(self.values) if value is not None), None)

    def most(self) -> Value:
        return max((value for value in self.values if value is not None), default=None)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines over the same times (seconds since 1970)."""

    times: Sequence[float]
    lines: Sequence[Line]


@dataclass(slots=True)
class Table:
    """Rows under columns."""

    columns: list[str]
    rows: list[dict[str, Any]] = field(default_factory=list)


def times_of(span: Span, step: int) -> list[float]:
    """The moments of a span's steps, in seconds since 1970."""
    first = span.start.timestamp() // step * step
    return [first + step * number for number in range(int((span.end.timestamp() - first) // step) + 1)]


def from_series(series: Sequence[Mapping[str, Any]], legend: str, times: Sequence[float]) -> list[Line]:
    """Prometheus's series, over a range or at one moment (then one value each)."""
    found = []
    for one in series:
        said = one.get("values") or [one.get("value")]
        at = {round(float(moment)): _number(value) for moment, value in said if value is not None}
        values = [at.get(round(time)) for time in times] if times else list(at.values())
        found.append(Line(_named(one.get("metric", {}), legend), values))
    return sorted(found, key=lambda line: line.name)


def _named(labels: Mapping[str, str], legend: str) -> str:
    if legend == "__auto":
        return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
    named = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), legend)
    return named.strip(" ·") or "(not said)"


def _number(text: Any) -> Value:
    value = float(text)
    return value if math.isfinite(value) else None


def lines_of_search(target: Mapping[str, Any], found: Mapping[str, Any], times: Sequence[float]) -> list[Line]:
    """Buckets of time, alone or within those of a field, of a target's first metric."""
    metric, buckets = target["metrics"][0], target["bucketAggs"]
    outer = found["aggregations"][buckets[0]["id"]]["buckets"]
    if len(buckets) == 1:
        return [Line(target.get("alias") or _METRICS[metric["type"]], _over(outer, metric, times))]
    return [Line(_key(one), _over(one[buckets[1]["id"]]["buckets"], metric, times)) for one in outer]


def _over(buckets: Sequence[Mapping[str, Any]], metric: Mapping[str, Any], times: Sequence[float]) -> list[Value]:
    at = {round(float(bucket["key"]) / 1000): _figure(bucket, metric) for bucket in buckets}
    # Where nothing was stored, nothing happened: the buckets between two filled ones say 0, and so do those outside.
    return [at.get(round(time), 0.0) for time in times]


def _figure(bucket: Mapping[str, Any], metric: Mapping[str, Any]) -> Value:
    if metric["type"] == "count":
        return float(bucket["doc_count"])
    value = bucket[metric["id"]]["value"]
    return None if value is None else float(value)


def _key(bucket: Mapping[str, Any]) -> str:
    return str(bucket.get("key_as_string", bucket["key"]))


def table_of_search(target: Mapping[str, Any], found: Mapping[str, Any]) -> Table:
    """Terms without time: a row for each value of the field, a column for each metric."""
    bucket = target["bucketAggs"][0]
    names = {metric["id"]: _METRICS[metric["type"]] for metric in target["metrics"]}
    table = Table([bucket["field"], *names.values()])
    for one in found["aggregations"][bucket["id"]]["buckets"]:
        figures = {names[metric["id"]]: _figure(one, metric) for metric in target["metrics"]}
        table.rows.append({bucket["field"]: _key(one), **figures})
    return table


def transformed(tables: Sequence[Table], steps: Sequence[Mapping[str, Any]]) -> Table:
    """The tables of a panel after its transformations.

    Raises:
        ValueError: a transformation that a preview does not know.
    """
    several, table = list(tables), tables[0]
    for step in steps:
        options = step["options"]
        if step["id"] == "joinByField":
            table = _joined(several, options["byField"])
        elif step["id"] == "calculateField" and options.get("mode") == "binary":
            _calculate(table, options["alias"], options["binary"])
        elif step["id"] == "organize":
            table = _organized(table, options)
        else:
            raise ValueError(f"a preview cannot do the transformation {step['id']!r}")
    return table


def _joined(tables: Sequence[Table], by: str) -> Table:
    """An outer join; columns that several tables have are numbered, as Grafana does."""
    often = Counter(name for table in tables for name in table.columns if name != by)
    rows: dict[Any, dict[str, Any]] = {}
    columns, seen = [by], Counter[str]()
    for table in tables:
        names = {}
        for name in table.columns:
            if name != by:
                seen[name] += 1
                names[name] = f"{name} {seen[name]}" if often[name] > 1 else name
        columns += names.values()
        for row in table.rows:
            rows.setdefault(row[by], {by: row[by]}).update({new: row.get(old) for old, new in names.items()})
    return Table(columns, list(rows.values()))


def _calculate(table: Table, alias: str, binary: Mapping[str, str]) -> None:
    work = _OPERATORS[binary["operator"]]
    table.columns.append(alias)
    for row in table.rows:
        left, right = row.get(binary["left"]), row.get(binary["right"])
        row[alias] = None if left is None or right is None else work(left, right)


def _organized(table: Table, options: Mapping[str, Any]) -> Table:
    places = options.get("indexByName", {})
    kept = [name for name in table.columns if not options.get("excludeByName", {}).get(name)]
    kept.sort(key=lambda name: places.get(name, len(places)))
    new = {name: options.get("renameByName", {}).get(name, name) for name in kept}
    return Table(list(new.values()), [{new[name]: row.get(name) for name in kept} for row in table.rows])
