"""`forecast`: when what is limited runs out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, opened, point, settings

if TYPE_CHECKING:
    from analytics.forecast import Forecast
    from analytics.pull_forecasts import Demand


def forecast(
    at: Annotated[str | None, typer.Option(metavar="TIME", help="As seen from then; now when left out.")] = None,
    pulls: Annotated[bool, typer.Option("--pulls", help="Where the pulls of each image are going instead.")] = False,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """When rate limits, quotas, storage, disks, certificates and tokens run out, with how sure that is."""
    from analytics.forecasts import forecasts
    from analytics.pull_forecasts import demand
    from regsight.terminal import write_json

    chosen = settings(config, store)
    now = point(at, "--at") or datetime.now(UTC)
    target = opened(config, store)
    try:
        if pulls:
            asked = demand(target, now)
            if json:
                for each in asked:
                    write_json(_demand_as_json(each))
            else:
                _demand_table(asked)
            return
        made = forecasts(target, chosen.analytics.limits, now)
    finally:
        target.close()
    if json:
        for one in made:
            write_json(one.as_json())
    else:
        _table(made)


def _table(made: list[Forecast]) -> None:
    from analytics.exhaustion import amount
    from regsight.terminal import write_table

    def day(moment: datetime | None) -> str:
        return f"{moment:%Y-%m-%d}" if moment else "never"

    def growth(one: Forecast) -> str:
        if one.per_day is None or one.unit == "days":
            return ""
        low, high = one.per_day_interval or (one.per_day, one.per_day)
        return f"{amount(one.per_day, one.unit)} ({amount(low, one.unit)} – {amount(high, one.unit)})"

    def end(one: Forecast) -> str:
        if one.exhausted_at is None:
            return ""
        ends = one.exhausted_interval
        between = f" ({day(ends[0])} – {day(ends[1])})" if ends and ends[0] != ends[1] else ""
        return f"{one.exhausted_at:%Y-%m-%d %H:%M}{between}"

    write_table(
        "",
        ("what", "now", "limit", "a day (90 %)", "runs out (UTC, 90 %)", "how"),
        (
            (
                one.subject,
                amount(one.now, one.unit),
                amount(one.limit, one.unit),
                growth(one),
                end(one),
                one.note or one.method,
            )
            for one in made
        ),
        empty="nothing is limited: set [[analytics.limits]]",
    )


def _demand_table(asked: list[Demand]) -> None:
    from regsight.terminal import write_table

    write_table(
        "",
        ("repository", "pulls a day, last week", "change a day (90 %)", "how"),
        (
            (
                one.repository,
                f"{one.pulls_a_day:,.1f}",
                f"{one.trend.slope:+,.2f} ({one.trend.low:+,.2f} – {one.trend.high:+,.2f})" if one.trend else "",
                one.trend.method if one.trend else "not enough data",
            )
            for one in asked
        ),
        empty="nothing was pulled in the last eight weeks",
    )


def _demand_as_json(one: Demand) -> dict[str, object]:
    trend = one.trend
    return {
        "repository": one.repository,
        "pulls_per_day": one.pulls_a_day,
        "change_per_day": trend.slope if trend else None,
        "change_per_day_interval": [trend.low, trend.high] if trend else None,
        "method": trend.method if trend else "",
        "note": "" if trend else "not enough data",
    }


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(forecast)
