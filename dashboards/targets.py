"""Questions as Grafana's targets. grafanalib's own of Elasticsearch have no data source and collide in their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboards.board import Source
from dashboards.words import Elastic, PromQL

Query = PromQL | Elastic


def source_of(title: str, queries: Sequence[Query]) -> Source:
    """The one data source that all questions of a panel are for."""
    sources = {Source.PROMETHEUS if isinstance(query, PromQL) else Source.ELASTICSEARCH for query in queries}
    if len(sources) != 1:
        # Grafana would silently ask the panel's source for all of them.
        raise ValueError(f"panel {title!r} mixes data sources")
    return sources.pop()


def targets(queries: Sequence[Query]) -> list[dict[str, Any]]:
    """In the order given, as A, B, C …"""
    return [_target(query, chr(ord("A") + place)) for place, query in enumerate(queries)]


def _target(query: Query, ref_id: str) -> dict[str, Any]:
    if isinstance(query, Elastic):
        return _elastic_target(query, ref_id)
    return {
        "refId": ref_id,
        "datasource": Source.PROMETHEUS.ref,
        "expr": query.expr,
        "legendFormat": query.legend,
        "format": "heatmap" if query.spread else "time_series",
        # Both or neither of instant and range would be answered with frames of mixed kind.
        "instant": query.instant,
        "range": not query.instant,
    }


def _elastic_target(query: Elastic, ref_id: str) -> dict[str, Any]:
    """Ids are strings and run on from the first metric ("1") through buckets and further metrics: none is given twice."""
    first, *others = query.metrics()
    numbered = [{**part, "id": str(number)} for number, part in enumerate([first, *query.buckets, *others], start=1)]
    behind = 1 + len(query.buckets)
    return {
        "refId": ref_id,
        "datasource": Source.ELASTICSEARCH.ref,
        "query": query.query,
        "timeField": "@timestamp",
        "alias": query.alias,
        "metrics": [numbered[0], *numbered[behind:]],
        "bucketAggs": numbered[1:behind],
    }
