"""`tail`, `top`, `why`: the registry at work, in a terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, UsageError, opened
from regsight.commands.showing import Glob, Names, short

if TYPE_CHECKING:
    from rich.console import RenderableType

    from store.contract import EventQuery, EventReader, Store

LATE = timedelta(minutes=15)  # an event that is told of later than this is not shown by `tail`
MOST_SHOWN = 1000  # characters of a log line
_COLOURS = {"success": "green", "denied": "bold red", "failure": "yellow", "unknown": "dim"}


def tail(
    action: Names = None,
    outcome: Names = None,
    actor: Glob = None,
    client: Glob = None,
    repository: Glob = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="So many of the newest events first.")] = 10,
    follow: Annotated[bool, typer.Option(help="Go on until Ctrl-C.")] = True,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Events as they are stored, newest last. (Something must collect them: `regsight run` or `collect --follow`.)"""
    from store.contract import EventQuery

    target = opened(config, store)
    query = EventQuery(
        action=tuple(action or ()), outcome=tuple(outcome or ()), actor=actor, client=client, repository=repository
    )
    try:
        for event in news(target, query, lines, follow, interval):
            _print(event, json)
    except KeyboardInterrupt:
        pass
    finally:
        target.close()


def news(target: EventReader, query: EventQuery, lines: int, follow: bool, interval: float) -> Iterator[dict[str, Any]]:
    """The newest `lines` events, then each that is stored while this runs, once, late ones up to `LATE`."""
    from dataclasses import replace

    newest = list(target.events(replace(query, limit=max(lines, 1), newest_first=True)))[::-1]
    yield from newest[len(newest) - lines :] if lines else ()
    seen: dict[str, datetime] = {}
    begun = datetime.now(UTC)
    for event in target.events(replace(query, since=begun - LATE)):
        seen[event["event_id"]] = event["timestamp"]
    while follow:
        time.sleep(interval)
        since = datetime.now(UTC) - LATE
        for event in target.events(replace(query, since=since)):
            if event["event_id"] not in seen:
                seen[event["event_id"]] = event["timestamp"]
                yield event
        seen = {id: moment for id, moment in seen.items() if moment >= since}


def _print(event: dict[str, Any], json: bool) -> None:
    import sys

    from rich.console import Console
    from rich.text import Text

    from regsight.terminal import PIPE_WIDTH, printable, write_json
    from store.event import iso, to_ecs

    if json:
        write_json(to_ecs(event))
        sys.stdout.flush()
        return
    colour = _COLOURS.get(event["outcome"] or "", "")
    image = event["repository"] or ""
    if event["reference"]:
        image += ("@" if str(event["reference"]).startswith("sha256:") else ":") + str(short(event["reference"]))
    line = Text(iso(event["timestamp"])[:19].replace("T", " ") + "  ", style="dim")
    line.append(f"{event['action'] or '':<14} ", style="bold")
    line.append(f"{event['outcome'] or '':<8} ", style=colour)
    line.append(f"{printable(event['actor'] or '-'):<20} {printable(event['client_ip'] or '-'):<16} ")
    line.append(printable(image))
    if event["reason"]:
        line.append(f"  ({printable(event['reason'])})", style="dim")
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    Console(highlight=False, width=width).print(line, soft_wrap=True)


def top(
    minutes: Annotated[int, typer.Option(min=1, help="How far back counts go.")] = 15,
    rows: Annotated[int, typer.Option(min=1, help="Names per table.")] = 8,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """Who is busiest right now: actors, addresses and repositories, what was refused, which incidents are open."""
    from rich.console import Console
    from rich.live import Live

    target = opened(config, store)
    console = Console(highlight=False)
    try:
        if once:
            console.print(_board(target, minutes, rows))
            return
        with Live(_board(target, minutes, rows), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                live.update(_board(target, minutes, rows), refresh=True)
    except KeyboardInterrupt:
        pass
    finally:
        target.close()


def _board(target: Store, minutes: int, rows: int) -> RenderableType:
    from rich.columns import Columns
    from rich.console import Group
    from rich.text import Text

    from regsight.terminal import printable

    now = datetime.now(UTC)
    since = now - timedelta(minutes=minutes)
    counted = target.counts(since, now, ["actor", "client_ip", "repository", "action", "outcome"])
    total, denied = int(counted["events"].sum()), int(counted.loc[counted["outcome"] == "denied", "events"].sum())
    head = Text(f"last {minutes} min until {now:%H:%M:%S} UTC · {total:,} events · ", style="bold")
    head.append(f"{denied:,} refused", style="bold red" if denied else "dim")
    tables = [_ranking(counted, name, title, rows) for name, title in _RANKINGS]
    open_ones = [one for one in target.incidents(limit=200) if one.state == "open"]
    open_ones.sort(key=lambda one: (-one.severity.rank, -one.detected_at.timestamp()))
    story = Text("\nno open incident" if not open_ones else f"\n{len(open_ones)} open: ", style="bold")
    for one in open_ones[:5]:
        story.append(f"\n  {one.id}  {one.severity:<8}  {printable(one.title)}", style="red")
    if len(open_ones) > 5:
        story.append(f"\n  and {len(open_ones) - 5} more: `regsight incidents list`", style="dim")
    if not total:
        head.append("\nnothing was stored for this span; `regsight status` shows the sources", style="dim")
    return Group(head, Columns(tables, padding=(1, 4)), story)


_RANKINGS = (("actor", "actors"), ("client_ip", "addresses"), ("repository", "repositories"), ("action", "actions"))


def _ranking(counted: Any, name: str, title: str, rows: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from regsight.terminal import printable

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("events", justify="right")
    table.add_column("refused", justify="right")
    per = counted.assign(refused=counted["events"].where(counted["outcome"] == "denied", 0))
    per = per.groupby(name, dropna=True)[["events", "refused"]].sum().sort_values("events", ascending=False)
    for label, row in per.head(rows).iterrows():
        refused = Text(f"{int(row['refused']):,}", style="red" if row["refused"] else "dim")
        table.add_row(Text(printable(label)), f"{int(row['events']):,}", refused)
    return table


def why(
    id: Annotated[str, typer.Argument(metavar="ID", help="Of an event, a finding or an incident.")],
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """Where something comes from: an event's lines, byte for byte where they are still there, and the findings that
    name it; a finding's reasons; an incident's story.
    """
    from regsight.commands.finding import show_finding
    from regsight.commands.incidents import show_incident

    target = opened(config, store)
    try:
        if target.incident(id) is not None:
            show_incident(id, store=store, config=config)
        elif target.finding(id) is not None:
            show_finding(id, store=store, config=config)
        else:
            _why_event(target, id)
    finally:
        target.close()


def _why_event(target: Store, id: str) -> None:
    from analytics.wording import several
    from regsight.terminal import write_fields, write_lines, write_table
    from store.contract import EventQuery
    from store.event import to_ecs

    event = next(target.events(EventQuery(ids=[id])), None)
    if event is None:
        raise UsageError(f"no event, finding or incident {id!r}; `regsight events --json` shows ids as event.id")
    write_fields({name: value for name, value in to_ecs(event).items() if name != "oci.parts"})
    told = [f"\ntold by {several(len(event['parts']), 'line')}"]
    for part in event["parts"]:
        told += _line(target, part, event["request_id"])
    write_lines(told)
    naming = [one for one in target.findings() if id in one.evidence]
    write_table(
        "\nnamed as evidence by",
        ("finding", "severity", "what"),
        ((one.id, one.severity, one.title) for one in naming),
        empty="no finding",
    )


def _line(target: Store, part: str, request_id: str | None) -> list[str]:
    """Where a part stands, and its bytes where the file that was read is still at its path."""
    stream, _, offset = part.rpartition(":")
    position = target.position(stream)
    path = str(position.detail.get("path", "")) if position else ""
    if position is None or not path:
        return [f"  stream {stream}, byte {offset} (not read from a file)"]
    try:
        with Path(path).open("rb") as file:
            same = position.detail.get("inode") in (None, os.fstat(file.fileno()).st_ino)
            file.seek(int(offset))
            line = file.readline(MOST_SHOWN * 4).decode("utf-8", "replace").rstrip("\r\n")
    except (OSError, ValueError):
        same, line = False, ""
    # A file that was emptied and written anew keeps its inode: the line must at least be about the same request.
    if not same or not line or (request_id is not None and request_id not in line):
        return [f"  {path}, byte {offset} (rotated away)"]
    return [f"  {path}, byte {offset}", f"    {line[:MOST_SHOWN]}{'…' if len(line) > MOST_SHOWN else ''}"]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(tail)
    app.command()(top)
    app.command()(why)
