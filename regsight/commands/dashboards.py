"""`dashboards`: Grafana boards and Prometheus rules, as files or straight into a Grafana."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import Json, UsageError

if TYPE_CHECKING:
    from dashboards.board import Source
    from dashboards.grafana_api import Grafana
    from dashboards.push import Change

TOKEN = "REGSIGHT_GRAFANA_TOKEN"  # noqa: S105 (the variable's name)

dashboards_app = typer.Typer(
    no_args_is_help=True, help="Grafana boards and Prometheus rules as code.", rich_markup_mode=None
)

PageUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Address of Regsight's page: panels lead to its events. Else to Grafana's Explore."
    ),
]
GrafanaUrl = Annotated[str, typer.Option("--url", metavar="URL", help="Grafana: https://grafana.example.org[/path].")]
TokenFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help=f"Holds a service account's token (default: {TOKEN} of the environment)."),
]
CaFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate authority of Grafana's server.")]
PrometheusUid = Annotated[
    str, typer.Option(metavar="UID", help="Data source there that holds the metrics; empty: leave its panels out.")
]
ElasticsearchUid = Annotated[
    str, typer.Option(metavar="UID", help="Data source there that holds the events; empty: leave its panels out.")
]
Folder = Annotated[str, typer.Option(metavar="UID", help="Folder there; made if it is missing.")]


@dashboards_app.command("build")
def build_dashboards(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    prometheus_url: Annotated[str, typer.Option(help="For the provisioned data source.")] = "http://localhost:9090",
    elasticsearch_url: Annotated[str | None, typer.Option(help="Leave out if there is no Elasticsearch.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the Elasticsearch indices.")] = "default",
    page_url: PageUrl = None,
    grafana_alerts: Annotated[
        bool,
        typer.Option("--grafana-alerts", help="Also write the alerts as Grafana's own rules, instead of Prometheus'."),
    ] = False,
) -> None:
    """Write Grafana boards, provisioning files, and Prometheus rules with their unit tests."""
    from dashboards.build import build
    from regsight.terminal import say

    written = build(
        out,
        elasticsearch=elasticsearch_url is not None,
        prometheus_url=prometheus_url,
        elasticsearch_url=elasticsearch_url or "http://localhost:9200",
        namespace=namespace,
        page_url=page_url,
        grafana_alerts=grafana_alerts,
    )
    for path in written:
        say(f"wrote {path}")


@dashboards_app.command("diff")
def diff_dashboards(
    url: GrafanaUrl,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    prometheus_uid: PrometheusUid = "regsight-prometheus",
    elasticsearch_uid: ElasticsearchUid = "regsight-elasticsearch",
    folder: Folder = "regsight",
    page_url: PageUrl = None,
    json: Json = False,
) -> None:
    """Show what a push would change in a Grafana; exit code 3 if it would change anything."""
    from dashboards.push import State, changes
    from regsight.terminal import say, write_json

    boards, _ = _boards(prometheus_uid, elasticsearch_uid, page_url)
    with _grafana(url, token_file, ca_file) as grafana:
        found = changes(grafana, boards, folder)
    if json:
        write_json({"boards": [_told(change) for change in found]})
    else:
        for change in found:
            say(f"{change.uid}: {change.state}")
            if change.state in (State.DIFFERENT, State.PROVISIONED):
                for line in change.lines():
                    typer.echo(line)
    if any(change.state is not State.SAME for change in found):
        raise typer.Exit(3)


@dashboards_app.command("push")
def push_dashboards(
    url: GrafanaUrl,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    prometheus_uid: PrometheusUid = "regsight-prometheus",
    elasticsearch_uid: ElasticsearchUid = "regsight-elasticsearch",
    folder: Folder = "regsight",
    page_url: PageUrl = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Bring the boards into a running Grafana, into a folder of their own; again, it changes nothing."""
    from dashboards.push import changes, missing_sources, push
    from regsight.terminal import say

    boards, uids = _boards(prometheus_uid, elasticsearch_uid, page_url)
    with _grafana(url, token_file, ca_file) as grafana:
        if missing := missing_sources(grafana, uids):
            raise UsageError(
                f"no data source {', '.join(missing)} in that Grafana: name its uid with --prometheus-uid,"
                " --elasticsearch-uid (empty leaves its panels out)"
            )
        planned = changes(grafana, boards, folder)
        if dry_run:
            for change in planned:
                say(f"{change.uid}: {change.state}")
            return
        for uid, state, version in push(grafana, planned):
            say(f"{uid}: {state}" + (f", now version {version}" if version else ""))


def _told(change: Change) -> dict[str, Any]:
    return {"uid": change.uid, "state": str(change.state), "folder": change.folder}


def _boards(
    prometheus_uid: str, elasticsearch_uid: str, page_url: str | None
) -> tuple[list[dict[str, Any]], dict[Source, str]]:
    """The boards for the data sources that are there, under the uids they have there."""
    from dashboards.board import Source
    from dashboards.build import rendered
    from dashboards.push import renamed_sources

    given = {Source.PROMETHEUS: prometheus_uid, Source.ELASTICSEARCH: elasticsearch_uid}
    uids = {source: uid for source, uid in given.items() if uid}
    if not uids:
        raise UsageError("without any data source there is no board to bring")
    return [renamed_sources(board, uids) for board in rendered(list(uids), page_url).values()], uids


@contextmanager
def _grafana(url: str, token_file: Path | None, ca_file: Path | None) -> Iterator[Grafana]:
    """A token on the command line would be seen by everybody on the machine, hence a file or the environment."""
    from dashboards.grafana_api import Grafana

    token = token_file.read_text(encoding="utf-8").strip() if token_file else os.environ.get(TOKEN, "").strip()
    if not token:
        raise UsageError(f"no token: --token-file FILE, or {TOKEN} in the environment")
    grafana = Grafana(url, token, ca_file)
    try:
        yield grafana
    finally:
        grafana.close()


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(dashboards_app, name="dashboards")
