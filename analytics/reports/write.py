"""The report as files: the page, and beside it the same figures as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from analytics.reports.figures import figures
from analytics.reports.render import render_html
from store.contract import Store
from store.event import iso


def write_report(store: Store, since: datetime, until: datetime, out: Path | None, now: datetime) -> Path:
    """Write the report of [since, until) and give the path of the page; the JSON has the same name with `.json`.

    Without `out` the file is named after the span, in the current folder. Each file appears whole or not at all: a
    mailer or a browser that looks in between sees the old one.
    """
    page = out or Path(f"regsight-report-{_stamp(since)}-{_stamp(until)}.html")
    if page.suffix == ".json":
        raise ValueError(
            f"{page}: the figures go into the .json beside the page; name the page, for example report.html"
        )
    found = {"generated_at": iso(now), **figures(store, since, until)}
    page.parent.mkdir(parents=True, exist_ok=True)
    _replace(page.with_suffix(".json"), json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    _replace(page, render_html(found))
    return page


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%MZ")


def _replace(path: Path, text: str) -> None:
    """Names of files may hold lone surrogates; they are written as `?` rather than ending the report."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(text.encode("utf-8", errors="replace"))
    partial.replace(path)
