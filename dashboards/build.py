"""Writes everything that Grafana and Prometheus need to know of Regsight into one folder.

    dashboards/*.json                   the boards
    provisioning/datasources/*.yml      the data sources under the uids that the boards refer to
    provisioning/dashboards/*.yml       tells Grafana where the boards lie
    rules/*.yml, rules/tests/*.yml      Prometheus rules and their unit tests (promtool test rules)
    runbooks/alerts.md                  what to do about each alert
    prometheus.yml                      an example of a scrape

The same arguments give the same bytes.
"""

from __future__ import annotations

import importlib
import json
import logging
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dashboards.board import Board, Source
from dashboards.rules import alert_rules, recording_rules, runbook
from dashboards.yaml_text import dump

_log = logging.getLogger(__name__)

_GENERATED = "Written by `regsight dashboards build`: changes are lost with the next build."


def boards() -> list[Board]:
    """The BOARD of every file in `boards/`, by uid."""
    import dashboards.boards as folder

    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    found: list[Board] = [importlib.import_module(f"{folder.__name__}.{name}").BOARD for name in names]
    return sorted(found, key=lambda board: board.uid)


def build(
    out: Path,
    *,
    prometheus: bool = True,
    elasticsearch: bool = True,
    prometheus_url: str = "http://localhost:9090",
    elasticsearch_url: str = "http://localhost:9200",
    namespace: str = "default",
    metrics_target: str = "localhost:8080",
    runbooks_url: str | None = None,
) -> list[Path]:
    """Write it all below `out` and return the files written.

    Panels and boards whose data source is absent are left out, which is logged (`left_out` gives the list). Files of an
    earlier build that are no longer written are removed, since Grafana would go on showing them.

    Args:
        metrics_target: host and port of Regsight's `/metrics`, for the example scrape.
        runbooks_url: where people find `runbooks/alerts.md`; None means the written file itself.
    """
    sources = [
        source for source, there in ((Source.PROMETHEUS, prometheus), (Source.ELASTICSEARCH, elasticsearch)) if there
    ]
    for what in left_out(sources):
        _log.warning("left out: no data source for it", extra={"left_out": what})
    out = out.resolve()
    texts = {f"dashboards/{uid}.json": text for uid, text in board_texts(sources).items()}
    if texts:
        urls = {Source.PROMETHEUS: prometheus_url, Source.ELASTICSEARCH: elasticsearch_url}
        texts |= _provisioning(out, {source: urls[source] for source in sources}, namespace)
    if prometheus:
        texts |= _rules(runbooks_url or (out / "runbooks" / "alerts.md").as_uri())
        texts["prometheus.yml"] = dump(_scrape(metrics_target), f"An example: take what you need.\n{_GENERATED}")
    return _write(out, texts)


def left_out(sources: list[Source]) -> list[str]:
    """Boards and panels that these data sources cannot fill, in words."""
    gone = []
    for board in boards():
        missing = [panel for panel in board.panels() if panel.source not in sources]
        if len(missing) == len(board.panels()):
            gone.append(f"board {board.title!r}")
        else:
            gone += [f"panel {panel.title!r} of board {board.title!r} ({panel.source})" for panel in missing]
    return gone


def board_texts(sources: list[Source]) -> dict[str, str]:
    """uid → JSON text of every board that at least one of these data sources can fill."""
    from dashboards.kit import render

    filled = [board for board in boards() if board.panels(sources)]
    linkable = [board.uid for board in filled]
    return {
        board.uid: json.dumps(render(board, sources, linkable), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for board in filled
    }


def _rules(runbooks_url: str) -> dict[str, str]:
    from dashboards.rule_tests import alert_tests

    return {
        "rules/regsight-recording.yml": dump(recording_rules(), _GENERATED),
        "rules/regsight-alerts.yml": dump(alert_rules(runbooks_url), _GENERATED),
        "rules/tests/regsight-alerts.yml": dump(alert_tests(runbooks_url), f"promtool test rules\n{_GENERATED}"),
        "runbooks/alerts.md": runbook(),
    }


def _provisioning(out: Path, urls: Mapping[Source, str], namespace: str) -> dict[str, str]:
    data_sources = {"apiVersion": 1, "datasources": [_data_source(kind, url, namespace) for kind, url in urls.items()]}
    provider = {
        "name": "regsight",
        "orgId": 1,
        "type": "file",
        "folder": "Regsight",
        "folderUid": "regsight",
        "updateIntervalSeconds": 10,
        "allowUiUpdates": False,
        "options": {"path": _literal(str(out / "dashboards"))},
    }
    return {
        "provisioning/datasources/regsight.yml": dump(data_sources, _GENERATED),
        "provisioning/dashboards/regsight.yml": dump({"apiVersion": 1, "providers": [provider]}, _GENERATED),
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


def _scrape(target: str) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "30s"},
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [{"job_name": "regsight", "static_configs": [{"targets": [target]}]}],
    }


def _write(out: Path, texts: Mapping[str, str]) -> list[Path]:
    written = []
    for name, text in sorted(texts.items()):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    for name in _ever_written() - set(texts):
        (out / name).unlink(missing_ok=True)
    return written


def _ever_written() -> set[str]:
    """Names of all files that a build with everything present writes."""
    rules = {"rules/regsight-recording.yml", "rules/regsight-alerts.yml", "rules/tests/regsight-alerts.yml"}
    provisioning = {f"provisioning/{kind}/regsight.yml" for kind in ("datasources", "dashboards")}
    return (
        rules
        | provisioning
        | {"prometheus.yml", "runbooks/alerts.md"}
        | {f"dashboards/{board.uid}.json" for board in boards()}
    )
