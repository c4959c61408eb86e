"""`store retain`, `hold`, `copy`, `verify`, `repair`: looking after what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point, settings

if TYPE_CHECKING:
    from store.contract import Damage

store_app = typer.Typer(help="Look after what is kept: retention, legal hold, copies, damage.", no_args_is_help=True)
hold_app = typer.Typer(help="Legal hold: what is kept however old it gets.", no_args_is_help=True)
store_app.add_typer(hold_app, name="hold")


@store_app.command()
def retain(
    keep: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Keep events so long: 90d. Default: [store] keep of the settings."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Drop whole days older than the span to keep, except those on hold; their hourly counts stay ([store] keep_rollups)."""
    from regsight.terminal import say, write_json, write_table
    from store.retention import plan
    from store.retention import retain as drop

    chosen = settings(config, store)
    span = _span(keep) or chosen.store.keep
    if span is None:
        raise UsageError("nothing says how long to keep events: --keep 90d, or [store] keep in the settings")
    target, now = opened(config, store), datetime.now(UTC)
    try:
        todo = plan(target, now, span)
        done = {} if dry_run else drop(target, now, span, chosen.store.keep_rollups)
    finally:
        target.close()
    rows = [(day.day, day.rows, day.bytes, "would go" if dry_run else "dropped") for day in todo.drop]
    rows += [(day.day, day.rows, day.bytes, f"held by {hold.id}: {hold.reason}") for day, hold in todo.held]
    if json:
        for day, count, size, what in sorted(rows):
            write_json({"day": day, "rows": count, "bytes": size, "state": what})
        return
    write_table("", ("day", "rows", "bytes", ""), sorted(rows), empty="no day is old enough")
    say(
        f"{len(todo.drop)} days, {todo.bytes:,} bytes {'would be freed' if dry_run else 'freed'}, {len(todo.held)} held"
    )
    if done and target.url.startswith("delta:"):
        say("the files themselves go with the hourly upkeep, a day after nobody needs them any more")


def _span(text: str | None) -> timedelta | None:
    from store.durations import duration

    try:
        return None if text is None else duration(text)
    except ValueError as error:
        raise UsageError(f"--keep: {error}") from None


@hold_app.command("add")
def add(
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it in a year.")],
    since: Since = None,
    until: Until = None,
    subject: Annotated[
        str,
        typer.Option(metavar="KIND:NAME", help="Only days on which it shows: actor:ann, client:10.0.0.*, repository:…"),
    ] = "",
    by: Annotated[str, typer.Option(help="Who holds it; default: whoever is logged in.")] = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """Hold a span of time, or the days of a subject. Held days are not dropped, nor the hour before and behind them."""
    from regsight.terminal import write_lines
    from store.holds import add_hold

    target = opened(config, store)
    try:
        first, last = point(since, "--since"), point(until, "--until")
        hold = add_hold(target, reason, by or _user(), datetime.now(UTC), first, last, subject)
    except ValueError as error:
        raise UsageError(str(error)) from None
    finally:
        target.close()
    write_lines([hold.id])


@hold_app.command("list")
def list_holds(
    all: Annotated[bool, typer.Option("--all", help="Those that were lifted, too.")] = False,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """What is held, by whom and why."""
    from regsight.terminal import write_json, write_table
    from store.holds import holds

    target = opened(config, store)
    found = holds(target, in_force=not all)
    target.close()
    if json:
        for hold in found:
            write_json(hold.as_json())
        return
    columns = ("id", "since", "until", "subject", "reason", "by", "at", "lifted")
    rows = (
        (
            h.id,
            h.since,
            h.until,
            h.subject,
            h.reason,
            h.by,
            f"{h.at:%Y-%m-%d %H:%M}",
            h.lifted_by and f"by {h.lifted_by}",
        )
        for h in found
    )
    write_table("", columns, rows, empty="nothing is held")


@hold_app.command("remove")
def remove(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `store hold list` gives it.")],
    by: Annotated[str, typer.Option(help="Who lifts it; default: whoever is logged in.")] = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """Lift a hold; that it was there, and who lifted it, stays in the records."""
    from store.holds import lift_hold

    target = opened(config, store)
    try:
        lifted = lift_hold(target, id, by or _user(), datetime.now(UTC))
    finally:
        target.close()
    if lifted is None:
        raise UsageError(f"no hold {id} is in force: `regsight store hold list` names them")


def _user() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        return "unknown"


@store_app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="delta:FOLDER or https://user@host:9200")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="The same; a new store, or one that has some of it already.")
    ],
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Copy a store into another: events day by day, compared by number and checksum, and all records. Safe to call again."""
    from regsight.terminal import progress, say, write_json, write_table
    from store.copying import copy_events, copy_records

    one, other = opened(config, source), opened(config, target)
    try:
        if one.url == other.url:
            raise UsageError("FROM and TO are the same store")
        days = []
        with progress() as shown:
            task = shown.add_task("days", total=len(one.days()))
            for day in copy_events(one, other):
                days.append(day)
                shown.advance(task)
        records = copy_records(one, other)
    finally:
        one.close()
        other.close()
    if json:
        for day in days:
            write_json({"day": day.day, "state": day.state, "source": str(day.source), "target": str(day.target)})
        write_json({"records": records})
    else:
        rows = [(d.day, d.state, d.source.parts, d.target.parts, f"{d.source.hash:032x}"[:12]) for d in days]
        write_table("", ("day", "state", "rows in FROM", "rows in TO", "checksum"), rows, empty="no events")
        say(", ".join(f"{count:,} {name}" for name, count in records.items()))
    if different := [day.day for day in days if day.state == "different"]:
        say(
            f"not the same in both: {', '.join(different)}. If FROM is written to, or TO has more, that is why; else call again"
        )
        raise typer.Exit(3)


@store_app.command()
def verify(
    quick: Annotated[bool, typer.Option("--quick", help="Look at the files' sizes only, do not read them.")] = False,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Is everything in the store readable? Names what is not, and what is missing because of it. Exit code 3 if so."""
    target = opened(config, store)
    try:
        found = target.damage(deep=not quick)
    finally:
        target.close()
    _show(found, json, "everything can be read")
    if found:
        raise typer.Exit(3)


@store_app.command()
def repair(store: StoreUrl = None, config: ConfigFile = None, json: Json = False) -> None:
    """Take out what cannot be read, so that all else works; it is kept in `damaged/`. Stop Regsight before."""
    from store.locate import mend_records

    found = mend_records(settings(config, store).store.url)
    target = opened(config, store)
    try:
        found += target.damage(repair=True, deep=True)
    finally:
        target.close()
    _show(found, json, "there is nothing to repair")
    if any(not damage.mended for damage in found):
        raise typer.Exit(1)


def _show(found: list[Damage], json: bool, empty: str) -> None:
    from dataclasses import asdict

    from regsight.terminal import write_json, write_table

    if json:
        for damage in found:
            write_json(asdict(damage))
        return
    rows = ((damage.path, damage.wrong, damage.lost, damage.mended) for damage in found)
    write_table("", ("what", "is", "lost", "mended"), rows, empty=empty)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(store_app, name="store")
