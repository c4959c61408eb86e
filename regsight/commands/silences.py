"""`silences`: what nobody wants to hear of for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from regsight.commands.incidents import By, _me
from regsight.commands.options import ConfigFile, Json, StoreUrl, UsageError, opened

silences_app = typer.Typer(no_args_is_help=True, help="What nobody is told of for a while.", rich_markup_mode=None)

Pattern = Annotated[str | None, typer.Option(metavar="GLOB", help="Only findings whose names of this sort all match.")]


@silences_app.command("add")
def add_silence(
    until: Annotated[str, typer.Option(metavar="TIME", help="When it ends: 4h, 2d (from now), 2026-11-24T18:00Z …")],
    why: Annotated[str, typer.Option(help="For the others; shown wherever something was silenced.")],
    detector: Annotated[str | None, typer.Option(metavar="GLOB", help="Only findings of this detector.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="GLOB", help="Only findings of this kind or rule.")] = None,
    actor: Pattern = None,
    client: Pattern = None,
    repository: Pattern = None,
    by: By = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Silence findings that match every pattern given. They are found and stored as always; nobody is told."""
    from alerts.silence import add
    from regsight.terminal import say, write_json
    from store.event import iso

    now = datetime.now(UTC)
    patterns = {"actor": actor, "client": client, "repository": repository}
    end = _ahead(until, now)
    target = opened(config, store)
    try:
        made = add(
            target,
            now,
            end,
            by or _me(),
            why,
            detector,
            kind,
            {name: pattern for name, pattern in patterns.items() if pattern},
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    finally:
        target.close()
    if json:
        write_json(made.as_json())
    else:
        say(f"{made.id}: {made.about()} is silent until {iso(made.until)[:16]}Z; regsight silences remove {made.id}")


@silences_app.command("list")
def list_silences(
    ended: Annotated[bool, typer.Option("--all", help="Also those that have ended or were removed.")] = False,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Silences that hold now, newest first."""
    from alerts.silence import silences
    from regsight.terminal import write_json, write_table
    from store.event import iso

    now = datetime.now(UTC)
    target = opened(config, store)
    found = [one for one in silences(target) if ended or one.active(now)]
    target.close()
    if json:
        for one in found:
            write_json(one.as_json() | {"active": one.active(now)})
        return
    write_table(
        "",
        ("id", "until (UTC)", "what", "by", "why", "state"),
        (
            (
                one.id,
                iso(one.until)[:16].replace("T", " "),
                one.about(),
                one.by,
                one.why,
                "holds" if one.active(now) else f"removed by {one.removed_by}" if one.removed_at else "over",
            )
            for one in found
        ),
        empty="nothing is silenced",
    )


@silences_app.command("remove")
def remove_silence(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `regsight silences list` shows it.")],
    by: By = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """End a silence now. What was silenced so far stays untold; it is in `regsight findings list`."""
    from alerts.silence import remove
    from regsight.terminal import say

    target = opened(config, store)
    try:
        removed = remove(target, id, by or _me(), datetime.now(UTC))
    finally:
        target.close()
    if removed is None:
        raise UsageError(f"no silence {id!r}: `regsight silences list --all` shows those there are")
    say(
        f"{removed.id} has ended"
        + (f", removed by {removed.removed_by}" if removed.removed_at else " by itself before")
    )


def _ahead(text: str, now: datetime) -> datetime:
    """`4h` means from now on here, not ago as in --since."""
    from regsight.moments import moment
    from store.durations import duration

    try:
        return now + duration(text)
    except ValueError:
        pass
    try:
        return moment(text, now)
    except ValueError as error:
        raise UsageError(f"--until: {error}") from None


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(silences_app, name="silences")
