"""Everything a report says, as plain JSON values. The page that people read is made from these alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from analytics.forecast import Forecast
from analytics.reports.costs import costs
from analytics.reports.findings import detection_times, finding_rows
from analytics.reports.hours import COUNTED, hourly, totals
from analytics.reports.missed import missed
from analytics.reports.movers import movers
from analytics.reports.plain_rows import plain_rows
from analytics.reports.response import incident_rows, response_times, response_trend
from analytics.reports.risks import risks
from analytics.reports.transfers import transfers
from store.contract import Store
from store.event import BAD_CREDENTIALS, Action, Outcome, iso

MOVERS = 10
TOP = 20  # rows of each list; how many there are in all is always given beside it

CHANGES = (Action.PUSH, Action.DELETE, Action.TAG, Action.UNTAG)
# Which column of a "top" list an event counts in; refused events count as denied whatever they wanted.
ROW_OF: dict[tuple[str, str], str] = {
    (Action.PULL, Outcome.SUCCESS): "pulls",
    (Action.PUSH, Outcome.SUCCESS): "pushes",
}


def figures(store: Store, since: datetime, until: datetime, forecasts: Iterable[Forecast] = ()) -> dict[str, Any]:
    """What happened in [since, until), compared with the span of equal length before it.

    Lists are cut to the `TOP` largest; a count named `…_in_all` says how many there were. Times are ISO 8601 UTC, sizes
    bytes, spans seconds. Dead letters and sources are those of the whole store: they have no time of their own. `forecasts`
    are as of the end of the span.
    """
    before = since - (until - since)
    hours = hourly(store, since, until)
    stored = store.span()
    rows = finding_rows(store, since, until)
    incidents = incident_rows(store, since, until)
    distinct, names = _names(store, before, since, until)
    found = {
        "since": iso(since),
        "until": iso(until),
        "seconds": (until - since).total_seconds(),
        "stored": {"first": iso(stored[0]), "last": iso(stored[1]), "events": store.total()} if stored else None,
        "totals": totals(hours) | distinct,
        "totals_before": totals(hourly(store, before, since)),
        "actions": _actions(store, since, until),
        "days": _days(hours),
        "hours": hours,
        "hours_of_day": _hours_of_day(hours),
        **names,
        "transfers": transfers(store, since, until, TOP),
        "findings": rows,
        "detection": detection_times(rows),
        "incidents": incidents,
        "response": response_times(incidents),
        "response_trend": response_trend(store, since, until, incidents),
        "costs": costs(store, since, until, TOP),
        "without_account": _without_account(store, since, until),
        "forecasts": [one.as_json() for one in forecasts],
        "missed": missed(store, since, until, TOP),
        **_origin(store, since, until),
    }
    return {**found, "risks": risks(found)}


def _names(
    store: Store, before: datetime, since: datetime, until: datetime
) -> tuple[dict[str, int], dict[str, dict[str, Any]]]:
    """How many accounts, addresses and repositories; and who was busiest, refused, and new since `before`."""
    by = ("repository", "actor", "client_ip", "client_class")
    counts = {name: plain_rows(store.counts(since, until, [name, "action", "outcome", "reason"])) for name in by}
    earlier = {name: plain_rows(store.counts(before, since, [name, "outcome"])) for name in by[:3]}
    distinct = {
        "actors": len(_real(counts["actor"], "actor")),
        "clients": len(_real(counts["client_ip"], "client_ip")),
        "repositories": len(_real(counts["repository"], "repository")),
    }
    return distinct, {
        "top": {
            "repositories": _top(counts["repository"], "repository"),
            "actors": _top(counts["actor"], "actor"),
            "clients": _top(counts["client_ip"], "client_ip"),
            "client_classes": _top(counts["client_class"], "client_class"),
        },
        "refused": {
            "clients": _refused(counts["client_ip"], "client_ip"),
            "accounts": _refused(counts["actor"], "actor"),
        },
        "new": {
            "actors": _new(counts["actor"], earlier["actor"], "actor"),
            "clients": _new(counts["client_ip"], earlier["client_ip"], "client_ip"),
            "repositories": _new(counts["repository"], earlier["repository"], "repository"),
        },
        "movers": {
            "repositories": movers(counts["repository"], earlier["repository"], "repository", MOVERS),
            "actors": movers(counts["actor"], earlier["actor"], "actor", MOVERS),
            "clients": movers(counts["client_ip"], earlier["client_ip"], "client_ip", MOVERS),
        },
    }


def _origin(store: Store, since: datetime, until: datetime) -> dict[str, list[dict[str, Any]]]:
    """What the figures were read from, and what could not be read."""
    dead = sorted(store.dead_letter_counts().items(), key=lambda item: (-item[1], item[0]))
    return {
        "dead_letters": [{"reason": reason, "lines": lines} for reason, lines in dead],
        "formats": [
            {"name": row["dataset"], "registry": row["registry"], "events": row["events"]}
            for row in plain_rows(store.counts(since, until, ["dataset", "registry"]))
        ],
        "sources": [
            {"stream": position.stream, "path": str(position.detail.get("path", "")), "read_bytes": position.offset}
            for position in sorted(store.positions(), key=lambda position: position.stream)
        ],
    }


def _days(hours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    days: dict[str, dict[str, Any]] = {}
    for hour in hours:
        day = days.setdefault(hour["start"][:10], {"day": hour["start"][:10], **dict.fromkeys(COUNTED, 0)})
        for name in COUNTED:
            day[name] += hour[name]
    return list(days.values())


def _hours_of_day(hours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"hour": hour, "pulls": 0, "pushes": 0, "requests": 0} for hour in range(24)]
    for hour in hours:
        row = rows[int(hour["start"][11:13])]
        for name in ("pulls", "pushes", "requests"):
            row[name] += hour[name]
    return rows


def _actions(store: Store, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """One row per action, a column per outcome, most frequent first."""
    rows: dict[str, dict[str, Any]] = {}
    for count in plain_rows(store.counts(since, until, ["action", "outcome"])):
        empty = {"action": count["action"], "events": 0, "bytes": 0, **{str(outcome): 0 for outcome in Outcome}}
        row = rows.setdefault(count["action"], empty)
        row[count["outcome"]] += count["events"]
        row["events"] += count["events"]
        row["bytes"] += count["bytes"]
    return sorted(rows.values(), key=lambda row: (-row["events"], row["action"]))


def _real(counts: list[dict[str, Any]], column: str) -> set[str]:
    """Names with which something succeeded: a name that was only tried may belong to nobody."""
    return {count[column] for count in counts if count[column] is not None and count["outcome"] == Outcome.SUCCESS}


def _top(counts: list[dict[str, Any]], column: str) -> dict[str, Any]:
    """The busiest names of one column; events in which the column is null are left out."""
    rows: dict[str, dict[str, Any]] = {}
    for count in counts:
        name = count[column]
        if name is None:
            continue
        row = rows.setdefault(name, {"name": name, "events": 0, "pulls": 0, "pushes": 0, "denied": 0, "bytes": 0})
        row["events"] += count["events"]
        row["bytes"] += count["bytes"]
        kind = ROW_OF.get((count["action"], count["outcome"])) if count["outcome"] != Outcome.DENIED else "denied"
        if kind:
            row[kind] += count["events"]
    ordered = sorted(rows.values(), key=lambda row: (-row["events"], row["name"]))
    return {"in_all": len(ordered), "rows": ordered[:TOP]}


def _refused(counts: list[dict[str, Any]], column: str) -> dict[str, Any]:
    """Who was refused most, and how much of it was a wrong password or token."""
    rows: dict[str, dict[str, Any]] = {}
    for count in counts:
        name = count[column]
        if name is None or count["outcome"] != Outcome.DENIED:
            continue
        row = rows.setdefault(name, {"name": name, "denied": 0, "bad_credentials": 0})
        row["denied"] += count["events"]
        row["bad_credentials"] += count["events"] if count["reason"] == BAD_CREDENTIALS else 0
    ordered = sorted(rows.values(), key=lambda row: (-row["bad_credentials"], -row["denied"], row["name"]))
    return {"in_all": len(ordered), "rows": ordered[:TOP]}


def _new(counts: list[dict[str, Any]], earlier: list[dict[str, Any]], column: str) -> dict[str, Any]:
    """Names with which something succeeded now and nothing in the span before. Not `comparable` when nothing at all was
    recorded then: everything would be new."""
    names = sorted(_real(counts, column) - _real(earlier, column)) if earlier else []
    return {"comparable": bool(earlier), "in_all": len(names), "names": names[:TOP]}


def _without_account(store: Store, since: datetime, until: datetime) -> dict[str, int]:
    """What worked for somebody of whom the log itself says that it was nobody in particular; a line that names no account
    at all says nothing of it.
    """
    found = {"pulls": 0, "changes": 0}
    for row in plain_rows(store.counts(since, until, ["actor_kind", "action", "outcome"])):
        if row["actor_kind"] == "anonymous" and row["outcome"] == Outcome.SUCCESS:
            kind = "pulls" if row["action"] == Action.PULL else "changes" if row["action"] in CHANGES else None
            if kind:
                found[kind] += row["events"]
    return found
