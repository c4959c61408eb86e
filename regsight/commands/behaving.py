"""`sessions`, `traffic`: what the requests amount to, and what sort of traffic they are."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point, settings

if TYPE_CHECKING:
    from analytics.session import Session
    from analytics.traffic_classes import Verdict
    from store.contract import Store

Glob = Annotated[str | None, typer.Option(help="A name, or a pattern with * and ?.")]
LEARNED_FROM = timedelta(days=14)


def sessions(
    since: Since = None,
    until: Until = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="pull, push, check, lookup, layers (default: pull and push; several times)."),
    ] = None,
    actor: Glob = None,
    client: Glob = None,
    repository: Glob = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many (shown oldest first).")] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Pulls and pushes as people count them: one line for all the requests of one client's one act.

    Without --since: the last 24 hours of what is stored.
    """
    from analytics.session import Kind
    from analytics.sessions import sessions_between
    from regsight.terminal import write_json

    kinds = set(kind or (Kind.PULL, Kind.PUSH))
    if unknown := kinds - set(Kind):
        raise UsageError(f"--kind: {', '.join(sorted(unknown))} is none of {', '.join(Kind)}")
    target = opened(config, store)
    start, end = _span(target, since, until, timedelta(hours=24))
    patterns = {"actor": actor, "client_ip": client, "repository": repository}
    found = (
        session
        for session in sessions_between(target, start, end)
        if session.kind in kinds and all(_like(getattr(session, name), wanted) for name, wanted in patterns.items())
    )
    shown = sorted(deque(found, maxlen=limit), key=lambda session: (session.start, session.id))
    target.close()
    if json:
        for session in shown:
            write_json(session.as_json())
    else:
        _session_table(shown)


def _session_table(found: list[Session]) -> None:
    from regsight.commands.showing import short
    from regsight.terminal import write_table
    from store.event import iso

    columns = (
        "start (UTC)",
        "what",
        "result",
        "who",
        "client",
        "repository",
        "tag or digest",
        "layers",
        "bytes",
        "seconds",
    )
    rows = (
        (
            iso(s.start)[:19].replace("T", " "),
            s.kind if s.artifact == "image" else f"{s.kind} ({s.artifact})",
            f"{s.state}{f': {s.reason or s.outcome}' if s.state != 'complete' else ''}{', resumed' if s.resumed else ''}",
            s.actor,
            s.client_ip,
            s.repository,
            s.tag or short(s.digest),
            _layers(s),
            f"{s.bytes:,}" if s.bytes is not None else None,
            f"{(s.end - s.start).total_seconds():.1f}",
        )
        for s in found
    )
    write_table(
        "", columns, rows, empty="no session in this span; `regsight status` shows which span of time is stored"
    )


def _layers(session: Session) -> str:
    """`4 fetched, 2 there`; nothing where there were none."""
    counts = {
        "fetched": session.layers_fetched,
        "sent": session.layers_uploaded,
        "mounted": session.layers_mounted,
        "there": session.layers_present or 0,
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def traffic(
    since: Since = None,
    until: Until = None,
    undecided: Annotated[bool, typer.Option("--undecided", help="Also those of whom nothing can be said.")] = False,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Which account, address and tool is people, ci, cluster, scanner, mirror, probe or noise, and why.

    Learned from the last 14 days of what is stored, or from --since on. What is wrong is put right in the settings:
    [traffic] "10.1.2.0/24" = "ci".
    """
    from analytics.traffic_classes import verdicts
    from regsight.terminal import write_json
    from store.traffic import TrafficRules

    rules = TrafficRules.read(settings(config, store).traffic)
    target = opened(config, store)
    start, end = _span(target, since, until, LEARNED_FROM)
    found = [one for one in verdicts(target, start, end, rules) if one.traffic is not None or undecided]
    target.close()
    if json:
        for verdict in found:
            write_json(verdict.as_json())
    else:
        _traffic_table(found)


def _traffic_table(found: list[Verdict]) -> None:
    from regsight.terminal import write_table

    rows = (
        (v.traffic, v.habits.actor, v.habits.client_ip, v.habits.client_class, v.habits.requests, v.origin, v.why)
        for v in found
    )
    write_table(
        "",
        ("traffic", "who", "client", "tool", "requests", "origin", "why"),
        rows,
        empty="nothing can be said yet: some days of events are needed; --undecided shows everybody",
    )


def _span(target: Store, since: str | None, until: str | None, length: timedelta) -> tuple[datetime, datetime]:
    """[since, until), by default the last `length` of what is stored."""
    span = target.span()
    if span is None:
        target.close()
        raise UsageError("the store holds no event yet: regsight collect FILE…")
    end = point(until, "--until") or span[1] + timedelta(microseconds=1)
    return point(since, "--since") or max(span[0], end - length), end


def _like(value: str | None, pattern: str | None) -> bool:
    from fnmatch import fnmatchcase

    return pattern is None or (value is not None and fnmatchcase(value, pattern))


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(sessions)
    app.command()(traffic)
