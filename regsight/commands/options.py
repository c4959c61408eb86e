"""Options that several commands share, each explained once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from regsight.config import Settings
    from store.contract import Store


class UsageError(Exception):
    """The call cannot be carried out as written; the message says how to write it. Exit code 2."""


StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Where events are kept: delta:./regsight-data (default), or https://user@host:9200 for Elasticsearch.",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("-c", "--config", metavar="FILE", help="Settings (default: regsight.toml here).")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="From here on: 2026-11-24, 2026-11-24T02:17Z, monday, 36h …")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Up to here (not included).")]


def settings(config: Path | None, store: str | None) -> Settings:
    """The settings with `--store` on top."""
    from regsight.config import load

    return load(config, store_url=store)


def opened(config: Path | None, store: str | None) -> Store:
    """The store that the call means."""
    from regsight.app import open_configured_store

    return open_configured_store(settings(config, store))


def point(text: str | None, option: str) -> datetime | None:
    """A moment from an option's text."""
    from regsight.moments import moment

    if text is None:
        return None
    try:
        return moment(text, datetime.now(UTC))
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
