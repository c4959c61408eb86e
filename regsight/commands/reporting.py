"""`report`, `costs`: what people read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.limits import Limit
    from store.contract import Store


class Kind(StrEnum):
    """Which report."""

    ANOMALY = "anomaly"
    AUDIT = "audit"


class Period(StrEnum):
    """The last whole one that is over."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Form(StrEnum):
    """A file of the report."""

    HTML = "html"
    JSON = "json"
    MARKDOWN = "md"
    PDF = "pdf"


def report(
    since: Since = None,
    until: Until = None,
    kind: Annotated[
        Kind, typer.Option(help="anomaly: what happened, for operators. audit: who had access to what, for auditors.")
    ] = Kind.ANOMALY,
    period: Annotated[
        Period | None, typer.Option(help="Instead of --since: the last day, week (from Monday) or month that is over.")
    ] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Instead of --since: this month.")] = None,
    format: Annotated[
        list[Form] | None, typer.Option(help="Files to write; several times. html and json when left out.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The HTML file; other formats go beside it (default: regsight-report.html)."),
    ] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Write one self-contained HTML file (no network, no script needed) and the same figures as JSON, Markdown or PDF.

    Without --since: the last seven days of what is stored; for the auditor's report the last month that is over.
    """
    from analytics.forecasts import forecasts
    from analytics.reports.audit import audit
    from analytics.reports.figures import figures
    from regsight.terminal import write_json

    limits = settings(config, store).analytics.limits
    target = opened(config, store)
    try:
        start, end = _span(target, kind, since, until, period, month)
        if json:
            write_json(
                audit(target, start, end)
                if kind is Kind.AUDIT
                else figures(target, start, end, forecasts(target, limits, min(datetime.now(UTC), end)))
            )
        else:
            _write(target, kind, start, end, out, format or [], limits)
    finally:
        target.close()


def _write(
    target: Store,
    kind: Kind,
    start: datetime,
    end: datetime,
    out: Path | None,
    wanted: list[Form],
    limits: Sequence[Limit],
) -> None:
    from analytics.reports.pdf import NoPdf
    from analytics.reports.write import USUAL_FORMATS, write_audit, write_report
    from regsight.terminal import say

    formats = [str(one) for one in wanted] or list(USUAL_FORMATS)
    now = datetime.now(UTC)
    try:
        if kind is Kind.AUDIT:
            written = write_audit(target, start, end, out or Path("regsight-audit.html"), now, formats)
        else:
            written = write_report(target, start, end, out or Path("regsight-report.html"), now, formats, limits)
    except (NoPdf, ValueError) as error:
        raise UsageError(str(error)) from None
    say("wrote " + " and ".join(str(written if one == "html" else written.with_suffix(f".{one}")) for one in formats))


def _span(
    target: Store, kind: Kind, since: str | None, until: str | None, period: Period | None, month: str | None
) -> tuple[datetime, datetime]:
    from regsight.periods import last_period, month_of

    if sum(one is not None for one in (since or until, period, month)) > 1:
        raise UsageError("give one of --since/--until, --period and --month")
    stored = target.span()
    if stored is None:
        raise UsageError("the store holds no event yet: regsight collect FILE…")
    if month is not None:
        try:
            return month_of(month)
        except ValueError as error:
            raise UsageError(f"--month: {error}") from None
    if period is None and since is None and until is None and kind is Kind.AUDIT:
        period = Period.MONTH
    if period is not None:
        return last_period(str(period), datetime.now(UTC))
    end = point(until, "--until") or stored[1] + timedelta(microseconds=1)
    start = point(since, "--since") or max(stored[0], end - timedelta(days=7))
    if start >= end:
        raise UsageError(f"{start:%Y-%m-%d %H:%M} is not before {end:%Y-%m-%d %H:%M} UTC: see --since and --until")
    return start, end


def costs(
    since: Since = None,
    until: Until = None,
    price_per_gib: Annotated[
        float | None, typer.Option(min=0, help="Price of a GiB to public addresses, in your currency.")
    ] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """What distribution costs and could save: bytes per project and network, repeated downloads, the share that a
    pull-through cache would have served.

    Without --since: the last seven days of what is stored.
    """
    from analytics.reports.costs import costs as costs_of
    from analytics.reports.figures import TOP
    from regsight.terminal import write_json
    from store.event import iso

    target = opened(config, store)
    try:
        start, end = _span(target, Kind.ANOMALY, since, until, None, None)
        found = costs_of(target, start, end, TOP, price_per_gib)
    finally:
        target.close()
    if json:
        write_json({"since": iso(start), "until": iso(end), **found})
    else:
        _show_costs(f"{iso(start)} – {iso(end)}", found)


def _show_costs(span: str, found: dict[str, Any]) -> None:
    from analytics.reports.shown import number, percent, size
    from regsight.terminal import write_fields, write_table

    near, there, price = found["in_the_network"], found["at_the_client"], found["outside_cost"]
    outside = f"{number(found['outside_downloads'])} downloads, {size(found['outside_bytes'])}"
    write_fields(
        {
            "from – to": span,
            "downloads of layers": f"{number(found['layer_downloads'])}, {size(found['layer_bytes'])}",
            "a cache in each network": f"would serve {percent(near['share'])} of the bytes, {size(near['saved_bytes'])}",
            "a cache at each client": f"would serve {percent(there['share'])} of the bytes, {size(there['saved_bytes'])}",
            "to public addresses": outside + (f", {price:,.2f} in all" if price is not None else ""),
            "no address or digest": f"{size(found['unnamed_bytes'])}, in neither share",
            "sent on to object stores": f"{number(found['redirects'])} downloads, whose bytes the log does not tell",
        }
    )
    write_table(
        "\nnetworks (/24 and /64), by what a cache that begins empty and is never full would save",
        ("network", "addresses", "downloads", "bytes", "saved", "share"),
        (
            (
                row["network"],
                row["addresses"],
                row["downloads"],
                size(row["bytes"]),
                size(row["saved_bytes"]),
                percent(row["share"]),
            )
            for row in found["networks"]["rows"]
        ),
        empty="no download of a layer names both address and digest",
    )
    write_table(
        "\nprojects",
        ("project", "sent", "of it to public addresses", "received"),
        (
            (row["name"], size(row["down_bytes"]), size(row["outside_bytes"]), size(row["up_bytes"]))
            for row in found["projects"]["rows"]
        ),
        empty="no bytes moved",
    )


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(report)
    app.command()(costs)
