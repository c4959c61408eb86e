"""`dead-letters list`, `show`, `replay`: lines that nobody could read."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, UsageError, opened, settings

if TYPE_CHECKING:
    from datetime import tzinfo

    from regsight.config import Settings
    from store.contract import DeadLetter

SHOWN_AT_MOST = 100_000  # letters that `show` and `replay` look at
letters_app = typer.Typer(help="Lines that nobody could read, with the reason.", invoke_without_command=True)

Limit = Annotated[int, typer.Option(min=1, help="How many, newest first.")]
Reason = Annotated[str | None, typer.Option(help="Only those with this reason.")]


def letter_id(letter: DeadLetter) -> str:
    """A short name of a letter for people: `d-` and a hash of its stream and offset."""
    return "d-" + blake2b(f"{letter.stream}\x1f{letter.offset}".encode("utf-8", "replace"), digest_size=6).hexdigest()


@letters_app.callback()
def _without_a_word(
    context: typer.Context, limit: Limit = 20, store: StoreUrl = None, config: ConfigFile = None, json: Json = False
) -> None:
    if context.invoked_subcommand is None:
        list_letters(limit, None, store, config, json)


@letters_app.command("list")
def list_letters(
    limit: Limit = 20,
    reason: Reason = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Lines that nobody could read, with the reason, newest first."""
    from regsight.terminal import write_json, write_table

    target = opened(config, store)
    letters = target.dead_letters(limit=limit if reason is None else SHOWN_AT_MOST)
    target.close()
    letters = [letter for letter in letters if reason in (None, letter.reason)][:limit]
    if json:
        for letter in letters:
            write_json(as_json(letter))
        return
    rows = (
        (letter_id(e), e.path, e.offset, e.length, e.reason, e.line[:80].decode("utf-8", "backslashreplace"))
        for e in letters
    )
    columns = ("id", "path", "offset", "bytes", "reason", "line")
    write_table("", columns, rows, empty="no dead letters: every line was read")


@letters_app.command("show")
def show_letter(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `dead-letters list` gives it.")],
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """One line whole, with what is known of it."""
    from regsight.terminal import write_fields, write_json

    target = opened(config, store)
    found = [letter for letter in target.dead_letters(limit=SHOWN_AT_MOST) if letter_id(letter) == id]
    target.close()
    if not found:
        raise UsageError(f"no dead letter {id}: `regsight dead-letters list` names them")
    if json:
        write_json(as_json(found[0]))
    else:
        write_fields(as_json(found[0]))


@letters_app.command("replay")
def replay(
    reason: Reason = None,
    registry: Annotated[
        str | None, typer.Option(help="Name of the registry for letters that do not say it (service.name).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = SHOWN_AT_MOST,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Read dead letters again with the formats of today. What can be read now becomes events and is a letter no more."""
    from dataclasses import replace

    from collector.joins.joiner import Joiner
    from collector.second_reading import reread
    from regsight.app import enrich_settings
    from regsight.discover import enrichers, formats
    from regsight.terminal import say, write_json, write_table

    target = opened(config, store)
    try:
        letters = [e for e in target.dead_letters(limit=limit) if reason in (None, e.reason)]
        named = [letter if letter.registry else replace(letter, registry=registry) for letter in letters]
        chosen, now = settings(config, store), datetime.now(UTC)
        steps, join = enrichers(enrich_settings(chosen)), Joiner(target, chosen.collector.joins).join
        done = reread(target, named, formats(), steps, now, zones_of(chosen), join)
    finally:
        target.close()
    kept = done.letters - done.removed
    if json:
        counts = {"letters": done.letters, "events": done.events, "removed": done.removed, "kept": kept}
        write_json(counts | {"still_bad": dict(done.still_bad)})
    else:
        write_table(
            f"{done.letters:,} dead letters: {done.removed:,} can be read now ({done.events:,} events), {kept:,} kept",
            ("why kept", "letters"),
            done.still_bad.most_common(),
            empty="none is left" if letters else "no dead letters: every line was read",
        )
    if len(letters) == limit:
        say("there may be more: call it again, or with a higher --limit")


def zones_of(chosen: Settings) -> dict[str, tzinfo]:
    """Registry → time zone of its wrappers, for the sources whose settings name one."""
    from zoneinfo import ZoneInfo

    zones: dict[str, tzinfo] = {}
    for source in chosen.collector.sources:
        if (zone := getattr(source, "zone", "UTC")) != "UTC":
            zones[source.registry or source.name] = ZoneInfo(zone)
    return zones


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """The letter with the field names of the command line's JSON."""
    from store.event import iso

    return {
        "id": letter_id(letter),
        "path": letter.path,
        "stream": letter.stream,
        "offset": letter.offset,
        "length": letter.length,
        "reason": letter.reason,
        "line": letter.line.decode("utf-8", "backslashreplace"),
        "format": letter.format,
        "registry": letter.registry,
        "read_at": iso(letter.read_at) if letter.read_at else None,
    }


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(letters_app, name="dead-letters")
