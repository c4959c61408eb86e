"""The questions of `store.contract.EventReader` as Elasticsearch aggregations, and their answers as columns.

No scripts: a server may not allow them. Boundaries of time have Elasticsearch's grain, a millisecond.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from store.contract import SUBJECTS, WINDOW_COUNTS, EventQuery, Voice
from store.event import BY_NAME, iso

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Up to so many distinct values a bucket's count is exact in practice, and how many buckets a page may then have: the
# server sets the memory aside beforehand, 8 bytes a value, for each distinct count of each bucket.
_MANY_SUBJECTS = {"precision": 3_000, "size": 500}
_FEW_SUBJECTS = {"precision": 40_000, "size": 50}
_FEW = ("registry_wide", "registry", "client_class")

_ACTIONS = {
    "pulls": "pull",
    "pushes": "push",
    "deletes": "delete",
    "checks": "check",
    "layer_downloads": "layer_download",
    "layer_uploads": "layer_upload",
    "logins": "login",
}
_DISTINCT = {
    "distinct_clients": "client_ip",
    "distinct_actors": "actor",
    "distinct_repositories": "repository",
    "distinct_digests": "digest",
}


def _ecs(name: str) -> str:
    return BY_NAME[name].ecs


def _is(name: str, *values: str) -> dict[str, Any]:
    return {"terms": {_ecs(name): list(values)}}


def _sum(name: str, *conditions: dict[str, Any], without: str | None = None) -> dict[str, Any]:
    chosen: dict[str, Any] = {"filter": list(conditions)}
    if without is not None:
        chosen["must_not"] = [{"exists": {"field": _ecs(without)}}]
    return {"filter": {"bool": chosen}, "aggs": {"sum": {"sum": {"field": _ecs(name)}}}}


# `store.sql.BYTES` without a script: one sum for each column that may give the number.
_BYTES = {
    "bytes_down": _sum("response_bytes", _is("action", "pull", "layer_download")),
    "bytes_up": _sum("request_bytes", _is("action", "push", "layer_upload")),
    "bytes_stored": _sum("size_bytes", _is("action", "push", "layer_upload"), without="request_bytes"),
}


def _bytes(bucket: Mapping[str, Any]) -> int:
    return sum(int(bucket[name]["sum"]["value"]) for name in _BYTES)


def floor(moment: datetime) -> datetime:
    """The millisecond in which Elasticsearch files a time."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def between(since: datetime | None, until: datetime | None) -> list[dict[str, Any]]:
    limits = {}
    if since is not None:
        limits["gte"] = iso(floor(since))
    if until is not None:
        limits["lt"] = iso(floor(until + _MILLISECOND - timedelta(microseconds=1)))
    return [{"range": {_ecs("timestamp"): limits}}] if limits else []


def filters(query: EventQuery) -> list[dict[str, Any]]:
    found = between(query.since, query.until)
    for name, wanted in (("action", query.action), ("outcome", query.outcome), ("reason", query.reason)):
        if wanted:
            found.append(_is(name, *(str(one) for one in wanted)))
    if query.ids:
        found.append(_is("event_id", *query.ids))
    if query.registry is not None:
        found.append(_is("registry", query.registry))
    named = {"actor": query.actor, "client_ip": query.client, "repository": query.repository}
    for name, pattern in (named | {"reference": query.reference, "digest": query.digest}).items():
        if pattern is None:
            continue
        if "*" in pattern or "?" in pattern:
            found.append({"wildcard": {_ecs(name): {"value": pattern.replace("\\", "\\\\")}}})
        else:
            found.append({"term": {_ecs(name): {"value": pattern}}})
    return found


def told_alone(numbered_by: Sequence[str], besides: Collection[Voice]) -> list[dict[str, Any]]:
    """Conditions of documents that hold no other rows than those: a document in which rows of several logs were joined says so by
    the confidence, or its rows have one number."""
    joined = {"exists": {"field": _ecs("join_confidence")}}
    found: list[dict[str, Any]] = []
    if numbered_by:
        number = {"prefix": {_ecs("event_id"): {"value": "r-"}}}
        found.append({"filter": [_is("dataset", *numbered_by), {"exists": {"field": _ecs("request_id")}}, number]})
    found += ({"filter": [_is("dataset", dataset), _is("channel", channel)]} for dataset, channel in besides)
    return [{"bool": one | {"must_not": [joined]}} for one in found]


def _by_window(width: timedelta) -> dict[str, Any]:
    interval = f"{width // _MILLISECOND}ms"
    return {"window": {"date_histogram": {"field": _ecs("timestamp"), "fixed_interval": interval}}}


def windows(since: datetime, until: datetime, width: timedelta, subject: str) -> dict[str, Any]:
    """A composite aggregation `groups`, one bucket for each subject and window."""
    column = SUBJECTS[subject]
    limits = _FEW_SUBJECTS if subject in _FEW else _MANY_SUBJECTS
    sources: list[dict[str, Any]] = []
    if column is not None:
        sources.append({"subject": {"terms": {"field": _ecs(column)}}})
    sources.append(_by_window(width))
    aggregations: dict[str, Any] = {name: {"filter": _is("action", action)} for name, action in _ACTIONS.items()}
    aggregations["denied"] = {
        "filter": _is("outcome", "denied"),
        "aggs": {"bad_credentials": {"filter": _is("reason", "bad_credentials")}},
    }
    aggregations["failures"] = {"filter": _is("outcome", "failure")}
    for name, field in _DISTINCT.items():
        aggregations[name] = {"cardinality": {"field": _ecs(field), "precision_threshold": limits["precision"]}}
    return _grouped(since, until, sources, aggregations | _BYTES, limits["size"])


def slices(since: datetime, until: datetime, width: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """[since, until) in pieces of whole windows, about a day each and not many more than a hundred.

    A composite aggregation goes through all matching events again for each page: pages of a day cost a day.
    """
    windows = max(timedelta(days=1), (until - since) / 100) // width + 1
    start = since
    while start < until:
        grid = (start - EPOCH) // width + windows
        end = min(EPOCH + grid * width, until) if grid * width < FOREVER - EPOCH else until
        yield start, end
        start = end


def window_columns(buckets: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, list[int]]]:
    """Subjects, and `window_us` with `WINDOW_COUNTS`."""
    subjects: list[str] = []
    columns: dict[str, list[int]] = {name: [] for name in ("window_us", *WINDOW_COUNTS)}
    for bucket in buckets:
        subjects.append(bucket["key"].get("subject", "*"))
        columns["window_us"].append(bucket["key"]["window"] * 1000)
        columns["requests"].append(bucket["doc_count"])
        for name in (*_ACTIONS, "denied", "failures"):
            columns[name].append(bucket[name]["doc_count"])
        columns["bad_credentials"].append(bucket["denied"]["bad_credentials"]["doc_count"])
        for name in _DISTINCT:
            columns[name].append(bucket[name]["value"])
        columns["bytes"].append(_bytes(bucket))
    return subjects, columns


def counts(since: datetime, until: datetime, by: Sequence[str], width: timedelta | None) -> dict[str, Any]:
    """A composite aggregation `groups`; with nothing to group by, the same figures as one bucket of their own."""
    sources: list[dict[str, Any]] = [
        {f"by_{place}": {"terms": {"field": _ecs(name), "missing_bucket": True}}} for place, name in enumerate(by)
    ]
    if width is not None:
        sources.append(_by_window(width))
    aggregations = _BYTES | {"duration": {"avg": {"field": _ecs("duration_ns")}}}
    return _grouped(since, until, sources, aggregations, 5_000)


def count_columns(buckets: Sequence[Mapping[str, Any]], by: Sequence[str], width: bool) -> dict[str, list[Any]]:
    """The columns of `EventReader.counts`, in its order."""
    keys = [[bucket["key"][f"by_{place}"] for place in range(len(by))] for bucket in buckets]
    starts = [bucket["key"]["window"] * 1000 if width else 0 for bucket in buckets]

    def order(row: int) -> tuple[Any, ...]:
        return starts[row], -buckets[row]["doc_count"], [(key is None, key or 0) for key in keys[row]]

    rows = sorted(range(len(buckets)), key=order)
    columns: dict[str, list[Any]] = {name: [keys[row][place] for row in rows] for place, name in enumerate(by)}
    if width:
        columns["window_start"] = [starts[row] for row in rows]
    columns["events"] = [buckets[row]["doc_count"] for row in rows]
    columns["bytes"] = [_bytes(buckets[row]) for row in rows]
    columns["duration_ns"] = [buckets[row]["duration"]["value"] for row in rows]
    return columns


def _grouped(
    since: datetime, until: datetime, sources: list[dict[str, Any]], aggregations: dict[str, Any], size: int
) -> dict[str, Any]:
    query = {"bool": {"filter": between(since, until)}}
    if not sources:
        return {"size": 0, "track_total_hits": True, "query": query, "aggs": aggregations}
    groups = {"composite": {"size": size, "sources": sources}, "aggs": aggregations}
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": {"groups": groups}}
