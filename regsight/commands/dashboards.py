"""`dashboards`: Grafana boards and Prometheus rules, as files or straight into a Grafana."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import Json, UsageError

if TYPE_CHECKING:
    from dashboards.board import Source
    from dashboards.grafana_api import Grafana
    from dashboards.preview.asked import Span
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


@dashboards_app.command("preview")
def preview_dashboards(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    prometheus_url: Annotated[
        str | None, typer.Option(metavar="URL", help="http(s)://[user@]host:9090; leave out if there is none.")
    ] = None,
    elasticsearch_url: Annotated[
        str | None, typer.Option(metavar="URL", help="http(s)://[user@]host:9200; leave out if there is none.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the Elasticsearch indices.")] = "default",
    board: Annotated[
        list[str] | None, typer.Option("--board", metavar="NAME", help="Only this one (overview); may be repeated.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="From here on: 24h, 2026-11-24 … (default: the board's)."),
    ] = None,
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Up to here.")] = "now",
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=VALUE", help="A variable's value instead of its default; may be repeated."),
    ] = None,
    ca_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate authority of the servers.")] = None,
) -> None:
    """Draw the boards as plain pages, with what the data sources say now: a look without a Grafana."""
    from contextlib import closing, nullcontext

    from dashboards.board import Source
    from dashboards.build import left_out
    from dashboards.preview import pages
    from dashboards.preview.servers import Elasticsearch, Prometheus
    from regsight.terminal import say
    from store.errors import Rejected

    urls = {Source.PROMETHEUS: prometheus_url, Source.ELASTICSEARCH: elasticsearch_url}
    sources = [source for source, url in urls.items() if url]
    if not sources:
        raise UsageError("name --prometheus-url, --elasticsearch-url, or both: there is nothing to ask")
    boards = _named_boards(sources, board or [])
    given = _given(boards.values(), var or [])
    try:
        prometheus = Prometheus(prometheus_url, ca_file) if prometheus_url else None
        elasticsearch = Elasticsearch(elasticsearch_url, namespace, ca_file) if elasticsearch_url else None
    except Rejected as error:
        raise UsageError(str(error)) from None
    with (
        closing(prometheus) if prometheus else nullcontext(),
        closing(elasticsearch) if elasticsearch else nullcontext(),
    ):
        written = pages.write(
            out,
            boards,
            prometheus=prometheus,
            elasticsearch=elasticsearch,
            span_of=_span_of(since, until),
            given=given,
            left_out=left_out(sources) if not board else (),
        )
    for path in written:
        say(f"wrote {path}")


def _named_boards(sources: list[Source], names: list[str]) -> dict[str, dict[str, Any]]:
    """uid → board; `names` are uids, with or without what they all begin with."""
    from dashboards.build import rendered

    boards = rendered(sources)
    wanted = [name if name in boards else f"regsight-{name}" for name in names]
    for name, uid in zip(names, wanted, strict=True):
        if uid not in boards:
            known = ", ".join(uid.removeprefix("regsight-") for uid in boards)
            raise UsageError(f"--board {name}: with these data sources there are {known}")
    return {uid: body for uid, body in boards.items() if not names or uid in wanted}


def _given(boards: Iterable[dict[str, Any]], pairs: list[str]) -> dict[str, str]:
    """NAME=VALUE of variables that at least one of the boards has."""
    known = {variable["name"] for body in boards for variable in body["templating"]["list"]}
    given = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or name not in known:
            raise UsageError(f"--var {pair}: write NAME=VALUE; the boards have {', '.join(sorted(known))}")
        given[name] = value
    return given


def _span_of(since: str | None, until: str) -> Callable[[Mapping[str, Any]], Span]:
    """What a board shows: the span that was asked for, or as much time as it shows at first."""
    from dashboards.preview.asked import Span
    from regsight.commands.options import point
    from store.durations import duration

    end = point(until, "--to")
    start = point(since, "--from")
    assert end is not None
    if start is not None and start >= end:
        raise UsageError("--from lies behind --to")

    def span(board: Mapping[str, Any]) -> Span:
        return Span(start or end - duration(board["time"]["from"].removeprefix("now-")), end)

    return span


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
