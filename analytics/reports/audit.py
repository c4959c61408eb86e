"""The auditor's report: who had access to what, who was refused, who changed rights, and the proof that all was read.

Nothing is cut: what the page does not show, the JSON beside it has.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from analytics.reports.missed import missed
from analytics.reports.plain_rows import plain_rows
from analytics.reports.response import incident_rows
from store.contract import EventQuery, Store
from store.event import Action, Outcome, iso

DAY = timedelta(days=1)
READ_NOTES, SEAL_NOTES = (
    "read/",
    "seal/",
)  # totals of each source, and the chain of sealed bytes, as the collector keeps them
RIGHTS = (Action.PERMISSION, Action.CONFIG)
COUNTED = {
    Action.PULL: "pulls",
    Action.PUSH: "pushes",
    Action.DELETE: "deletes",
    Action.TAG: "tags",
    Action.UNTAG: "tags",
}
EVERYTHING = 1_000_000  # gaps and runs: all of them


def audit(store: Store, since: datetime, until: datetime) -> dict[str, Any]:
    """Of [since, until): `access` per account and repository, `denied` per account, address and repository, `rights`
    (every change of rights and settings, also those that failed), `incidents` with their audit trails, `missed`, and
    `completeness`, which is of all time. Times are ISO 8601 UTC.

    An account that no line names is null: what it did is counted, and belongs to nobody.
    """
    access = _access(store, since, until)
    denied = _denied(store, since, until)
    rights = [
        _change(event) for event in store.events(EventQuery(since=since, until=until, action=list(map(str, RIGHTS))))
    ]
    return {
        "kind": "audit",
        "since": iso(since),
        "until": iso(until),
        "accounts": len({row["account"] for row in access if row["account"] is not None}),
        "repositories": len({row["repository"] for row in access}),
        "access": access,
        "denied": denied,
        "denied_in_all": sum(row["times"] for row in denied),
        "rights": rights,
        "incidents": incident_rows(store, since, until),
        "missed": missed(store, since, until, EVERYTHING),
        "completeness": completeness(store),
    }


def _access(store: Store, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """One row per account and repository with what it did there, from how many addresses, and on which days first and last."""
    rows: dict[tuple[Any, Any], dict[str, Any]] = {}
    by_day = store.counts(since, until, ["actor", "actor_kind", "repository", "action", "outcome"], DAY)
    for count in plain_rows(by_day):
        if count["outcome"] != Outcome.SUCCESS or count["repository"] is None:
            continue
        row = rows.setdefault((count["actor"], count["repository"]), _nothing(count))
        day = count["window_start"].strftime("%Y-%m-%d")
        row["first_day"], row["last_day"] = min(row["first_day"], day), max(row["last_day"], day)
        row["account_kind"] = row["account_kind"] or count["actor_kind"]
        row[COUNTED.get(count["action"], "other")] += count["events"]
        row["bytes"] += count["bytes"]
    for count in plain_rows(store.counts(since, until, ["actor", "repository", "client_ip", "outcome"])):
        known = rows.get((count["actor"], count["repository"]))
        if known is not None and count["client_ip"] is not None and count["outcome"] == Outcome.SUCCESS:
            known["addresses"] += 1
    return sorted(rows.values(), key=lambda row: (row["account"] is None, row["account"] or "", row["repository"]))


def _nothing(count: dict[str, Any]) -> dict[str, Any]:
    return {
        "account": count["actor"],
        "account_kind": count["actor_kind"],
        "repository": count["repository"],
        **dict.fromkeys((*dict.fromkeys(COUNTED.values()), "other", "bytes", "addresses"), 0),
        "first_day": "9999",
        "last_day": "",
    }


def _denied(store: Store, since: datetime, until: datetime) -> list[dict[str, Any]]:
    counts = store.counts(since, until, ["actor", "client_ip", "repository", "action", "reason", "outcome"])
    rows = [
        {
            "account": count["actor"],
            "address": count["client_ip"],
            "repository": count["repository"],
            "action": count["action"],
            "reason": count["reason"],
            "times": count["events"],
        }
        for count in plain_rows(counts)
        if count["outcome"] == Outcome.DENIED
    ]
    return sorted(
        rows, key=lambda row: (-row["times"], str(row["account"]), str(row["address"]), str(row["repository"]))
    )


def _change(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": iso(event["timestamp"]),
        "account": event["actor"],
        "address": event["client_ip"],
        "action": event["action"],
        "outcome": event["outcome"],
        "project": event["project"],
        "what": " ".join(filter(None, (event["method"], event["uri"] or event["repository"] or event["reference"])))
        or None,
        "event": event["event_id"],
    }


def completeness(store: Store) -> dict[str, Any]:
    """Lines read = events + dead letters + ignored, for each source since its first run, as the collector counted them.

    `holds` is False where the sum does not come out (of documents that tell of many things, lines are fewer), None where
    no source has a count: logs that were read once with `regsight collect` keep none. `streams` are the files and
    endpoints with how far each was read; `sealed_segments` of them can be checked against the files (`regsight verify`).
    """
    sources = []
    for note in sorted(store.notes(READ_NOTES).values(), key=lambda note: str(note.get("source"))):
        counts = {
            name: int(note.get("counts", {}).get(name, 0)) for name in ("lines", "events", "dead_letters", "ignored")
        }
        told = counts["events"] + counts["dead_letters"] + counts["ignored"]
        sources.append(
            {
                "source": note.get("source"),
                "registry": note.get("registry"),
                **counts,
                "difference": counts["lines"] - told,
                "last_line": note.get("last_line"),
                "looked_at": note.get("looked_at"),
            }
        )
    seals = [segment for note in store.notes(SEAL_NOTES).values() for segment in note.get("segments", ())]
    return {
        "sources": sources,
        "holds": all(row["difference"] == 0 for row in sources) if sources else None,
        "dead_letters_kept": sum(store.dead_letter_counts().values()),
        "events_stored": store.total(),
        "sealed_segments": len(seals),
        "sealed_bytes": sum(int(segment["end"]) - int(segment["start"]) for segment in seals),
        "streams": [
            {"stream": one.stream, "path": str(one.detail.get("path", "")), "read_bytes": one.offset}
            for one in sorted(store.positions(), key=lambda one: one.stream)
        ],
    }
