"""The files by which Grafana learns of data sources, boards and alert rules at its start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dashboards.board import Source
from dashboards.yaml_text import dump

GENERATED = "Written by `regsight dashboards build`: changes are lost with the next build."
FOLDER, FOLDER_UID = "Regsight", "regsight"


def provisioning(out: Path, urls: Mapping[Source, str], namespace: str) -> dict[str, str]:
    """Name → text of the files for data sources and boards, which lie in `out`."""
    data_sources = {"apiVersion": 1, "datasources": [_data_source(kind, url, namespace) for kind, url in urls.items()]}
    provider = {
        "name": "regsight",
        "orgId": 1,
        "type": "file",
        "folder": FOLDER,
        "folderUid": FOLDER_UID,
        "updateIntervalSeconds": 10,
        "allowUiUpdates": False,
        "options": {"path": _literal(str(out / "dashboards"))},
    }
    return {
        "provisioning/datasources/regsight.yml": dump(data_sources, GENERATED),
        "provisioning/dashboards/regsight.yml": dump({"apiVersion": 1, "providers": [provider]}, GENERATED),
    }


def _data_source(source: Source, url: str, namespace: str) -> dict[str, Any]:
    """The uid is fixed because every panel refers to it. A password in the URL is not written."""
    if source is Source.PROMETHEUS:
        particulars: dict[str, Any] = {"timeInterval": "15s", "httpMethod": "POST"}
    else:
        particulars = {
            "index": _literal(f"regsight-events-{namespace}"),
            "timeField": "@timestamp",
            "logMessageField": "url.original",
            "logLevelField": "event.outcome",
            "maxConcurrentShardRequests": 5,
        }
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    described: dict[str, Any] = {
        "name": f"Regsight {source.value.capitalize()}",
        "uid": source.uid,
        "type": source.value,
        "access": "proxy",
        "url": _literal(parts._replace(netloc=address).geturl()),
        "isDefault": False,
        "editable": False,
        "jsonData": particulars,
    }
    if parts.username:
        # A file that people copy around is no place for a password: Grafana takes it from its environment.
        password = "$REGSIGHT_ES_PASSWORD" if source is Source.ELASTICSEARCH else "$REGSIGHT_PROMETHEUS_PASSWORD"
        described |= {"basicAuth": True, "basicAuthUser": _literal(unquote(parts.username))}
        described["secureJsonData"] = {"basicAuthPassword": password}
    return described


def _literal(text: str) -> str:
    """Grafana expands `$X` in provisioning files from its environment."""
    return text.replace("$", "$$")


def alerting_file(boards: Mapping[str, dict[str, Any]], runbooks_url: str) -> dict[str, str]:
    """Name → text of the file of Grafana alert rules."""
    from dashboards.grafana_alerts import alerting

    text = dump(alerting(boards, runbooks_url), f"Instead of rules/regsight-alerts.yml, never besides it.\n{GENERATED}")
    return {"provisioning/alerting/regsight.yml": text}
