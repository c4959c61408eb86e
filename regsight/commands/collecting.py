"""`collect`, `parse`, `formats`, `dead-letters`: lines in, events out."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, UsageError, opened

if TYPE_CHECKING:
    from collector.pipeline import Summary

Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="Log files, globs, .gz archives, or - for stdin.")]
FormatName = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="Only this format (default: recognised by itself).")
]
Registry = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the registry that the lines are from (service.name).")
]


def collect(
    files: Files,
    format: FormatName = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on reading as the files grow, until Ctrl-C.")] = False,
    registry: Registry = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Read log files into the store. Reading a file twice counts each event once."""
    from collector.sources.file_tail import FileTail
    from regsight.app import pipeline_over
    from regsight.terminal import progress

    check_exist(files, follow)
    target = opened(config, store)
    source = FileTail("files", files, registry=registry, follow=follow, known=target.positions)
    with progress() as display:
        task = display.add_task("lines", total=None)
        pipeline = pipeline_over(
            target,
            [source],
            format_name=checked_format(format),
            on_progress=lambda done: display.update(task, completed=done.lines),
        )
        if follow:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: pipeline.stop())
        try:
            summary = pipeline.run()
        finally:
            target.close()
    show_summary(summary, json)


def parse(
    files: Files,
    check: Annotated[
        bool, typer.Option("--check", help="Only the share read per format, and the first rejects.")
    ] = False,
    format: FormatName = None,
    registry: Registry = None,
    json: Json = False,
) -> None:
    """Show what a file's lines mean, as JSON lines. Nothing is stored."""
    from regsight.parsing import Tally, parsed_files
    from regsight.terminal import say, write_json, write_table
    from store.event import to_ecs

    check_exist(files, follow=False)
    tally = Tally()
    for path, name, parsed in parsed_files(files, checked_format(format), registry, unknown_allowed=check):
        tally.add(path, name, parsed)
        if not check:
            for event in parsed.events.to_pylist():
                write_json(to_ecs(event))
    if check and json:
        write_json(tally.as_json())
    elif check:
        write_table(
            "",
            ("file", "format", "lines", "events", "ignored", "rejects", "read"),
            tally.rows(),
            empty="the files are empty",
        )
        for reject in tally.first_rejects:
            say(reject)
    if check and tally.rejects:
        raise typer.Exit(3)


def list_formats(json: Json = False) -> None:
    """The registry log formats that Regsight reads."""
    from regsight.discover import formats
    from regsight.terminal import write_json, write_table

    if json:
        write_json([{"name": each.name, "title": each.title, "registry": each.registry_kind} for each in formats()])
    else:
        write_table("", ("name", "registry", "what"), ((e.name, e.registry_kind, e.title) for e in formats()))


def dead_letters(
    limit: Annotated[int, typer.Option(help="How many, oldest first.")] = 20,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Lines that nobody could read, with the reason."""
    from regsight.terminal import write_json, write_table

    target = opened(config, store)
    letters = target.dead_letters(limit=limit)
    target.close()
    if json:
        for letter in letters:
            write_json(
                {
                    "path": letter.path,
                    "stream": letter.stream,
                    "offset": letter.offset,
                    "length": letter.length,
                    "reason": letter.reason,
                    "line": letter.line.decode("utf-8", "backslashreplace"),
                }
            )
    else:
        rows = (
            (e.path, e.offset, e.length, e.reason, e.line[:80].decode("utf-8", "backslashreplace")) for e in letters
        )
        write_table(
            "", ("path", "offset", "bytes", "reason", "line"), rows, empty="no dead letters: every line was read"
        )


def check_exist(files: list[str], follow: bool) -> None:
    """Names without a pattern must exist (when following they may come later). UsageError names the missing ones."""
    if follow:
        return
    missing = [name for name in files if name != "-" and not set(name) & set("*?[") and not Path(name).exists()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    folders = [name for name in files if Path(name).is_dir()]
    if folders:
        raise UsageError(f"{folders[0]} is a folder: name the files in it, such as '{folders[0]}/*.log'")


def checked_format(name: str | None) -> str | None:
    """The format's name, if there is such a format."""
    from regsight.discover import formats

    if name is not None and name not in (known := [each.name for each in formats()]):
        raise UsageError(f"--format: unknown format {name!r}; known: {', '.join(known)}")
    return name


def show_summary(summary: Summary, json: bool) -> None:
    """What a collection did: JSON of one line, or a small table."""
    from regsight.terminal import write_json, write_table

    data = {
        "lines": summary.lines,
        "events": summary.events,
        "dead_letters": summary.dead_letters,
        "ignored": summary.ignored,
        "by_action": dict(sorted(summary.by_action.items())),
    }
    if json:
        write_json(data)
        return
    write_table(
        f"{summary.lines:,} lines = {summary.events:,} events + {summary.dead_letters:,} dead letters "
        f"+ {summary.ignored:,} lines that are no event of their own",
        ("action", "events"),
        summary.by_action.most_common(),
        empty="no events",
    )
    sys.stdout.flush()


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(collect)
    app.command()(parse)
    app.command("formats")(list_formats)
    app.command("dead-letters")(dead_letters)
