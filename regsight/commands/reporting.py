"""`report`, `dashboards`: what people read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point

dashboards_app = typer.Typer(
    no_args_is_help=True, help="Grafana boards and Prometheus rules as code.", rich_markup_mode=None
)


def report(
    since: Since = None,
    until: Until = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The HTML file; the figures go to a .json beside it.")
    ] = Path("regsight-report.html"),
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Write one self-contained HTML file (no network, no script needed) and the same figures as JSON.

    Without --since: the last seven days of what is stored.
    """
    from analytics.reports.figures import figures
    from analytics.reports.write import write_report
    from regsight.terminal import say, write_json

    target = opened(config, store)
    span = target.span()
    if span is None:
        target.close()
        raise UsageError("the store holds no event yet: regsight collect FILE…")
    end = point(until, "--until") or span[1] + timedelta(microseconds=1)
    start = point(since, "--since") or max(span[0], end - timedelta(days=7))
    if json:
        write_json(figures(target, start, end))
    else:
        written = write_report(target, start, end, out, datetime.now(UTC))
        say(f"wrote {written} and {written.with_suffix('.json')}")
    target.close()


@dashboards_app.command("build")
def build_dashboards(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    prometheus_url: Annotated[str, typer.Option(help="For the provisioned data source.")] = "http://localhost:9090",
    elasticsearch_url: Annotated[str | None, typer.Option(help="Leave out if there is no Elasticsearch.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the Elasticsearch indices.")] = "default",
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
    )
    for path in written:
        say(f"wrote {path}")


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(report)
    app.add_typer(dashboards_app, name="dashboards")
