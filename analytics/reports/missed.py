"""What Regsight itself missed: losses that the collector noticed, jobs that failed, messages that reached nobody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from analytics.integrity import open_gaps
from store.contract import Store
from store.event import iso

MOST_RUNS = 5000


def missed(store: Store, since: datetime, until: datetime, top: int) -> dict[str, Any]:
    """Of [since, until): `gaps` whose missing lines were written in it (not those that were found after all), failed runs
    of jobs, and messages that were given up. Lines that could not be read are `dead_letters` of the report.
    """
    start, end = iso(since), iso(until)
    gaps = [note for note in open_gaps(store) if str(note.get("start", "")) < end and str(note.get("end", "")) >= start]
    gaps.sort(key=lambda note: str(note.get("start")))
    runs = [run for run in store.runs(limit=MOST_RUNS) if run.state == "failed" and since <= run.due_at < until]
    given_up = [one for one in store.deliveries() if one.state == "failed" and since <= one.created_at < until]
    return {
        "gaps_in_all": len(gaps),
        "gap_bytes": sum(int(note.get("bytes") or 0) for note in gaps),
        "gaps": [
            {name: note.get(name) for name in ("kind", "source", "path", "start", "end", "bytes", "lines", "text")}
            for note in gaps[:top]
        ],
        "failed_runs_in_all": len(runs),
        "failed_runs": [{"job": run.job, "due_at": iso(run.due_at), "note": run.note} for run in runs[:top]],
        "messages_given_up": len(given_up),
    }
