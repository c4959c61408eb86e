"""The gap report: what is known to be missing, beside what was read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from analytics.reconcile import compared
from collector.gaps import NOTES
from collector.ledger import READ, counts_of, read_so_far
from store.event import iso

if TYPE_CHECKING:
    from store.contract import Store


def gap_report(store: Store, now: datetime, since: datetime | None = None, everything: bool = False) -> dict[str, Any]:
    """As the command's JSON has it: `sources`, `streams`, `gaps`, `channels`, `dead_letters`.

    Raises:
        Unavailable: the store did not answer.
    """
    gaps = [note for note in store.notes(NOTES).values() if everything or note["resolved_at"] is None]
    gaps = [note for note in gaps if since is None or note["end"] >= iso(since)]
    broken: dict[str, list[int]] = {}
    for note in gaps:
        if note["stream"]:
            broken.setdefault(note["stream"], []).append(note["offset"])
    streams, positions = [], store.positions()
    stored = read_so_far(positions)
    for position in positions:
        seal = position.detail.get("seal") or {}
        streams.append(
            {
                "stream": position.stream,
                "source": seal.get("source"),
                "path": position.detail.get("path"),
                "read_to": position.offset,
                "whole": position.stream not in broken,
                "gaps_at": sorted(broken.get(position.stream, [])),
            }
        )
    return {
        "at": iso(now),
        "sources": [_source(note, streams, counts_of(note, stored)) for note in store.notes(READ).values()],
        "streams": streams,
        "gaps": sorted(gaps, key=lambda note: (note["end"], note["id"])),
        "channels": [each.as_json() for each in compared(store)],
        "dead_letters": store.dead_letter_counts(),
    }


def _source(note: dict[str, Any], streams: list[dict[str, Any]], counts: dict[str, int]) -> dict[str, Any]:
    own = [stream for stream in streams if stream["source"] == note["source"]]
    return {
        "source": note["source"],
        "registry": note["registry"],
        "streams": len(own),
        "whole": sum(stream["whole"] for stream in own),
        "counts": counts,
        "last_line": note["last_line"],
        "looked_at": note["looked_at"],
    }
