"""`collect`, `parse`, `formats`: lines in, events out."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, UsageError, opened, settings

if TYPE_CHECKING:
    from collector.enriching import EnrichSettings
    from collector.feed import Feed
    from collector.pipeline import Pipeline, Summary
    from collector.stages import Format
    from regsight.checking import Check

log = logging.getLogger(__name__)

Files = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="Log files, globs, .gz or .zst archives, or - for stdin.")
]
FormatName = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="Only this format (default: recognised by itself).")
]
OwnLogFormat = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="TEXT",
        help="nginx' own log_format of the lines, with its $variables; with --nginx-config its name there.",
    ),
]
NginxConfig = Annotated[
    Path | None,
    typer.Option(
        "--nginx-config",
        metavar="FILE",
        help="nginx' configuration that holds the log_format, or what `nginx -T` prints.",
    ),
]
Registry = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the registry that the lines are from (service.name).")
]


def collect(
    files: Files,
    format: FormatName = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on reading as the files grow, until Ctrl-C.")] = False,
    registry: Registry = None,
    log_format: OwnLogFormat = None,
    nginx_config: NginxConfig = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Read log files into the store. Reading a file twice counts each event once.

    With --follow, SIGHUP reads the settings and --nginx-config again.
    """
    from collector.errors import UnknownFormat
    from collector.feed import Feed
    from collector.gaps import GapLog
    from collector.ledger import Ledger
    from collector.sources.file_tail import FileTail
    from regsight.app import enrich_settings, pipeline_over
    from regsight.terminal import progress

    check_exist(files, follow)
    formats_of_its_own = partial(own_formats, format, log_format, nginx_config)
    own, enriching = formats_of_its_own(), enrich_settings(settings(config, store))
    target = opened(config, store)
    gaps = GapLog(target)

    def feed(own: tuple[Format, ...]) -> Feed:
        source = FileTail("files", files, registry=registry, follow=follow, known=target.positions, gaps=gaps)
        return Feed(source=source, format=checked_format(format), strict=not follow, own=own)

    with progress() as display:
        task = display.add_task("lines", total=None)
        pipeline = pipeline_over(
            target,
            [feed(own)],
            enriching,
            ledger=Ledger(target, gaps),
            on_progress=lambda done: display.update(task, completed=done.lines),
        )
        if follow:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: pipeline.stop())
            signal.signal(
                signal.SIGHUP,
                lambda *_: read_anew(
                    pipeline, lambda: feed(formats_of_its_own()), lambda: enrich_settings(settings(config, store))
                ),
            )
        try:
            pipeline.run()
        except UnknownFormat:
            show_summary(pipeline.summary, json)
            raise
        finally:
            target.close()
    show_summary(pipeline.summary, json)


def read_anew(pipeline: Pipeline, feed: Callable[[], Feed], enriching: Callable[[], EnrichSettings]) -> None:
    """On SIGHUP: what cannot be used is told, and everything goes on as it was."""
    from collector.errors import CollectorError
    from regsight.config import ConfigError
    from regsight.discover import enrichers
    from regsight.terminal import say

    try:
        in_force = partial(say, "the settings were read again")
        pipeline.change([feed()], {"files"}, enrichers(enriching()), in_force)
    except (ConfigError, CollectorError, OSError, UsageError) as error:
        log.error("the settings were read again and cannot be used; those before stay in force: %s", error)


def parse(
    files: Files,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Only what is read, ignored and unread of each format, why, and what is empty or new."
        ),
    ] = False,
    at_least: Annotated[
        float | None,
        typer.Option(
            "--at-least",
            min=0,
            max=1,
            help="With --check: exit code 3 only if less of any format is read, such as 0.99.",
        ),
    ] = None,
    format: FormatName = None,
    registry: Registry = None,
    log_format: OwnLogFormat = None,
    nginx_config: NginxConfig = None,
    json: Json = False,
) -> None:
    """Show what a file's lines mean, as JSON lines. Nothing is stored."""
    from regsight.checking import Check
    from regsight.parsing import parsed_files
    from regsight.terminal import write_json
    from store.event import to_ecs

    check_exist(files, follow=False)
    counted = Check()
    own = own_formats(format, log_format, nginx_config)
    for look in parsed_files(files, checked_format(format), registry, unknown_allowed=check, own=own):
        if check:
            counted.add(look)
        else:
            for event in look.parsed.events.to_pylist():
                write_json(to_ecs(event))
    if check:
        show_check(counted, at_least, json)


def show_check(counted: Check, at_least: float | None, json: bool) -> None:
    """Tables or JSON, and exit code 3 if less than `at_least` of a format is read; without a bound, if anything is not."""
    from regsight.terminal import say, write_json, write_table

    if json:
        write_json(counted.as_json())
    else:
        columns = ("lines", "events", "ignored", "rejects", "read")
        write_table("", ("file", "format", *columns), counted.file_rows(), empty="the files are empty")
        more = ("unknown fields", "always empty", "empty in part of the events")
        write_table("\nby format", ("format", *columns, *more), counted.format_rows(), empty="nothing was read")
        for sentence in counted.reasons():
            say(sentence)
    bound = 1.0 if at_least is None else at_least
    if below := counted.below(bound):
        if at_least is not None:
            say(f"less than {bound:.1%} is read of: {', '.join(below)}")
        raise typer.Exit(3)


def list_formats(json: Json = False) -> None:
    """The registry log formats that Regsight reads."""
    from regsight.discover import formats
    from regsight.terminal import write_json, write_table

    if json:
        write_json([{"name": each.name, "title": each.title, "registry": each.registry_kind} for each in formats()])
    else:
        write_table("", ("name", "registry", "what"), ((e.name, e.registry_kind, e.title) for e in formats()))


def check_exist(files: list[str], follow: bool) -> None:
    """Names without a pattern must exist (when following they may come later). UsageError names the missing ones."""
    if follow:
        return
    missing = [name for name in files if name != "-" and not set(name) & set("*?[") and not Path(name).exists()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    folders = [name for name in files if Path(name).is_dir()]
    if folders:
        raise UsageError(f"{folders[0]} is a folder: name the files in it, such as '{_files_in(Path(folders[0]))}'")


def _files_in(folder: Path) -> str:
    """A pattern that fits the first file in a folder, or deeper in it, as objects of a cloud's audit log lie."""
    for place, _, names in os.walk(folder):
        if names:
            endings = Path(min(names)).suffixes
            ending = "".join(endings[-2:] if endings[-1:] in ([".gz"], [".zst"]) else endings[-1:])
            return f"{folder}/{'' if Path(place) == folder else '**/'}*{ending}"
    return f"{folder}/*.log"


def checked_format(name: str | None) -> str | None:
    """The format's name, if there is such a format."""
    from regsight.discover import formats

    if name is not None and name not in (known := [each.name for each in formats()]):
        raise UsageError(f"--format: unknown format {name!r}; known: {', '.join(known)}")
    return name


def own_formats(format: str | None, log_format: str | None, nginx_config: Path | None) -> tuple[Format, ...]:
    """The formats that a site's own log_format makes; none without one."""
    from collector.nginx_log_format import read_own_formats

    if format is not None and (log_format is not None or nginx_config is not None):
        raise UsageError(
            "--format names a format of Regsight's; --log-format and --nginx-config describe one of your own"
        )
    return read_own_formats(log_format, nginx_config)


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
