"""The alerts as rules of Grafana's own alerting, for those who have no Alertmanager: a file that Grafana reads at its start.

Each rule is a query, its last value, and a threshold. The expression is the Prometheus alert's: it has a series only while
something is wrong, so that "no data" is the good state and any value the bad one. They count on the recorded figures as the
Prometheus alerts do. Load one of the two, or everybody hears everything twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dashboards.board import Source
from dashboards.rule import Alert
from dashboards.rules import ALERTS

# Not the boards' folder: Grafana makes the folder of alerts by its title, under a uid of its own.
FOLDER, GROUP = "Regsight alerts", "regsight"
WINDOW_SECONDS = 600


def alerting(boards: Mapping[str, dict[str, Any]], runbooks_url: str) -> dict[str, Any]:
    """The file; `boards` (uid → dashboard) are those whose panels show an alert's figures."""
    rules = [_rule(alert, boards, runbooks_url) for alert in ALERTS]
    group = {"orgId": 1, "name": GROUP, "folder": FOLDER, "interval": "1m", "rules": rules}
    return {"apiVersion": 1, "groups": [group]}


def _rule(alert: Alert, boards: Mapping[str, dict[str, Any]], runbooks_url: str) -> dict[str, Any]:
    described: dict[str, str] = alert.as_rule(runbooks_url)["annotations"]
    # Grafana's `$value` is a sentence about all queries; the figure is in `$values`.
    annotations = {name: re.sub(r"\$value\b", "$values.B.Value", text) for name, text in described.items()}
    return {
        "uid": _uid(alert.name),
        "title": alert.name,
        "condition": "C",
        "for": "0s" if alert.lasting == "0m" else alert.lasting,
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": alert.severity},
        "annotations": annotations | _panel(alert, boards),
        "data": [_query(alert.expr), _expression("B", _LAST), _expression("C", _ANY)],
    }


_LAST = {"type": "reduce", "expression": "A", "reducer": "last"}
# Not above 0: where it is wrong that nothing happens, the value is 0.
_ANY = {"type": "threshold", "expression": "B", "conditions": [{"evaluator": {"type": "gt", "params": [-1]}}]}


def _query(expr: str) -> dict[str, Any]:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": WINDOW_SECONDS, "to": 0},
        "datasourceUid": Source.PROMETHEUS.uid,
        "model": {"refId": "A", "expr": expr, "instant": True, "range": False},
    }


def _expression(ref_id: str, model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "refId": ref_id,
        "relativeTimeRange": {"from": WINDOW_SECONDS, "to": 0},
        "datasourceUid": "__expr__",
        "model": {"refId": ref_id, **model},
    }


def _panel(alert: Alert, boards: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The pair of annotations that puts the alert's state on a panel; nothing where the panel is not built."""
    uid, title = alert.panel or ("", "")
    for panel in boards.get(uid, {}).get("panels", ()):
        if panel.get("title") == title and panel.get("type") != "row":
            return {"__dashboardUid__": uid, "__panelId__": str(panel["id"])}
    return {}


def _uid(name: str) -> str:
    """RegsightOutboxStuck → regsight-outbox-stuck."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
