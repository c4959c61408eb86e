"""Figures → one self-contained HTML page: no network, no script, charts drawn inline."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from analytics.reports import shown
from analytics.reports.charts import Series, bar_chart, line_chart
from analytics.reports.words import in_words
from analytics.reports.words_audit import audit_in_words, completeness_in_words
from store.finding import Severity

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 1000  # of a list of the auditor's report that the page shows
FEW_DAYS = 3  # up to here a line per hour is readable; beyond, a bar per day


def template_environment(folder: Path) -> Environment:
    """Templates in which every value is escaped, and text from logs is shown without what acts on the screen."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": shown.number,
        "size": shown.size,
        "seconds": shown.seconds,
        "moment": shown.moment,
    }
    environment.globals |= {
        "change": shown.change,
        "number": shown.number,
        "size": shown.size,
        "seconds": shown.seconds,
        "percent": shown.percent,
        "prose": shown.prose,
    }
    return environment


@cache
def _template(name: str) -> Template:
    return template_environment(TEMPLATES).get_template(name)


@cache
def style() -> str:
    """The style sheet of the report, as it stands in the page; the web page is drawn with it too."""
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")


@cache
def content_security_policy() -> str:
    """That of the report's own style sheet. Also the header for serving the page."""
    return policy_for(style())


def policy_for(sheet: str) -> str:
    """Nothing may load or run; the one style sheet `sheet` is allowed by its hash."""
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def render_html(figures: dict[str, Any], home: str | None = None) -> str:
    """The page for `figures`. Every cell of its tables that holds a number has the plain value in `data-value`.

    `home` is the address of a link back, for where the page is served; a file has none.
    """
    from markupsafe import Markup

    return _template("report.html").render(
        figures=figures,
        home=home,
        summary=in_words(figures),
        grave=Severity.MEDIUM.rank,
        charts=_charts(figures) if figures["totals"]["requests"] else [],
        style=Markup(style()),  # noqa: S704  # our own file
        policy=content_security_policy(),
    )


def render_audit(figures: dict[str, Any], home: str | None = None) -> str:
    """The auditor's report of `analytics.reports.audit.audit`; lists are cut at `MOST_ROWS`, and say so."""
    from markupsafe import Markup

    return _template("audit.html").render(
        figures=figures,
        home=home,
        summary=audit_in_words(figures),
        proof=completeness_in_words(figures["completeness"]),
        most=MOST_ROWS,
        style=Markup(style()),  # noqa: S704  # our own file
        policy=content_security_policy(),
    )


def _charts(figures: dict[str, Any]) -> list[Any]:
    days, hours = figures["days"], figures["hours"]
    if len(days) <= FEW_DAYS:
        labels = [hour["start"][5:16].replace("T", " ") for hour in hours]
        first = line_chart("Pulls and pushes by hour", labels, _pulls_and_pushes(hours), "per hour")
        rows, when = hours, "by hour"
    else:
        labels = [day["day"][5:] for day in days]
        first = bar_chart("Pulls and pushes by day", labels, _pulls_and_pushes(days), "per day")
        rows, when = days, "by day"
    denied = [
        Series(name="denied", values=[row["denied"] for row in rows], look="grey"),
        Series(name="of these: bad credentials", values=[row["bad_credentials"] for row in rows], look="red"),
    ]
    moved = [Series(name="bytes", values=[row["bytes"] for row in rows], look="blue")]
    of_day = [f"{row['hour']:02d}" for row in figures["hours_of_day"]]
    return [
        first,
        bar_chart(
            "Pulls and pushes by hour of the day (UTC)", of_day, _pulls_and_pushes(figures["hours_of_day"]), "events"
        ),
        bar_chart(f"Refused requests {when}", labels, denied, "requests"),
        bar_chart(f"Bytes moved {when}", labels, moved, "bytes"),
    ]


def _pulls_and_pushes(rows: list[dict[str, Any]]) -> list[Series]:
    return [
        Series(name="pulls", values=[row["pulls"] for row in rows], look="blue"),
        Series(name="pushes", values=[row["pushes"] for row in rows], look="orange"),
    ]
