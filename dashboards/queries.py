"""Every question the boards ask, by name: PromQL for what is counted at the door, Elasticsearch for who and what.

Repositories, actors and addresses are no metric labels (they have no bound), so rankings of them are asked of the event
store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PromQL:
    """One expression. `instant` asks only for the values at the end of the chosen time: single figures, rankings."""

    expr: str
    legend: str = "__auto"
    instant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Elastic:
    """One search: Lucene text, one metric, and the buckets around it from the outermost in.

    `metric` and each bucket are as Grafana writes them, without ids: those are dealt out by `dashboards.kit`, because
    equal ids make Grafana show one metric's values as another's, without an error.
    """

    query: str
    metric: dict[str, Any]
    buckets: tuple[dict[str, Any], ...] = field(default_factory=tuple)


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


EVENTS = "regsight_collector_events_total"
DENIED = f'{HERE}, outcome="denied"'

# -- Traffic

EVENTS_IN_RANGE = PromQL(expr=increase(EVENTS, where=HERE), instant=True)
EVENTS_BY_ACTION = PromQL(expr=rate(EVENTS, "action", HERE), legend="{{action}}")
EVENTS_BY_OUTCOME = PromQL(expr=rate(EVENTS, "outcome", HERE), legend="{{outcome}}")
EVENTS_BY_CLIENT_CLASS = PromQL(expr=rate(EVENTS, "client_class", HERE), legend="{{client_class}}")
TOP_REGISTRIES = PromQL(expr=f"topk(10, {increase(EVENTS, 'registry', HERE)})", legend="{{registry}}", instant=True)
PULLS = PromQL(expr=rate(EVENTS, where=f'{HERE}, action="pull"'), legend="pulls")
PUSHES = PromQL(expr=rate(EVENTS, where=f'{HERE}, action="push"'), legend="pushes")
PULLS_IN_RANGE = PromQL(expr=increase(EVENTS, where=f'{HERE}, action="pull"'), instant=True)
PUSHES_IN_RANGE = PromQL(expr=increase(EVENTS, where=f'{HERE}, action="push"'), instant=True)
BYTES_IN_RANGE = PromQL(expr=increase("regsight_collector_event_bytes_total", where=HERE), instant=True)
BYTES_BY_ACTION = PromQL(expr=rate("regsight_collector_event_bytes_total", "action", HERE), legend="{{action}}")
REQUEST_DURATION = quantiles("regsight_collector_request_duration_seconds", HERE)
SLOW_REQUESTS_BY_ACTION = PromQL(
    expr=quantile(0.95, "regsight_collector_request_duration_seconds", "action", HERE), legend="{{action}}"
)
STORED_BY_ACTION = Elastic(query=stored(), metric=EVENT_COUNT, buckets=(top("action"), OVER_TIME))
TOP_REPOSITORIES = Elastic(query=stored(), metric=EVENT_COUNT, buckets=(top("oci.repository"),))
TOP_ACTORS = Elastic(query=stored(), metric=EVENT_COUNT, buckets=(top("user.name"),))
TOP_ACTIONS = Elastic(query=stored(), metric=EVENT_COUNT, buckets=(top("action", 25),))
TOP_DOWNLOADS = Elastic(
    query=stored("action:(pull OR layer_download)"),
    metric=add_up("http.response.body.bytes"),
    buckets=(top("oci.repository", order_by="1"),),
)

# -- Who was refused, what was found, who was told

DENIED_IN_RANGE = PromQL(expr=increase(EVENTS, where=DENIED), instant=True)
DENIED_BY_ACTION = PromQL(expr=rate(EVENTS, "action", DENIED), legend="{{action}}")
DENIED_BY_CLIENT_CLASS = PromQL(expr=rate(EVENTS, "client_class", DENIED), legend="{{client_class}}")
DENIED_SHARE = PromQL(
    expr=f"{rate(EVENTS, 'registry', DENIED)} / {rate(EVENTS, 'registry', HERE)}", legend="{{registry}}"
)
BAD_CREDENTIALS_BY_CLIENT = Elastic(
    query=stored("event.reason:bad_credentials"), metric=EVENT_COUNT, buckets=(top("source.ip", 5), OVER_TIME)
)
BAD_CREDENTIALS_BY_ACTOR = Elastic(
    query=stored("event.reason:bad_credentials"), metric=EVENT_COUNT, buckets=(top("user.name"),)
)
DENIED_REASONS = Elastic(
    query=stored("event.outcome:denied"), metric=EVENT_COUNT, buckets=(top("event.reason"), OVER_TIME)
)
DENIED_REPOSITORIES = Elastic(
    query=stored("event.outcome:denied"), metric=EVENT_COUNT, buckets=(top("oci.repository"),)
)
DENIED_EVENTS = Elastic(query=stored("event.outcome:denied"), metric=newest())

FINDINGS = "regsight_analytics_findings_total"
FINDINGS_IN_RANGE = PromQL(expr=increase(FINDINGS), instant=True)
FINDINGS_BY_SEVERITY = PromQL(expr=increase(FINDINGS, "severity"), legend="{{severity}}", instant=True)
FINDINGS_BY_DETECTOR = PromQL(expr=increase(FINDINGS, "detector"), legend="{{detector}}", instant=True)
OUTBOX_PENDING = PromQL(expr="sum(regsight_alerts_outbox_pending)", legend="waiting")
DELIVERIES = PromQL(expr=rate("regsight_alerts_deliveries_total", "channel, result"), legend="{{channel}} · {{result}}")
DETECT_TO_NOTIFY = quantiles("regsight_alerts_detect_to_notify_seconds")
EVENT_TO_NOTIFY = quantiles("regsight_alerts_event_to_notify_seconds")

# -- Is Regsight itself well?

LAG_BYTES = PromQL(expr=f"max by (source) (regsight_collector_lag_bytes{{{FROM}}})", legend="{{source}}")
LAG_SECONDS = PromQL(expr=f"max by (source) (regsight_collector_lag_seconds{{{FROM}}})", legend="{{source}}")
WORST_LAG = PromQL(expr=f"max(regsight_collector_lag_seconds{{{FROM}}})", instant=True)
LINES_BY_RESULT = PromQL(expr=rate("regsight_collector_lines_total", "result", FROM), legend="{{result}}")
READ_BYTES = PromQL(expr=rate("regsight_collector_read_bytes_total", "source", FROM), legend="{{source}}")
SOURCE_FAILURES = PromQL(
    expr=increase("regsight_collector_source_failures_total", "source", FROM), legend="{{source}}", instant=True
)
SYSLOG_DROPPED = PromQL(
    expr=increase("regsight_collector_syslog_dropped_total", "source, reason", FROM),
    legend="{{source}} · {{reason}}",
    instant=True,
)
DEAD_LETTERS = PromQL(
    expr=increase("regsight_collector_dead_letters_total", "source, reason", FROM),
    legend="{{source}} · {{reason}}",
    instant=True,
)
DEAD_LETTERS_IN_RANGE = PromQL(expr=increase("regsight_collector_dead_letters_total", where=FROM), instant=True)
DEAD_LETTERS_BY_REASON = PromQL(expr=rate("regsight_collector_dead_letters_total", "reason", FROM), legend="{{reason}}")
COMMITS = PromQL(expr=rate("regsight_collector_commits_total", "result"), legend="{{result}}")
COMMIT_DURATION = quantiles("regsight_collector_commit_duration_seconds")
BATCH_ROWS = quantiles("regsight_collector_batch_rows")
BATCHES = PromQL(expr=rate("regsight_collector_batches_total"), legend="batches")
STORE_ERRORS = PromQL(expr=rate("regsight_collector_store_errors_total", "kind"), legend="{{kind}}")
RECEIVER_REQUESTS = PromQL(
    expr=rate("regsight_collector_receiver_requests_total", "endpoint, status_class"),
    legend="{{endpoint}} · {{status_class}}",
)
LAST_SUCCESS = "regsight_analytics_job_last_success_timestamp_seconds"
JOB_LAST_SUCCESS_AGE = PromQL(
    expr=f"time() - max by (task) ({by_task(f'{LAST_SUCCESS} > 0')})", legend="{{task}}", instant=True
)
JOB_RUNS = PromQL(
    expr=f"sum by (task, state) ({by_task('increase(regsight_analytics_job_runs_total[$__range])')})",
    legend="{{task}} · {{state}}",
    instant=True,
)
DETECTION_DURATION = PromQL(
    expr=quantile(0.95, "regsight_analytics_detection_duration_seconds", "detector"), legend="{{detector}}"
)


def named() -> dict[str, PromQL | Elastic]:
    """Every query of this file by its name; a quantile of several goes by name and legend."""
    found: dict[str, PromQL | Elastic] = {}
    for name, value in globals().items():
        if isinstance(value, PromQL | Elastic):
            found[name] = value
        elif isinstance(value, tuple) and value and all(isinstance(part, PromQL) for part in value):
            found |= {f"{name}.{part.legend}": part for part in value}
    return found
