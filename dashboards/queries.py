"""Every question that the boards ask Prometheus, and those that the first boards ask Elasticsearch.

Repositories, actors and addresses are no metric labels (they have no bound), so rankings of them are asked of the event
store; the questions of the boards about them are in `dashboards.stored_queries`.
"""

from __future__ import annotations

from dashboards import slo
from dashboards.words import (
    EVENT_COUNT,
    FROM,
    HERE,
    OVER_TIME,
    Elastic,
    PromQL,
    add_up,
    by_task,
    increase,
    mean,
    newest,
    quantile,
    quantiles,
    rate,
    stored,
    top,
)

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
INCIDENTS_OPEN = PromQL(expr="max by (severity) (regsight_incidents_open)", legend="{{severity}}")
INCIDENTS_OPEN_NOW = PromQL(expr="sum(max by (severity) (regsight_incidents_open))", legend="open", instant=True)


def _step(name: str) -> PromQL:
    return PromQL(expr=mean(f"regsight_incident_{name}_seconds", "severity"), legend="{{severity}}", instant=True)


TIME_TO_DETECT, TIME_TO_NOTIFY = _step("detect"), _step("notify")
TIME_TO_ACKNOWLEDGE, TIME_TO_RESOLVE = _step("acknowledge"), _step("resolve")

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
GAPS = PromQL(
    expr=increase("regsight_collector_gaps_total", "source, kind", FROM), legend="{{source}} · {{kind}}", instant=True
)
DEAD_LETTERS = PromQL(
    expr=increase("regsight_collector_dead_letters_total", "source, reason", FROM),
    legend="{{source}} · {{reason}}",
    instant=True,
)
DEAD_LETTERS_IN_RANGE = PromQL(expr=increase("regsight_collector_dead_letters_total", where=FROM), instant=True)
DEAD_LETTERS_BY_REASON = PromQL(expr=rate("regsight_collector_dead_letters_total", "reason", FROM), legend="{{reason}}")
UNREAD_RATIO = PromQL(
    expr=f"max by (source, format) (regsight_collector_unread_ratio{{{FROM}}})", legend="{{source}} · {{format}}"
)
NEW_FIELDS = PromQL(
    expr=f"max by (source, format) (regsight_collector_new_fields{{{FROM}}}) > 0", legend="{{source}} · {{format}}"
)
NO_USER_OR_ADDRESS = PromQL(
    expr=f'max by (source, field) (regsight_collector_empty_ratio{{{FROM}, field=~"actor|client_ip|repository"}})',
    legend="{{source}} · {{field}}",
)
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
WATERMARK_AGE = PromQL(
    expr=f"time() - max by (source) (regsight_collector_watermark_timestamp_seconds{{{FROM}}})", legend="{{source}}"
)
LATE_ROWS = PromQL(expr=rate("regsight_analytics_late_rows_total"), legend="late rows")
AMENDED = PromQL(
    expr="sum by (change) (increase(regsight_analytics_amended_findings_total[$__range]))",
    legend="{{change}}",
    instant=True,
)
MODEL_DRIFT = PromQL(
    expr="max by (model, feature) (regsight_analytics_model_drift)", legend="{{model}} · {{feature}}", instant=True
)
EXHAUSTION = PromQL(expr="min by (limit) (regsight_analytics_exhaustion_seconds)", legend="{{limit}}", instant=True)

# -- Does a registry keep its promises? What burns is recorded ahead by the rules of `dashboards.slo`.

ANSWERS_BY_CLASS = PromQL(expr=rate(slo.ANSWERS, "status_class", HERE), legend="{{status_class}}")
FAILED_BY_ACTION = PromQL(expr=rate(EVENTS, "action", f'{HERE}, outcome="failure"'), legend="{{action}}")
DURATION_BY_REGISTRY = PromQL(expr=quantile(0.95, slo.DURATION, "registry", HERE), legend="{{registry}}")
MANIFEST_DURATION = quantiles(slo.DURATION, f"{HERE}, {slo.MANIFESTS}")
DURATION_SPREAD = PromQL(
    expr=rate(f"{slo.DURATION}_bucket", "le", f"{HERE}, {slo.MANIFESTS}"), legend="{{le}}", spread=True
)
AVAILABLE = PromQL(expr=f"1 - max({slo.chosen(slo.AVAILABILITY, HERE)})", legend="answered without a 5xx", instant=True)
QUICK_ENOUGH = PromQL(expr=f"1 - max({slo.chosen(slo.LATENCY, HERE)})", legend="under a second", instant=True)
AVAILABILITY_BUDGET = PromQL(
    expr=f"1 - max({slo.chosen(slo.AVAILABILITY, HERE)}) / {slo.AVAILABILITY.budget}", legend="left", instant=True
)
LATENCY_BUDGET = PromQL(
    expr=f"1 - max({slo.chosen(slo.LATENCY, HERE)}) / {slo.LATENCY.budget}", legend="left", instant=True
)


def _burn(promise: slo.Promise) -> tuple[PromQL, ...]:
    """Burn rates of every window, the worst of the chosen registries."""
    return tuple(
        PromQL(expr=f"max({promise.record(window)}{{{HERE}}}) / {promise.budget}", legend=window)
        for window in slo.WINDOWS
    )


AVAILABILITY_BURN = _burn(slo.AVAILABILITY)
LATENCY_BURN = _burn(slo.LATENCY)

# -- What moves, what it weighs

BYTES = "regsight_collector_event_bytes_total"
OUT, IN = 'action=~"pull|layer_download"', 'action=~"push|layer_upload"'
BYTES_OUT = PromQL(expr=increase(BYTES, where=f"{HERE}, {OUT}"), instant=True)
BYTES_IN = PromQL(expr=increase(BYTES, where=f"{HERE}, {IN}"), instant=True)
COST_OUT = PromQL(expr=f"{increase(BYTES, where=f'{HERE}, {OUT}')} / 1e9 * $price", instant=True)
BYTES_BY_REGISTRY = PromQL(expr=rate(BYTES, "registry", HERE), legend="{{registry}}")
GROWTH = PromQL(expr=f"sum by (registry) (increase({BYTES}{{{HERE}, {IN}}}[1d]))", legend="{{registry}}")
