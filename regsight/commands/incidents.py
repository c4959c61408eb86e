"""`incidents`: findings about one thing, told as a story, and what people do about it."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point

if TYPE_CHECKING:
    from store.contract import Store
    from store.incident import Incident

incidents_app = typer.Typer(no_args_is_help=True, help="What happened, as stories.", rich_markup_mode=None)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `regsight incidents list` shows it.")]
By = Annotated[str, typer.Option(help="Who acts; your user name when left out.")]
Note = Annotated[str, typer.Option(help="What you know, for the others.")]


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "somebody"


@incidents_app.command("list")
def list_incidents(
    since: Since = None,
    until: Until = None,
    state: Annotated[
        list[str] | None, typer.Option(help="open, acknowledged, resolved, expected; several times.")
    ] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Incidents, newest first."""
    from analytics.incidents import in_a_sentence
    from regsight.terminal import write_json, write_table
    from store.event import iso
    from store.incident import State

    for name in state or ():
        if name not in list(State):
            raise UsageError(f"--state: {name!r} is none of {', '.join(State)}")
    target = opened(config, store)
    found = target.incidents(since=point(since, "--since"), until=point(until, "--until"))
    found = [incident for incident in found if not state or incident.state in state]
    rows = [(incident, _times(target, incident)) for incident in found]
    target.close()
    if json:
        for incident, times in rows:
            write_json(incident.as_json() | {"times": times})
        return
    write_table(
        "",
        ("id", "severity", "state", "owner", "began (UTC)", "detected", "acknowledged", "what", "about"),
        (
            (
                one.id,
                one.severity,
                one.state,
                one.owner,
                iso(one.start)[:19].replace("T", " "),
                _after(times["detect_seconds"]),
                _after(times["acknowledge_seconds"]),
                one.title,
                in_a_sentence(one),
            )
            for one, times in rows
        ),
        empty="no incident: findings of medium severity and above make one",
    )


@incidents_app.command("show")
def show_incident(id: Id, store: StoreUrl = None, config: ConfigFile = None, json: Json = False) -> None:
    """One incident: its story in order of time, why it is as severe as it is, how long each step took."""
    from analytics.incidents import story
    from regsight.terminal import write_fields, write_json, write_table
    from store.event import iso

    target = opened(config, store)
    incident = target.incident(id)
    if incident is None:
        target.close()
        raise UsageError(f"no incident {id!r}: `regsight incidents list` shows those there are")
    chapters = story(target, incident)
    times = _times(target, incident)
    target.close()
    if json:
        told = [{"at": iso(one.at), "what": one.what, "finding": one.about or None} for one in chapters]
        write_json(incident.as_json() | {"times": times, "story": told})
        return
    write_fields(
        {
            "what": incident.title,
            "severity": incident.severity,
            "state": f"{incident.state}{f', {incident.owner}' if incident.owner else ''}",
            "from – to": f"{iso(incident.start)} – {iso(incident.end)}",
            **{name: ", ".join(of_it) for name, of_it in incident.subjects.items() if of_it},
            "why so severe": "; ".join(incident.reasons),
            "to detect": _after(times["detect_seconds"]),
            "to tell": _after(times["notify_seconds"]),
            "to acknowledge": _after(times["acknowledge_seconds"]),
            "to close": _after(times["close_seconds"]),
        }
    )
    write_table(
        "\nstory",
        ("time (UTC)", "what", "finding"),
        ((iso(one.at)[:19].replace("T", " "), one.what, one.about) for one in chapters),
    )
    client, actor = (next(iter(incident.subjects.get(name, ())), None) for name in ("client", "actor"))
    option = f"--client {client}" if client else f"--actor '{actor}'" if actor else None
    if option:
        write_fields({"\nwhat else it touched": f"regsight blast {option}"})


def _times(target: Store, incident: Incident) -> dict[str, float | None]:
    from analytics.incidents import times

    measured = times(incident, [one for id in incident.findings for one in target.deliveries(id)])
    return {
        "detect_seconds": measured.detect,
        "notify_seconds": measured.notify,
        "acknowledge_seconds": measured.acknowledge,
        "close_seconds": measured.close,
    }


def _after(seconds: float | None) -> str:
    from datetime import timedelta

    from analytics.wording import duration

    return "not yet" if seconds is None else duration(timedelta(seconds=seconds))


def _change(id: str, store: str | None, config: Any, change: Callable[[Incident], Incident]) -> None:
    from regsight.terminal import say

    target = opened(config, store)
    try:
        after = target.change_incident(id, lambda before: None if before is None else change(before))
    finally:
        target.close()
    if after is None:
        raise UsageError(f"no incident {id!r}: `regsight incidents list` shows those there are")
    say(f"{after.id} is {after.state}{f', looked after by {after.owner}' if after.owner else ''}")


@incidents_app.command("ack")
def ack(id: Id, by: By = "", note: Note = "", store: StoreUrl = None, config: ConfigFile = None) -> None:
    """Say that you look after it: reminders and escalation stop."""
    from store.incident import acknowledge

    _change(id, store, config, lambda one: acknowledge(one, by or _me(), datetime.now(UTC), note))


@incidents_app.command("close")
def close_incident(
    id: Id,
    expected: Annotated[bool, typer.Option("--expected", help="It was no attack: that was us.")] = False,
    by: By = "",
    note: Note = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """It is over."""
    from store.incident import close

    _change(id, store, config, lambda one: close(one, by or _me(), datetime.now(UTC), note, expected=expected))


@incidents_app.command("reopen")
def reopen_incident(id: Id, by: By = "", note: Note = "", store: StoreUrl = None, config: ConfigFile = None) -> None:
    """It was not over."""
    from store.incident import reopen

    _change(id, store, config, lambda one: reopen(one, by or _me(), datetime.now(UTC), note))


@incidents_app.command("assign")
def assign_incident(
    id: Id,
    owner: Annotated[str, typer.Argument(help="Who looks after it from now on.")],
    by: By = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """Give it to somebody."""
    from store.incident import assign

    _change(id, store, config, lambda one: assign(one, by or _me(), datetime.now(UTC), owner))


@incidents_app.command("note")
def note_incident(
    id: Id,
    text: Annotated[str, typer.Argument(help="What was learned.")],
    by: By = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """Keep what was learned, in the incident's own audit trail."""
    from store.incident import remark

    _change(id, store, config, lambda one: remark(one, by or _me(), datetime.now(UTC), text))


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(incidents_app, name="incidents")
