"""`detect`, `findings`: what is not as usual."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point, settings

findings_app = typer.Typer(no_args_is_help=True, help="What was found.", rich_markup_mode=None)

LONG = timedelta(days=7)

marks_app = typer.Typer(no_args_is_help=True, help="What was said of findings.", rich_markup_mode=None)


def detect(
    since: Since = None,
    until: Until = None,
    now: Annotated[bool, typer.Option("--now", help="Up to this moment, not only to the last stored event.")] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Ask the detectors in so many processes; else in two where more than a week is judged."
        ),
    ] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Run the detectors over a span of event time, in the steps in which the timetable would have run them.

    Each step sees only what had happened by then. Exit code 3 when something was found.
    """
    from analytics.incidents import gather
    from analytics.jobs import detect_span
    from analytics.side_by_side import Processes
    from regsight.app import chosen_detectors, open_configured_store
    from regsight.terminal import progress, write_json

    chosen = settings(config, store)
    target = opened(config, store)
    start, end = point(since, "--since"), point(until, "--until")
    span = target.span()
    if span is None:
        target.close()
        raise UsageError("the store holds no event yet: regsight collect FILE…")
    start = start or span[0]
    # The last event itself is inside the half-open span.
    end = end or (datetime.now(UTC) if now else span[1] + timedelta(microseconds=1))
    with progress() as display:
        task = display.add_task("detecting", total=None)
        found = detect_span(
            target,
            chosen_detectors(chosen),
            start,
            end,
            on_progress=lambda done, total: display.update(task, completed=done, total=total),
            budget=chosen.analytics.budget,
            processes=Processes(processes or _usual_processes(end - start), partial(open_configured_store, chosen)),
        )
    gather(target, start)
    target.close()
    if json:
        for finding in found:
            write_json(finding.as_json())
    else:
        _table(found)
    if found:
        raise typer.Exit(3)


def _usual_processes(span: timedelta) -> int:
    """Two for a long past where there are two processors: a second one has as much to read before its first step."""
    return min(2, len(os.sched_getaffinity(0))) if span > LONG else 1


def _table(found: list) -> None:  # type: ignore[type-arg]
    from regsight.terminal import write_table
    from store.event import iso

    write_table(
        "",
        ("id", "severity", "detected (UTC)", "what"),
        ((f.id, f.severity, iso(f.detected_at)[:19].replace("T", " "), f.title) for f in found),
        empty="nothing unusual was found",
    )


@findings_app.command("list")
def list_findings(
    since: Since = None,
    until: Until = None,
    severity: Annotated[str, typer.Option(help="At least this: info, low, medium, high, critical.")] = "info",
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """All findings, newest first."""
    from regsight.terminal import write_json
    from store.finding import Severity

    try:
        least = Severity(severity)
    except ValueError:
        raise UsageError(f"--severity: {severity!r} is none of {', '.join(Severity)}") from None
    target = opened(config, store)
    found = target.findings(since=point(since, "--since"), until=point(until, "--until"), min_severity=least)
    target.close()
    if json:
        for finding in found:
            write_json(finding.as_json())
    else:
        _table(found)


@findings_app.command("show")
def show_finding(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `regsight findings list` shows it.")],
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """One finding: what was seen, what was expected, the evidence, the first thing to check, who was told."""
    from regsight.commands.showing import short
    from regsight.terminal import write_fields, write_json, write_table
    from store.contract import EventQuery
    from store.event import iso, to_ecs

    target = opened(config, store)
    finding = target.finding(id)
    if finding is None:
        target.close()
        raise UsageError(f"no finding {id!r}: `regsight findings list` shows those there are")
    evidence = list(target.events(EventQuery(ids=finding.evidence))) if finding.evidence else []
    told = target.deliveries(id)
    target.close()
    if json:
        write_json(
            finding.as_json()
            | {
                "evidence_events": [to_ecs(event) for event in evidence],
                "deliveries": [
                    {"channel": d.channel, "state": d.state, "sent_at": iso(d.sent_at) if d.sent_at else None}
                    for d in told
                ],
            }
        )
        return
    write_fields(
        {
            "what": finding.title,
            "severity": finding.severity,
            "detector": f"{finding.detector} ({finding.kind})",
            "from – to": f"{iso(finding.start)} – {iso(finding.end)}",
            "detected": iso(finding.detected_at),
            **{name: ", ".join(names) for name, names in finding.subjects.items() if names},
            "observed": finding.observed,
            "expected": finding.expected,
            "why": finding.explanation,
            "why so severe": "; ".join(finding.reasons),
            **{f"cause {place}": cause for place, cause in enumerate(finding.causes, start=1)},
            "check first": finding.next_step,
            "like it": "; ".join(finding.similar) or "none before",
            "its events": finding.query,
            "told": ", ".join(f"{d.channel} ({d.state})" for d in told) or "nobody yet",
        }
    )
    write_table(
        f"\nevidence: {len(finding.evidence)} events",
        ("time (UTC)", "action", "outcome", "reason", "actor", "client", "repository", "reference"),
        (
            (
                iso(e["timestamp"])[:23].replace("T", " "),
                e["action"],
                e["outcome"],
                e["reason"],
                e["actor"],
                e["client_ip"],
                e["repository"],
                short(e["reference"]),
            )
            for e in evidence
        ),
        empty="none listed",
    )


@findings_app.command("ack")
def acknowledge(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `regsight findings list` shows it.")],
    expected: Annotated[bool, typer.Option("--expected", help="That was us: the like of it informs only.")] = False,
    attack: Annotated[bool, typer.Option("--attack", help="It was one: the like of it says so.")] = False,
    not_now: Annotated[
        bool, typer.Option("--not-now", help="Not for a while (a day): the like of it informs only.")
    ] = False,
    span: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="How long: 30d, 12h …")] = None,
    subject: Annotated[
        str | None, typer.Option(help="What it is bound to: actor, client or repository; else the first that is named.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who says so; your user name when left out.")] = "",
    note: Annotated[str, typer.Option(help="What you know, for the others.")] = "",
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Say what a finding was. It holds for findings of the same kind about the same actor (client, repository), for a time."""
    from analytics import marks
    from regsight.commands.incidents import _me
    from regsight.terminal import say, write_json
    from store.durations import duration

    chosen = [one for one, wanted in zip(marks.Verdict, (expected, attack, not_now), strict=True) if wanted]
    if len(chosen) != 1:
        raise UsageError("say one of --expected, --attack, --not-now")
    try:
        lasting = duration(span) if span is not None else None
    except ValueError as error:
        raise UsageError(f"--for: {error}") from None
    target = opened(config, store)
    try:
        finding = target.finding(id)
        if finding is None:
            raise UsageError(f"no finding {id!r}: `regsight findings list` shows those there are")
        bound = subject or marks.subject_of(finding)
        named = len(finding.subjects.get(bound or "", []))
        if bound is None or not 0 < named <= marks.MOST_NAMES:
            raise UsageError(
                f"--subject: it names {named} of that sort; choose one of actor, client, repository that it names"
            )
        now = datetime.now(UTC)
        mark = marks.make(finding, chosen[0], bound, by or _me(), now, lasting, note)
        marks.put(target, mark)
        recent = target.findings(since=now - timedelta(days=30))
    finally:
        target.close()
    silenced = marks.silenced(mark, recent)
    if json:
        write_json(mark.as_json() | {"would_have_silenced": [one.id for one in silenced], "of": len(recent)})
        return
    say(
        f"{mark.id}: {finding.kind} of {bound} {', '.join(mark.names)} is {mark.verdict} until {mark.until:%Y-%m-%d %H:%M} UTC"
    )
    say(f"would have silenced {len(silenced)} of the last 30 days' {len(recent)} findings" + (":" if silenced else ""))
    for one in silenced[:10]:
        say(f"  {one.id} {one.severity} {one.title}")
    say(f"to take it back: regsight findings marks remove {mark.id}")


@marks_app.command("list")
def list_marks(store: StoreUrl = None, config: ConfigFile = None, json: Json = False) -> None:
    """What people said of findings, newest first; a mark whose time is over does nothing."""
    from analytics.marks import marks
    from regsight.terminal import write_json, write_table
    from store.event import iso

    target = opened(config, store)
    found = marks(target)
    target.close()
    now = datetime.now(UTC)
    if json:
        for mark in found:
            write_json(mark.as_json() | {"holds": mark.holds(now)})
        return
    write_table(
        "",
        ("id", "verdict", "until (UTC)", "kind", "about", "by", "finding", "note"),
        (
            (
                mark.id,
                mark.verdict,
                iso(mark.until)[:16].replace("T", " ") + ("" if mark.holds(now) else " (over)"),
                mark.kind,
                f"{mark.subject} {', '.join(mark.names)}",
                mark.by,
                mark.finding,
                mark.note,
            )
            for mark in found
        ),
        empty="nothing was marked: regsight findings ack ID --expected",
    )


@marks_app.command("remove")
def remove_mark(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `regsight findings marks list` shows it.")],
    store: StoreUrl = None,
    config: ConfigFile = None,
) -> None:
    """Take a mark back: from now on findings are told again."""
    from analytics.marks import remove
    from regsight.terminal import say

    target = opened(config, store)
    mark = remove(target, id, datetime.now(UTC))
    target.close()
    if mark is None:
        raise UsageError(f"no mark {id!r}: `regsight findings marks list` shows those there are")
    say(f"{mark.id} is gone")


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(detect)
    findings_app.add_typer(marks_app, name="marks")
    app.add_typer(findings_app, name="findings")
