"""`events`, `status`: what is in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, opened, point, settings

if TYPE_CHECKING:
    from store.contract import Store

Names = Annotated[list[str] | None, typer.Option(help="May be given several times.")]
Glob = Annotated[str | None, typer.Option(help="A name, or a pattern with * and ?.")]


def events(
    since: Since = None,
    until: Until = None,
    action: Names = None,
    outcome: Names = None,
    actor: Glob = None,
    client: Glob = None,
    repository: Glob = None,
    reference: Glob = None,
    digest: Glob = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many (shown oldest first).")] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Events from the store, oldest first: who did what, when, from where, and how it ended."""
    from regsight.terminal import write_json, write_table
    from store.contract import EventQuery
    from store.event import iso, to_ecs

    query = EventQuery(
        since=point(since, "--since"),
        until=point(until, "--until"),
        action=tuple(action or ()),
        outcome=tuple(outcome or ()),
        actor=actor,
        client=client,
        repository=repository,
        reference=reference,
        digest=digest,
        limit=limit,
        newest_first=limit is not None,
    )
    target = opened(config, store)
    found = list(target.events(query)) if limit is not None else target.events(query)
    if isinstance(found, list):
        found.reverse()
    if json:
        for event in found:
            write_json(to_ecs(event))
    else:
        columns = ("time (UTC)", "action", "outcome", "status", "actor", "client", "repository", "reference", "tool")
        rows = (
            (
                iso(e["timestamp"])[:19].replace("T", " "),
                e["action"],
                e["outcome"],
                e["status"],
                e["actor"],
                e["client_ip"],
                e["repository"],
                short(e["reference"] or e["digest"]),
                e["client_class"],
            )
            for e in found
        )
        write_table("", columns, rows, empty="no event matches; `regsight status` shows which span of time is stored")
    target.close()


def short(reference: str | None) -> str | None:
    """A digest cut to its first 12 hex digits; a tag as it is."""
    return reference[:19] + "…" if reference and reference.startswith("sha256:") else reference


def status(store: StoreUrl = None, config: ConfigFile = None, json: Json = False) -> None:
    """Sources with lag, what the store holds, the last run of each job."""
    from regsight.terminal import say, write_fields, write_json, write_table

    settings(config, store)
    target = opened(config, store)
    data = status_of(target)
    target.close()
    if json:
        write_json(data)
        return
    write_fields(
        {
            "store": data["store"],
            "events": f"{data['events']:,}",
            "first event": data["first_event"] or "none yet: regsight collect FILE…",
            "last event": data["last_event"] or "none yet",
            "findings": data["findings"],
            "dead letters": data["dead_letters"],
        }
    )
    write_table(
        "\nsources",
        ("path", "read up to byte", "lag (bytes)"),
        ((s["path"], s["offset"], s["lag_bytes"]) for s in data["sources"]),
        empty="no source was read yet",
    )
    write_table(
        "\njobs",
        ("job", "due", "state", "note"),
        ((j["job"], j["due_at"], j["state"], j["note"]) for j in data["jobs"]),
        empty="no job ran yet: `regsight run` has them by timetable",
    )
    if data["dead_letters"]:
        say("some lines could not be read: regsight dead-letters")


def status_of(target: Store) -> dict[str, Any]:
    """What `status` shows: read from the store alone, so that it works beside a running collector."""
    from regsight.sources import lag_of
    from store.event import iso

    span = target.span()
    latest: dict[str, Any] = {}
    for run in target.runs(limit=200):
        latest.setdefault(run.job, run)
    return {
        "store": target.url,
        "events": target.total(),
        "first_event": iso(span[0]) if span else None,
        "last_event": iso(span[1]) if span else None,
        "findings": len(target.findings()),
        "dead_letters": sum(target.dead_letter_counts().values()),
        "sources": [lag_of(position) for position in target.positions()],
        "jobs": [
            {
                "job": run.job,
                "due_at": iso(run.due_at),
                "finished_at": iso(run.finished_at) if run.finished_at else None,
                "state": run.state,
                "note": run.note,
            }
            for _, run in sorted(latest.items())
        ],
    }


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(events)
    app.command()(status)
