"""Writes everything that Grafana and Prometheus need to know of Regsight into one folder.

    dashboards/*.json                   the boards
    provisioning/datasources/*.yml      the data sources under the uids that the boards refer to
    provisioning/dashboards/*.yml       tells Grafana where the boards lie
    provisioning/alerting/*.yml         the alerts as Grafana's own rules, if asked for
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

from dashboards.board import Board, Source
from dashboards.provisioning import GENERATED, alerting_file, provisioning
from dashboards.rules import alert_rules, recording_rules, runbook
from dashboards.yaml_text import dump

_log = logging.getLogger(__name__)


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
    page_url: str | None = None,
    grafana_alerts: bool = False,
) -> list[Path]:
    """Write it all below `out` and return the files written.

    Panels and boards whose data source is absent are left out, which is logged (`left_out` gives the list). Files of an
    earlier build that are no longer written are removed, since Grafana would go on showing them.

    Args:
        metrics_target: host and port of Regsight's `/metrics`, for the example scrape.
        runbooks_url: where people find `runbooks/alerts.md`; None means the written file itself.
        page_url: address of Regsight's page, where the panels' links to events lead; None: Grafana's Explore.
        grafana_alerts: also the alerts as Grafana's own rules, for those who load no alert rules into Prometheus.
    """
    sources = [
        source for source, there in ((Source.PROMETHEUS, prometheus), (Source.ELASTICSEARCH, elasticsearch)) if there
    ]
    for what in left_out(sources):
        _log.warning("left out: no data source for it", extra={"left_out": what})
    out = out.resolve()
    texts = {f"dashboards/{uid}.json": text for uid, text in board_texts(sources, page_url).items()}
    if texts:
        urls = {Source.PROMETHEUS: prometheus_url, Source.ELASTICSEARCH: elasticsearch_url}
        texts |= provisioning(out, {source: urls[source] for source in sources}, namespace)
    if prometheus:
        runbooks_url = runbooks_url or (out / "runbooks" / "alerts.md").as_uri()
        texts |= _rules(runbooks_url)
        if grafana_alerts:
            texts |= alerting_file(rendered(sources, page_url), runbooks_url)
        texts["prometheus.yml"] = dump(_scrape(metrics_target), f"An example: take what you need.\n{GENERATED}")
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


def rendered(sources: list[Source], page_url: str | None = None) -> dict[str, dict[str, Any]]:
    """uid → every board that at least one of these data sources can fill, as Grafana reads it."""
    from dashboards.layout import render
    from dashboards.links import Ways

    filled = [board for board in boards() if board.panels(sources)]
    ways = Ways.of((board.uid for board in filled), sources, page_url)
    return {board.uid: render(board, ways) for board in filled}


def board_texts(sources: list[Source], page_url: str | None = None) -> dict[str, str]:
    """The same as JSON text."""
    return {
        uid: json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for uid, board in rendered(sources, page_url).items()
    }


def _rules(runbooks_url: str) -> dict[str, str]:
    from dashboards.rule_tests import alert_tests

    return {
        "rules/regsight-recording.yml": dump(recording_rules(), GENERATED),
        "rules/regsight-alerts.yml": dump(alert_rules(runbooks_url), GENERATED),
        "runbooks/alerts.md": runbook(),
    } | {
        f"rules/tests/{name}.yml": dump(tests, f"promtool test rules\n{GENERATED}")
        for name, tests in alert_tests(runbooks_url).items()
    }


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
    """Names of all files that a build with everything present writes, and that earlier releases wrote."""
    from dashboards.rule_cases import STEPS

    rules = {"rules/regsight-recording.yml", "rules/regsight-alerts.yml", *(f"rules/tests/{one}.yml" for one in STEPS)}
    files = {f"provisioning/{kind}/regsight.yml" for kind in ("datasources", "dashboards", "alerting")}
    more = {"prometheus.yml", "runbooks/alerts.md"}
    return rules | files | more | {f"dashboards/{board.uid}.json" for board in boards()}
