"""What Grafana demands of an Elasticsearch target, and mostly does not say.

Wrong fields and double ids are answered with zeros or with another metric's values, so the server cannot be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from store.event import BY_ECS

_WITHOUT_BUCKETS = frozenset({"logs", "raw_data", "raw_document"})
_NUMBERS = frozenset({"sum", "avg", "percentiles", "extended_stats"})
_ORDERED = frozenset({"min", "max"})  # of a time they give milliseconds
_METRICS = _NUMBERS | _ORDERED | _WITHOUT_BUCKETS | {"count", "cardinality"}
_BUCKETS = frozenset({"terms", "filters", "date_histogram", "histogram"})
_RANKINGS = frozenset({"table", "bargauge", "barchart", "piechart"})
_FIELD_OF_QUERY = re.compile(r"(?<![\w\\])([A-Za-z_@][\w.@]*):")
_TIME_KINDS = frozenset({"timeseries", "heatmap", "state-timeline"})


def problems(target: dict[str, Any], panel_type: str, fields: set[str]) -> list[str]:
    """Why Grafana would show an error, nothing, or something wrong for this target, in words."""
    metrics, buckets = target.get("metrics"), target.get("bucketAggs")
    if not isinstance(metrics, list) or not metrics:
        return ["no metrics: the key is `metrics` and holds at least one"]
    if not isinstance(buckets, list):
        return ["no bucketAggs: a list, empty only for logs"]
    return [
        *_ids(metrics, buckets),
        *_types(metrics, buckets),
        *field_problems([*metrics, *buckets], fields),
        *_query(str(target.get("query", "")), fields),
        *_time_field(target),
        *_terms(metrics, buckets),
        *_shape(metrics, buckets, panel_type),
    ]


def _ids(metrics: list[dict[str, Any]], buckets: list[dict[str, Any]]) -> list[str]:
    ids = [part.get("id") for part in (*metrics, *buckets)]
    found = [f"id {id!r} is not a string" for id in ids if not isinstance(id, str)]
    if len({str(id) for id in ids}) != len(ids):
        found.append(f"ids are not unique over metrics and buckets: {ids}")
    return found


def _types(metrics: list[dict[str, Any]], buckets: list[dict[str, Any]]) -> list[str]:
    found = [f"metric of type {m.get('type')!r} is unknown" for m in metrics if m.get("type") not in _METRICS]
    # The answer to an unknown bucket is empty, not an error.
    return found + [f"bucket of type {b.get('type')!r} is unknown" for b in buckets if b.get("type") not in _BUCKETS]


def _time_field(target: dict[str, Any]) -> list[str]:
    """Grafana asks the data source's whatever stands here, so that another one would be a lie."""
    return [] if target.get("timeField") == "@timestamp" else [f"timeField {target.get('timeField')!r}"]


def _query(text: str, fields: set[str]) -> list[str]:
    """A field that is not there finds nothing; what Lucene cannot read is refused."""
    outside = re.sub(r'"(?:\\.|[^"\\])*"', "0", text)
    found = ["a quotation mark of the query is not closed"] if '"' in outside else []
    if outside.count("(") != outside.count(")"):
        found.append("the brackets of the query do not match")
    asked = set(_FIELD_OF_QUERY.findall(outside)) - {"_exists_"}
    asked |= set(re.findall(r"_exists_:([\w.@]+)", outside))
    return found + [f"no field {name!r} in the mapping: nothing would be found" for name in sorted(asked - fields)]


def field_problems(parts: Iterable[dict[str, Any]], fields: set[str]) -> list[str]:
    """Fields of metrics and buckets that are not there, or not of a fitting type."""
    found = []
    for part in parts:
        name = part.get("field")
        if name is None:
            if part.get("type") not in {"count", "filters", *_WITHOUT_BUCKETS}:
                found.append(f"{part.get('type')} without a field")
        elif name not in fields:
            found.append(f"no field {name!r} in the mapping: the answer would be empty or zero, not an error")
        elif not _fits(str(part.get("type")), name):
            found.append(f"{part.get('type')} does not fit field {name!r}")
    return found


def _fits(what: str, name: str) -> bool:
    field = BY_ECS.get(name)
    if field is None:  # an alias
        return True
    if what == "date_histogram":
        return field.kind == "time"
    if what in _NUMBERS:
        return field.kind in {"int", "float"} and field.index
    if what in _ORDERED:
        return field.kind in {"int", "float", "time"} and field.index
    return field.index


def _terms(metrics: list[dict[str, Any]], buckets: list[dict[str, Any]]) -> list[str]:
    found = []
    metric_ids = {metric.get("id") for metric in metrics}
    for bucket in buckets:
        if bucket.get("type") != "terms":
            continue
        settings = bucket.get("settings", {})
        order = settings.get("orderBy")
        if order not in {"_count", "_term", "_key"} | metric_ids:
            found.append(f"terms ordered by {order!r}, which is no metric of the target")
        size = str(settings.get("size", ""))
        if not size.isdigit() or int(size) == 0:
            found.append(f"terms of size {size!r}")
    return found


def _shape(metrics: list[dict[str, Any]], buckets: list[dict[str, Any]], panel_type: str) -> list[str]:
    found = []
    listing = any(metric.get("type") in _WITHOUT_BUCKETS for metric in metrics)
    if (panel_type == "logs") != any(metric.get("type") == "logs" for metric in metrics):
        found.append("a logs panel and a metric of type logs belong together")
    if listing:
        return found if not buckets else [*found, "buckets around single documents"]
    if not buckets:
        return [*found, "no buckets around the metric"]
    if any(bucket.get("type") == "date_histogram" for bucket in buckets[:-1]):
        found.append("a date_histogram that is not the last bucket gives a table, not a line")
    last_is_time = buckets[-1].get("type") == "date_histogram"
    if panel_type in _TIME_KINDS and not last_is_time:
        found.append("a panel over time needs a date_histogram as its last bucket")
    if panel_type in _RANKINGS and last_is_time:
        found.append("a ranking must not end in a date_histogram")
    return found
