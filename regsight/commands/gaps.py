"""`gaps` and `verify`: what is missing, and whether what was read is still as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, opened, point

if TYPE_CHECKING:
    from collector.verify import Checked


def gaps(
    everything: Annotated[bool, typer.Option("--all", help="Also what turned out not to be missing.")] = False,
    since: Since = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """What was read without a hole, what is missing and why, what came twice, and where two logs disagree."""
    from regsight.gap_report import gap_report
    from regsight.terminal import write_json

    target = opened(config, store)
    try:
        report = gap_report(target, datetime.now(UTC), point(since, "--since"), everything)
    finally:
        target.close()
    if json:
        write_json(report)
    else:
        _show(report)


def _show(report: dict[str, Any]) -> None:
    from regsight.terminal import write_table

    write_table(
        "read",
        ("source", "streams", "bytes", "lines", "events", "dead letters", "ignored", "came twice", "last line"),
        (
            (
                each["source"],
                each["streams"],
                *(
                    each["counts"].get(name, "")
                    for name in ("bytes", "lines", "events", "dead_letters", "ignored", "known")
                ),
                each["last_line"] or "",
            )
            for each in report["sources"]
        ),
        empty="nothing was read yet",
    )
    write_table(
        "\nmissing",
        ("id", "kind", "source", "path", "from byte", "bytes", "lines, about", "from", "to", "what"),
        (
            (
                gap["id"],
                gap["kind"],
                gap["source"],
                gap["path"],
                gap["offset"],
                gap["bytes"],
                gap["lines"],
                gap["start"],
                gap["end"],
                gap["text"],
            )
            for gap in report["gaps"]
        ),
        empty="nothing is known to be missing",
    )
    write_table(
        "\nlogs of one registry against each other",
        ("registry", "in", "not in", "events", "missing", "share", "as usual"),
        (
            (c["registry"], c["here"], c["there"], c["events"], c["missing"], f"{c['share']:.1%}", f"{c['usual']:.1%}")
            for c in report["channels"]
        ),
        empty="no two logs tell of the same requests",
    )
    write_table(
        "\ndead letters",
        ("reason", "letters"),
        report["dead_letters"].items(),
        empty="no dead letters: every line was read",
    )


def verify(
    since: Since = None,
    rows: Annotated[bool, typer.Option("--rows/--no-rows", help="Also look for the events in the store.")] = True,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Are the log files, and the events made of them, still what was read? Exit code 3 if not."""
    from collector.verify import tell
    from collector.verify import verify as check
    from regsight.terminal import say, write_json, write_table

    now = datetime.now(UTC)
    target = opened(config, store)
    try:
        found = check(target, point(since, "--since"), rows)
        wrong = tell(target, found, now)
    finally:
        target.close()
    if json:
        write_json([as_json(checked) for checked in found])
    else:
        columns = ("path", "stream", "as it was", "gone", "changed", "rows missing", "chain")
        shown = (
            (
                checked.found or checked.path,
                checked.stream,
                checked.same,
                checked.gone,
                ", ".join(f"{segment.start} to {segment.end}" for segment in checked.changed),
                sum(checked.missing.values()) or "",
                checked.torn or "whole",
            )
            for checked in found
        )
        write_table("bytes of each stream", columns, shown, empty="nothing is sealed in that time")
    if wrong:
        say(f"{wrong} places are not as they were: `regsight gaps` lists them")
        raise typer.Exit(3)


def as_json(checked: Checked) -> dict[str, Any]:
    """With the field names of the command line's JSON."""
    return {
        "stream": checked.stream,
        "path": checked.path,
        "found": checked.found or None,
        "source": checked.source,
        "bytes_same": checked.same,
        "bytes_gone": checked.gone,
        "changed": [{"start": segment.start, "end": segment.end} for segment in checked.changed],
        "rows_missing": sum(checked.missing.values()),
        "chain": checked.torn or "whole",
        "good": checked.good,
    }


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(gaps)
    app.command()(verify)
