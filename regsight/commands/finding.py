"""`detect`, `findings`: what is not as usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point, settings

findings_app = typer.Typer(no_args_is_help=True, help="What was found.", rich_markup_mode=None)


def detect(
    since: Since = None,
    until: Until = None,
    now: Annotated[bool, typer.Option("--now", help="Up to this moment, not only to the last stored event.")] = False,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Run the detectors over a span of event time, in the steps in which the timetable would have run them.

    Each step sees only what had happened by then. Exit code 3 when something was found.
    """
    from analytics.incidents import gather
    from analytics.jobs import detect_span
    from regsight.app import chosen_detectors
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
            "check first": finding.next_step,
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


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(detect)
    app.add_typer(findings_app, name="findings")
