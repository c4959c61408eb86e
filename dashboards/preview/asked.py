"""What Grafana's backend makes of a target: variables worked out, a step chosen, a search around the Lucene text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SCRAPE_SECONDS = 15  # `timeInterval` of the provisioned data source: no step is shorter
POINTS = 120  # over the width of a panel; Grafana takes one for each pixel
_STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)(?::\w+)?\}?")
_LUCENE = re.compile(r'([+\-!(){}\[\]^"~*?:\\/=&|<>])')
_REGEX = re.compile(r"([\\^$.*+?()\[\]{}|])")


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a board shows."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def step(self) -> int:
        """Seconds between two points: a round number, never shorter than a scrape."""
        return next((step for step in _STEPS if self.seconds / step <= POINTS), _STEPS[-1])


def promql_of(expr: str, span: Span, chosen: Mapping[str, str]) -> str:
    """An expression with Grafana's own variables and those of the board (`chosen`: name → text to put in) worked out."""
    # Grafana's rule: at least four scrapes, or a rate has too few samples to be one.
    rate = max(span.step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)
    own = {
        "__rate_interval": f"{rate}s",
        "__interval": f"{span.step}s",
        "__range": f"{max(1, round(span.seconds))}s",
    }
    return replaced(expr, {**chosen, **own})


def replaced(text: str, values: Mapping[str, str]) -> str:
    """`$name` and `${name}` replaced; what is not known stays, as a regular expression's `$1` must."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def for_promql(value: str) -> str:
    """One chosen value within a regular expression in a PromQL string."""
    return _REGEX.sub(r"\\\\\1", value)


def for_lucene(value: str) -> str:
    """One chosen value in a Lucene query; escaped within quotation marks too, as Grafana does."""
    return _LUCENE.sub(r"\\\1", value)


def search_of(
    target: Mapping[str, Any], span: Span, chosen: Mapping[str, str], step: int | None = None
) -> dict[str, Any]:
    """The body of the search of an Elasticsearch target: range, Lucene text, nested aggregations.

    `step` is the width of a bucket of time in seconds, if not that of the span.
    """
    limits = {"gte": span.start.isoformat(), "lte": span.end.isoformat(), "format": "strict_date_optional_time"}
    body: dict[str, Any] = {
        "size": 0,
        "query": {
            "bool": {
                "filter": [
                    {"range": {"@timestamp": limits}},
                    {"query_string": {"analyze_wildcard": True, "query": replaced(target["query"], chosen)}},
                ]
            }
        },
    }
    metrics = target["metrics"]
    if metrics[0]["type"] == "logs":
        return body | {"size": int(metrics[0]["settings"]["limit"]), "sort": [{"@timestamp": {"order": "desc"}}]}
    figures = {one["id"]: {one["type"]: {"field": one["field"]}} for one in metrics if one["type"] != "count"}
    inner = dict(figures)
    for bucket in reversed(target["bucketAggs"]):
        agg = {bucket["id"]: _bucket(bucket, span, step or span.step)}
        # Terms in the order of a metric hold that metric themselves, besides the buckets inside.
        order = bucket["settings"].get("orderBy")
        inside = inner | ({order: figures[order]} if order in figures else {})
        if inside:
            agg[bucket["id"]]["aggs"] = inside
        inner = agg
    return body | {"aggs": inner}


def _bucket(bucket: Mapping[str, Any], span: Span, step: int) -> dict[str, Any]:
    settings = bucket["settings"]
    if bucket["type"] == "date_histogram":
        ends = {"min": round(span.start.timestamp() * 1000), "max": round(span.end.timestamp() * 1000)}
        over = {"fixed_interval": f"{step}s", "min_doc_count": 0, "extended_bounds": ends, "format": "epoch_millis"}
        return {"date_histogram": {"field": bucket["field"], **over}}
    order = {"_count": "_count", "_term": "_key"}.get(settings["orderBy"], settings["orderBy"])
    return {
        "terms": {
            "field": bucket["field"],
            "size": int(settings["size"]),
            "min_doc_count": int(settings["min_doc_count"]),
            "order": {order: settings["order"]},
        }
    }
