"""Reports as files: the page, and beside it the same figures as JSON, Markdown or PDF."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analytics.forecasts import forecasts
from analytics.limits import Limit
from analytics.reports.audit import audit
from analytics.reports.figures import figures
from analytics.reports.markdown import render_markdown
from analytics.reports.markdown_audit import render_audit_markdown
from analytics.reports.pdf import print_pdf
from analytics.reports.render import render_audit, render_html
from store.contract import Store
from store.event import iso

FORMATS = ("html", "json", "md", "pdf")
USUAL_FORMATS = ("html", "json")


def write_report(
    store: Store,
    since: datetime,
    until: datetime,
    out: Path | None,
    now: datetime,
    formats: Sequence[str] = USUAL_FORMATS,
    limits: Iterable[Limit] = (),
) -> Path:
    """Write the report of [since, until), with when the `limits` are reached, and give the path of the page; the other
    formats have its name with their own ending (`.json`, `.md`, `.pdf`).

    Without `out` the file is named after the span, in the current folder. Each file appears whole or not at all: a
    mailer or a browser that looks in between sees the old one.

    Raises:
        ValueError: `out` has the ending of another format.
        NoPdf: a PDF is wanted and cannot be printed; the others are written.
    """
    page = _named(out, f"regsight-report-{_stamp(since)}-{_stamp(until)}.html")
    found = {"generated_at": iso(now), **figures(store, since, until, forecasts(store, limits, min(now, until)))}
    _write(found, page, formats, render_html, render_markdown)
    return page


def write_audit(
    store: Store,
    since: datetime,
    until: datetime,
    out: Path | None,
    now: datetime,
    formats: Sequence[str] = USUAL_FORMATS,
) -> Path:
    """The auditor's report of [since, until), likewise."""
    page = _named(out, f"regsight-audit-{_stamp(since)}-{_stamp(until)}.html")
    found = {"generated_at": iso(now), **audit(store, since, until)}
    _write(found, page, formats, render_audit, render_audit_markdown)
    return page


def _named(out: Path | None, otherwise: str) -> Path:
    page = out or Path(otherwise)
    if page.suffix in (".json", ".md", ".pdf"):
        raise ValueError(
            f"{page}: the figures go into the {page.suffix} beside the page; name the page, for example report.html"
        )
    return page


def _write(
    found: dict[str, Any],
    page: Path,
    formats: Sequence[str],
    html: Callable[[dict[str, Any]], str],
    markdown: Callable[[dict[str, Any]], str],
) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    if "json" in formats:
        _replace(page.with_suffix(".json"), json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if "md" in formats:
        _replace(page.with_suffix(".md"), markdown(found))
    if "html" in formats:
        _replace(page, html(found))
    if "pdf" in formats:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "report.html"
            _replace(source, html(found))
            print_pdf(source, page.with_suffix(".pdf"))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%MZ")


def _replace(path: Path, text: str) -> None:
    """Names of files may hold lone surrogates; they are written as `?` rather than ending the report."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(text.encode("utf-8", errors="replace"))
    partial.replace(path)
