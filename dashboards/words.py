"""The words the questions are made of: PromQL over what is counted at the door, Lucene and aggregations over what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PromQL:
    """One expression. `instant` asks only for the values at the end of the chosen time: single figures, rankings.
    `spread` is for the buckets of a histogram on a heatmap."""

    expr: str
    legend: str = "__auto"
    instant: bool = False
    spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Elastic:
    """One search: Lucene text, one metric, and the buckets around it from the outermost in.

    `metric`, each bucket and each further metric in `also` are as Grafana writes them, without ids: those are dealt out
    by `dashboards.targets`, because equal ids make Grafana show one metric's values as another's, without an error.
    `alias` names the line of a question that has but one.
    """

    query: str
    metric: dict[str, Any]
    buckets: tuple[dict[str, Any], ...] = ()
    also: tuple[dict[str, Any], ...] = ()
    alias: str = ""

    def metrics(self) -> tuple[dict[str, Any], ...]:
        return (self.metric, *self.also)


# -- The words of an Elasticsearch question

EVENT_COUNT: dict[str, Any] = {"type": "count"}  # a document is a whole event, all its parts merged
OVER_TIME: dict[str, Any] = {
    "type": "date_histogram",
    "field": "@timestamp",
    "settings": {"interval": "auto", "min_doc_count": "0", "trimEdges": "0"},
}
# An event without a registry's name belongs to no entry of the list, but to "All": see `ALL_STORED`.
STORED_HERE = "(service.name:$stored_registry)"
ALL_STORED = "* OR (NOT _exists_:service.name)"


def top(field_name: str, size: int = 10, order_by: str = "_count") -> dict[str, Any]:
    """The `size` values of a field with most events, or with most of the metric for `order_by` "1", its id."""
    return {
        "type": "terms",
        "field": field_name,
        "settings": {"size": str(size), "order": "desc", "orderBy": order_by, "min_doc_count": "1"},
    }


def add_up(field_name: str) -> dict[str, Any]:
    return {"type": "sum", "field": field_name}


def different(field_name: str) -> dict[str, Any]:
    """How many different values; Elasticsearch estimates it beyond some thousands."""
    return {"type": "cardinality", "field": field_name}


def earliest() -> dict[str, Any]:
    """When it first happened in the chosen time; Elasticsearch gives milliseconds since 1970."""
    return {"type": "min", "field": "@timestamp"}


def latest() -> dict[str, Any]:
    """When it last happened in the chosen time."""
    return {"type": "max", "field": "@timestamp"}


def newest(limit: int = 200) -> dict[str, Any]:
    """The newest events themselves: only for a logs panel."""
    return {"type": "logs", "settings": {"limit": str(limit)}}


def stored(condition: str = "") -> str:
    """Lucene text for the chosen registries, with a condition."""
    return f"{STORED_HERE} AND {condition}" if condition else STORED_HERE


# -- The words of a PromQL question

HERE = 'registry=~"$registry"'
FROM = 'source=~"$source"'


def rate(metric: str, by: str = "", where: str = "") -> str:
    """Per second, over the window that fits the panel's step."""
    return f"{_sum(by)} (rate({_at(metric, where)}[$__rate_interval]))"


def increase(metric: str, by: str = "", where: str = "") -> str:
    """How many over the chosen time."""
    return f"{_sum(by)} (increase({_at(metric, where)}[$__range]))"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """What `share` of the observations stay below."""
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', grouped, where)})"


def quantiles(histogram: str, where: str = "") -> tuple[PromQL, ...]:
    return tuple(PromQL(expr=quantile(q / 100, histogram, where=where), legend=f"p{q}") for q in (50, 95, 99))


def mean(histogram: str, by: str) -> str:
    """The mean of what was observed in the chosen time; nothing where nothing was."""
    return f"{increase(f'{histogram}_sum', by)} / ({increase(f'{histogram}_count', by)} > 0)"


def by_task(expr: str) -> str:
    """The `job` label of our jobs as `task`.

    Prometheus gives the name `job` to the scrape and renames ours to `exported_job` unless the scrape honours labels;
    both are read here, so that a board works on any scrape configuration.
    """
    ours = f'label_replace({expr}, "task", "$1", "job", "(.*)")'
    return f'label_replace({ours}, "task", "$1", "exported_job", "(.+)")'


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"


def _at(metric: str, where: str) -> str:
    return f"{metric}{{{where}}}" if where else metric
