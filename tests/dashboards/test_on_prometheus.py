"""Every PromQL of every board, asked of a real Prometheus that scrapes the real telemetry."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry, start_http_server
from servers import prometheus as server

from alerts.telemetry import AlertsTelemetry
from analytics.telemetry import AnalyticsTelemetry
from collector.telemetry import CollectorTelemetry
from dashboards.build import build
from dashboards.preview.asked import Span, promql_of
from store.contract import DeadLetter
from store.event import FIELDS, schema
from store.finding import Severity

pytestmark = pytest.mark.external_service

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HALF_A_MINUTE = Span(NOW - timedelta(seconds=30), NOW)


def event_table():
    """Four events: pulled, pushed, denied, failed in the server; and one of an audit log, which has no status."""
    rows = [
        {"registry": "hub", "action": action, "outcome": outcome, "client_class": client, "duration_ns": 7_000_000}
        | {"response_bytes": 4096, "request_bytes": 10, "status": status}
        for action, outcome, client, status in (
            ("pull", "success", "docker", 200),
            ("push", "success", "skopeo", 201),
            ("pull", "denied", "curl", 401),
            ("check", "failure", "containerd", 503),
        )
    ]
    rows.append({"registry": "hub", "action": "tag", "outcome": "success", "client_class": "other", "status": None})
    return pa.Table.from_pylist([{field.name: row.get(field.name) for field in FIELDS} for row in rows], schema())


class Traffic:
    """The three stages' telemetry, and some of everything that can happen."""

    def __init__(self, registry):
        self.collector = CollectorTelemetry(registry)
        self.analytics = AnalyticsTelemetry(registry)
        self.alerts = AlertsTelemetry(registry)
        self.events = event_table()

    def happen(self):
        dead = [DeadLetter(stream="s", offset=0, length=3, reason="not_json", line=b"\x00\x01\n")]
        self.collector.read("file", 1000, 4, 1, dead)
        self.collector.committed(self.events, 0.02)
        self.collector.commit_failed("unavailable")
        self.collector.source_failed("file")
        self.collector.dropped("syslog", "kernel")
        self.collector.gap("files", "truncated")
        self.collector.lag("file", 500, 12.0)
        self.collector.looks("file", "distribution", 0.1, 2, {"actor": 0.5, "client_ip": 0.1, "repository": 0.3})
        self.collector.request("/notifications", 200)
        self.collector.watermark("file", NOW.timestamp())
        self.analytics.found("credential_probe", Severity.HIGH)
        self.analytics.late(3)
        self.analytics.amended("changed")
        self.analytics.drift("isolation_forest", "pulls", 0.1)
        self.analytics.exhaustion("disk", 3.6e6)
        self.analytics.detection("credential_probe", 0.3)
        self.analytics.job("detect", "ok", NOW)
        self.analytics.job("report", "failed", NOW)
        self.alerts.sent("chat", timedelta(seconds=4), timedelta(seconds=70))
        self.alerts.retry("chat")
        self.alerts.failed("mail")
        self.alerts.pending(2)
        for step in ("detect", "notify", "acknowledge", "resolve"):
            self.alerts.incident(step, Severity.HIGH, 90.0)
        self.alerts.open_incidents({Severity.HIGH: 1})


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus with our rules that has seen all metrics rise over some scrapes."""
    folder = tmp_path_factory.mktemp("prometheus")
    build(folder / "built")
    registry = CollectorRegistry()
    traffic = Traffic(registry)
    traffic.happen()
    exporter, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        target = f"127.0.0.1:{exporter.server_port}"
        with server.running(folder, [target], sorted((folder / "built" / "rules").glob("*.yml"))) as running:
            deadline = time.monotonic() + 60
            rate = "rate(regsight_collector_events_total[5s]) > 0"
            while not (running.query(rate) and running.query('ALERTS{alertname="RegsightFindingHigh"}')):
                assert time.monotonic() < deadline, running.get("targets")
                traffic.happen()
                time.sleep(server.SCRAPE_SECONDS)
            yield running
    finally:
        exporter.shutdown()
        exporter.server_close()
        thread.join()


def resolved(expr):
    """As Grafana sends it: its own variables worked out for half a minute, all values of a list chosen."""
    chosen = {"price": "0.05", "registry": ".*", "source": ".*"}
    return promql_of(expr, HALF_A_MINUTE, chosen)


def expressions(boards):
    return [
        (board["title"], panel["title"], target)
        for board in boards.values()
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if target["datasource"]["type"] == "prometheus"
    ]


def test_every_expression_returns_series(prometheus, boards):
    """Each query of each panel is answered without an error, and with data, since everything has happened."""
    asked = expressions(boards)
    assert len(asked) > 80

    def empty() -> list[tuple[str, str, str]]:
        found = []
        for board, panel, target in asked:
            expr = resolved(target["expr"])
            series = prometheus.query(expr) if target["instant"] else prometheus.query_range(expr, 5, 0.5)
            if not series:
                found.append((board, panel, expr))
        return found

    # What is recorded out of recordings is there a few evaluations later than the rest.
    deadline = time.monotonic() + 60
    while missing := empty():
        assert time.monotonic() < deadline, missing
        time.sleep(1)


def test_legends_name_labels_that_the_answer_has(prometheus, boards):
    """`{{label}}` in a legend is a label of the series, or the legend would be empty."""
    for _, panel, target in expressions(boards):
        wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        for series in prometheus.query(resolved(target["expr"])):
            assert wanted <= set(series["metric"]), panel


def test_figures_are_right(prometheus, boards):
    """A chosen registry is counted, another is not; shares and quantiles have the values that happened."""
    by_title = {panel: target["expr"] for _, panel, target in expressions(boards)}
    events = by_title["Events"].replace("$__range", "30s")
    assert float(prometheus.query(events.replace("$registry", "hub|other"))[0]["value"][1]) > 0
    assert prometheus.query(events.replace("$registry", "other")) == []
    (share,) = prometheus.query(resolved(by_title["Share denied"]))
    assert float(share["value"][1]) == pytest.approx(0.2, abs=0.02)
    (answered,) = prometheus.query(resolved(by_title["Answered"]))  # of those with a status
    assert float(answered["value"][1]) == pytest.approx(0.75, abs=0.02)
    (left,) = prometheus.query(resolved(by_title["Error budget left"]))
    assert float(left["value"][1]) == pytest.approx(1 - 0.25 / 0.001, rel=0.1)
    (quick,) = prometheus.query(resolved(by_title["Manifests under a second"]))
    assert float(quick["value"][1]) == pytest.approx(1)
    (acknowledged,) = prometheus.query(resolved(by_title["Time to acknowledge (MTTA)"]))
    assert float(acknowledged["value"][1]) == pytest.approx(90)
    out, cost = (
        prometheus.query(resolved(by_title[title]))[0]["value"][1] for title in ("Out", "Cost of what went out")
    )
    assert float(cost) == pytest.approx(float(out) / 1e9 * 0.05, rel=0.2)
    quantile = prometheus.query(resolved(by_title["Request duration"]))
    assert 0.005 <= float(quantile[0]["value"][1]) <= 0.01
    ages = prometheus.query(resolved(by_title["Time since the last success"]))
    assert [series["metric"]["task"] for series in ages] == ["detect"]  # by our label, not that of the scrape


def test_lists_of_values_are_filled(prometheus, boards):
    """label_values (…) of every Prometheus list finds what was exported."""
    for board in boards.values():
        for variable in board["templating"]["list"]:
            if variable.get("datasource", {}).get("type") == "prometheus":
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]).groups()
                values = prometheus.get(f"label/{label}/values", **{"match[]": metric})
                assert values == [{"registry": "hub", "source": "file"}[variable["name"]]]


def test_rules_are_loaded_and_healthy(prometheus):
    """The server evaluates every rule without an error, and the alert about a grave finding fires."""
    deadline = time.monotonic() + 30
    while True:
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        if all(rule["health"] != "unknown" for rule in rules) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]
    firing = {
        alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"] if alert["state"] == "firing"
    }
    assert "RegsightFindingHigh" in firing
