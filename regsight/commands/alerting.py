"""`alerts`, `config`: who is told, and what is set."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, settings

alerts_app = typer.Typer(no_args_is_help=True, help="Who is told.", rich_markup_mode=None)
config_app = typer.Typer(no_args_is_help=True, help="The settings.", rich_markup_mode=None)


@alerts_app.command("test")
def test_alerts(config: ConfigFile = None, json: Json = False) -> None:
    """Send a sample finding to every channel. Exit code 1 if one of them failed."""
    from alerts.notify import send_test
    from regsight.terminal import say, write_json, write_table

    chosen = settings(config, None).alerts
    if not chosen.channels:
        say('no channel is set; add one to regsight.toml:\n[[alerts.channels]]\nname = "ops"\napprise = "mailto://…"')
        raise typer.Exit(2)
    results = send_test(chosen, datetime.now(UTC))
    if json:
        for name, error in results.items():
            write_json({"channel": name, "ok": error is None, "error": error})
    else:
        write_table("", ("channel", "result"), ((name, error or "sent") for name, error in results.items()))
    if any(results.values()):
        raise typer.Exit(1)


@config_app.command("check")
def check_config(config: ConfigFile = None) -> None:
    """Say whether the settings can be used; exit code 2 with file, line and the nearest valid key where not."""
    from regsight.app import chosen_detectors
    from regsight.terminal import say

    chosen = settings(config, None)
    chosen_detectors(chosen)
    say(f"the settings are good: {len(chosen.collector.sources)} sources, {len(chosen.alerts.channels)} alert channels")


@config_app.command("show")
def show_config(config: ConfigFile = None, store: StoreUrl = None, json: Json = False) -> None:
    """The settings in force, defaults included, secrets hidden."""
    from regsight.terminal import write_fields, write_json

    data = settings(config, store).model_dump(mode="json")
    if json:
        write_json(data)
        return
    flat: dict[str, object] = {}
    for section, values in data.items():
        for key, value in values.items():
            flat[f"{section}.{key}"] = value
    write_fields(flat)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(alerts_app, name="alerts")
    app.add_typer(config_app, name="config")
