"""`sources`: how far each source has come in event time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from regsight.commands.options import ConfigFile, Json, StoreUrl, opened

if TYPE_CHECKING:
    from store.contract import Store


def sources(store: StoreUrl = None, config: ConfigFile = None, json: Json = False) -> None:
    """How far each source has come in event time, and how late it is.

    The watermark is the time of the newest event that a source has told of; lines from the future do not move it.
    """
    from regsight.terminal import write_json, write_table

    target = opened(config, store)
    rows = watermarks(target, datetime.now(UTC))
    target.close()
    if json:
        for row in rows:
            write_json(row)
        return
    write_table(
        "",
        ("source", "registry", "watermark (UTC)", "behind", "last line (UTC)", "events"),
        (
            (
                row["source"],
                row["registry"],
                _short(row["watermark"]),
                _behind(row["lag_seconds"]),
                _short(row["last_line"]),
                f"{row['events']:,}",
            )
            for row in rows
        ),
        empty="no source was followed yet: `regsight run` writes down how far each has come",
    )


def watermarks(target: Store, now: datetime) -> list[dict[str, Any]]:
    """One row for each source that the collector has written down, by name."""
    from collector.ledger import READ, counts_of, read_so_far

    rows, stored = [], read_so_far(target.positions())
    for note in target.notes(READ).values():
        mark = note.get("watermark")
        rows.append(
            {
                "source": note["source"],
                "registry": note.get("registry"),
                "watermark": mark,
                "lag_seconds": (now - datetime.fromisoformat(mark)).total_seconds() if mark else None,
                "last_line": note.get("last_line"),
                "events": counts_of(note, stored)["events"],
            }
        )
    return sorted(rows, key=lambda row: str(row["source"]))


def _short(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else ""


def _behind(seconds: float | None) -> str:
    from datetime import timedelta

    from analytics.wording import duration

    return "" if seconds is None else duration(timedelta(seconds=max(0.0, seconds)))


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(sources)
