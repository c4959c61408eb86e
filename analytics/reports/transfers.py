"""What distribution costs and could save: bytes moved, and the same content fetched again by the same client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from store.contract import EventReader
from store.event import Action, Outcome

DOWN = (Action.PULL, Action.LAYER_DOWNLOAD)
UP = (Action.PUSH, Action.LAYER_UPLOAD)


def transfers(store: EventReader, since: datetime, until: datetime, top: int) -> dict[str, Any]:
    """Bytes down and up, and repeated downloads.

    A repeat is a successful download of a digest by an address that had it in the span already. Its cost is the mean
    size of that address's downloads of the digest: the log of a cut-off download says less than the content's size.
    Clients behind one address translation look like one, so a repeat is an upper bound of what a cache would save.
    """
    frame = store.counts(since, until, ["client_ip", "repository", "digest", "action", "outcome"])
    frame = frame[frame["outcome"] == Outcome.SUCCESS]
    down = frame[frame["action"].isin(list(DOWN))]
    named = down.dropna(subset=["client_ip", "digest"]).fillna({"repository": ""})
    grouped = named.groupby(["client_ip", "repository", "digest"], as_index=False)[["events", "bytes"]].sum()
    repeats: list[dict[str, Any]] = []
    for row in grouped[grouped["events"] > 1].to_dict("records"):
        times, size = int(row["events"]), int(row["bytes"])
        repeats.append(
            {
                "client": str(row["client_ip"]),
                "repository": str(row["repository"]),
                "digest": str(row["digest"]),
                "downloads": times,
                "bytes": size,
                "repeated_bytes": size * (times - 1) // times,
            }
        )
    repeats.sort(key=lambda row: (-row["repeated_bytes"], -row["downloads"], row["client"], row["digest"]))
    return {
        "down_bytes": int(down["bytes"].sum()),
        "down_requests": int(down["events"].sum()),
        "up_bytes": int(frame[frame["action"].isin(list(UP))]["bytes"].sum()),
        "repeated_downloads": sum(row["downloads"] - 1 for row in repeats),
        "repeated_bytes": sum(row["repeated_bytes"] for row in repeats),
        "in_all": len(repeats),
        "rows": repeats[:top],
    }
