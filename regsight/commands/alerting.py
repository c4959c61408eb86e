"""`alerts`, `config`: who is told, and what is set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, UsageError, opened, settings

alerts_app = typer.Typer(no_args_is_help=True, help="Who is told.", rich_markup_mode=None)
config_app = typer.Typer(no_args_is_help=True, help="The settings.", rich_markup_mode=None)


@alerts_app.command("test")
def test_alerts(config: ConfigFile = None, json: Json = False) -> None:
    """Send a sample finding to every channel. Exit code 1 if one of them failed."""
    from alerts.errors import AlertsError
    from alerts.notify import send_test
    from regsight.terminal import say, write_json, write_table

    chosen = settings(config, None).alerts
    if not chosen.channels:
        say('no channel is set; add one to regsight.toml:\n[[alerts.channels]]\nname = "ops"\napprise = "mailto://…"')
        raise typer.Exit(2)
    results = send_test(chosen, datetime.now(UTC))
    try:
        chosen.ack_secret()
    except AlertsError as unusable:
        results["links that acknowledge"] = str(unusable)
    if json:
        for name, error in results.items():
            write_json({"channel": name, "ok": error is None, "error": error})
    else:
        write_table("", ("channel", "result"), ((name, error or "sent") for name, error in results.items()))
    if any(results.values()):
        raise typer.Exit(1)


@alerts_app.command("explain")
def explain_alerts(
    id: Annotated[str, typer.Argument(metavar="ID", help="Of a finding, or of an incident for all its findings.")],
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Why it was or was not sent, to whom, when; and what is still to come."""
    from alerts.explain import explain
    from regsight.terminal import write_fields, write_json, write_table
    from store.event import iso

    target = opened(config, store)
    incident, finding = target.incident(id), target.finding(id)
    if incident is None and finding is None:
        target.close()
        raise UsageError(f"no finding or incident {id!r}: see `regsight findings list` and `regsight incidents list`")
    if incident is None and finding is not None:
        since = finding.start  # an incident covers all its findings
        incident = next((one for one in target.incidents(since=since) if id in one.findings), None)
    ids = [id] if finding is not None else incident.findings if incident else []
    findings = [one for one in map(target.finding, ids) if one is not None]
    lines = explain(target, settings(config, store).alerts, findings, datetime.now(UTC))
    target.close()
    if json:
        for line in lines:
            write_json(line.as_json() | {"incident": incident.id if incident else None})
        return
    shown = {one.id: f"{one.severity}: {one.title}" for one in findings}
    if incident is not None:
        owner = f", looked after by {incident.owner}" if incident.owner else ", nobody has acknowledged it"
        shown[incident.id] = f"the incident, {incident.state}{owner}"
    write_fields(shown)
    write_table(
        "",
        ("finding", "channel", "what", "result", "when (UTC)", "why"),
        (
            (
                line.about,
                line.channel,
                line.what,
                line.state,
                iso(line.at)[:19].replace("T", " ") if line.at else "",
                line.why,
            )
            for line in lines
        ),
    )


@config_app.command("check")
def check_config(config: ConfigFile = None) -> None:
    """Say whether the settings can be used, and whether the files that they name are there; exit code 2 with file, line and the
    nearest valid key where not.
    """
    from collector.native import path_in_use
    from regsight.app import chosen_detectors
    from regsight.config import ConfigError
    from regsight.files_named import unreadable
    from regsight.terminal import say

    chosen = settings(config, None)
    chosen_detectors(chosen)
    if missing := sorted(unreadable(chosen)):
        raise ConfigError("\n".join(missing))
    told = f"{len(chosen.collector.sources)} sources, {len(chosen.alerts.channels)} alert channels; {path_in_use()}"
    say(f"the settings are good: {told}")


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
