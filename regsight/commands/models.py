"""`models`: what was learned, what is in service, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, UsageError, opened

if TYPE_CHECKING:
    from analytics.models.shelf import Version

models_app = typer.Typer(
    no_args_is_help=True, help="What was learned, what is in service, and why.", rich_markup_mode=None
)


@models_app.command("list")
def list_models(store: StoreUrl = None, config: ConfigFile = None, json: Json = False) -> None:
    """Every training, oldest first: what it saw, whether it took over, and why."""
    from analytics.models.shelf import Shelf
    from analytics.models.training import NAME
    from regsight.terminal import write_json, write_table

    target = opened(config, store)
    found = Shelf(target, NAME).versions()
    target.close()
    if json:
        for version in found:
            write_json(version.as_json())
        return
    write_table(
        "",
        ("model", "version", "learned (UTC)", "rows", "served", "why"),
        (
            (v.name, v.version, f"{v.since:%Y-%m-%d} – {v.until:%Y-%m-%d}", f"{v.rows:,}", _served(v), v.reason)
            for v in found
        ),
        empty="nothing was trained yet: a forest is fitted each day; `regsight models retrain`, or wait for the timetable",
    )


@models_app.command("show")
def show_model(
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="The one in service when left out.")] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """One training: its data, its figures in comparison, whether its file is whole, and how far the last week has drifted."""
    from analytics.models.drift import SPAN, drift_of
    from analytics.models.forest import WrongFile
    from analytics.models.shelf import Shelf
    from analytics.models.training import NAME
    from analytics.windows import actor_hours
    from regsight.terminal import write_fields, write_json

    now = datetime.now(UTC)
    target = opened(config, store)
    try:
        shelf = Shelf(target, NAME)
        versions = shelf.versions()
        chosen = next((v for v in versions if v.version == version), None) if version else shelf.serving(now)
        if chosen is None:
            raise UsageError("no such model in service: `regsight models list` shows those there are")
        try:
            shelf.load(chosen)
            file = "whole"
        except WrongFile as error:
            file = str(error)
        features = actor_hours(target, now - SPAN, now)
        drift = drift_of(chosen, features) if len(features) else {}
    finally:
        target.close()
    if json:
        write_json(chosen.as_json() | {"file": file, "drift": drift})
        return
    write_fields(
        {
            "model": f"{chosen.name} {chosen.version}",
            "learned": f"{chosen.since:%Y-%m-%d} – {chosen.until:%Y-%m-%d}, {chosen.rows:,} hours of accounts",
            "fingerprint": chosen.fingerprint,
            "sha256": chosen.sha256,
            "file": file,
            "served": _served(chosen),
            "why": chosen.reason,
            **{f"figure {name}": value for name, value in chosen.figures.items()},
            "drift": ", ".join(f"{name} {index:.2f}" for name, index in drift.items()) or "nothing in the last week",
        }
    )


@models_app.command("retrain")
def retrain_model(store: StoreUrl = None, config: ConfigFile = None, json: Json = False) -> None:
    """Train now and compare. The new one takes over from the next midnight on (UTC) if it is fit for it."""
    from analytics.models.training import retrain
    from regsight.terminal import say, write_json

    target = opened(config, store)
    try:
        done = retrain(target, datetime.now(UTC))
    finally:
        target.close()
    if json:
        shown = done.version.as_json() if done.version else None
        write_json({"took_over": done.took_over, "reason": done.reason, "version": shown})
        return
    say(f"{'takes over' if done.took_over else 'does not take over'}: {done.reason}")


def _served(version: Version) -> str:
    if version.serves_from is None:
        return "never"
    end = f"{version.serves_until:%Y-%m-%d}" if version.serves_until else "on"
    return f"{version.serves_from:%Y-%m-%d} – {end}"


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(models_app, name="models")
