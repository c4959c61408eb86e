"""What Grafana demands of an Elasticsearch target, and mostly does not say.

Wrong fields and double ids are answered with zeros or with another metric's values, so the server cannot be asked.
"""

from __future__ import annotations

from typing import Any

from store.event import BY_ECS

_WITHOUT_BUCKETS = frozenset({"logs", "raw_data", "raw_document"})
_NUMBERS = frozenset({"sum", "avg", "min", "max", "percentiles", "extended_stats"})
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
        *_fields(metrics, buckets, fields),
        *_terms(metrics, buckets),
        *_shape(metrics, buckets, panel_type),
    ]


def _ids(metrics: list[dict[str, Any]], buckets: list[dict[str, Any]]) -> list[str]:
    ids = [part.get("id") for part in (*metrics, *buckets)]
    found = [f"id {id!r} is not a string" for id in ids if not isinstance(id, str)]
    if len({str(id) for id in ids}) != len(ids):
        found.append(f"ids are not unique over metrics and buckets: {ids}")
    return found


def _fields(metrics: list[dict[str, Any]], buckets: list[dict[str, Any]], fields: set[str]) -> list[str]:
    found = []
    for part in (*metrics, *buckets):
        name = part.get("field")
        if name is None:
            if part["type"] not in {"count", "filters", *_WITHOUT_BUCKETS}:
                found.append(f"{part['type']} without a field")
        elif name not in fields:
            found.append(f"no field {name!r} in the mapping: the answer would be empty or zero, not an error")
        elif not _fits(part["type"], name):
            found.append(f"{part['type']} does not fit field {name!r}")
    return found


def _fits(what: str, name: str) -> bool:
    field = BY_ECS.get(name)
    if field is None:  # an alias
        return True
    if what == "date_histogram":
        return field.kind == "time"
    if what in _NUMBERS:
        return field.kind in {"int", "float"} and field.index
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
    last_is_time = buckets[-1].get("type") == "date_histogram"
    if panel_type in _TIME_KINDS and not last_is_time:
        found.append("a panel over time needs a date_histogram as its last bucket")
    if panel_type in {"table", "bargauge", "barchart"} and last_is_time:
        found.append("a ranking must not end in a date_histogram")
    return found
