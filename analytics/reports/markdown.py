"""Figures → Markdown: the report for a ticket, a wiki or a chat. Names out of logs can neither mark up nor link."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from analytics.reports.shown import change, finalize, moment, number, percent, seconds, size, visible
from analytics.reports.words import in_words

# Whatever GitHub's or CommonMark's rules give a meaning to; a bare address becomes no link without its colon.
_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~&!]|:(?=//))")
LONGEST = 160  # characters of a cell

TOTALS = (
    ("requests", "events", number),
    ("pulls", "pulls", number),
    ("pushes", "pushes", number),
    ("deletes", "deletions", number),
    ("denied", "denied", number),
    ("bad_credentials", "bad credentials", number),
    ("failures", "failed otherwise", number),
    ("bytes", "bytes moved", size),
)


def inert(text: Any) -> str:
    """Text of a cell or a sentence, without effect."""
    return _MARKS.sub(r"\\\1", visible(str(finalize(text)), LONGEST * 4))


def sentence(text: str) -> str:
    """A sentence of ours: what stands between backticks is code, all else is text."""
    pieces = text.split("`")
    return "".join(f"`{visible(piece)}`" if index % 2 else inert(piece) for index, piece in enumerate(pieces))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], numeric: int = 0) -> list[str]:
    """A table whose last `numeric` columns are numbers; cells that are strings are made inert."""
    shown = [f"| {' | '.join(inert(cell) for cell in row)} |" for row in rows]
    if not shown:
        return []
    marks = ["---"] * (len(columns) - numeric) + ["---:"] * numeric
    return [f"| {' | '.join(columns)} |", f"| {' | '.join(marks)} |", *shown, ""]


def render_markdown(figures: dict[str, Any]) -> str:
    """The same figures as the page, without charts."""
    parts = [
        "# What happened at the registries",
        "",
        f"{moment(figures['since'])} to {moment(figures['until'])}, all times UTC",
        "",
        sentence(in_words(figures)),
        "",
        *_totals(figures),
        *_section("What should worry you", [f"- {sentence(risk['text'])}" for risk in figures["risks"]]),
        *_section("Incidents", _incidents(figures)),
        *_section("Do we get faster?", _trend(figures)),
        *_section("Findings", _findings(figures)),
        *_section("What changed against the span before", _movers(figures)),
        *_section("Who was busiest", _busiest(figures)),
        *_section("New since the span before", _fresh(figures)),
        *_section("What distribution costs, and could save", costs_lines(figures["costs"])),
        *_section("What runs out", _outlook(figures)),
        *_section("What Regsight itself missed", _missed(figures)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""] if lines else []


def _totals(figures: dict[str, Any]) -> list[str]:
    now, before = figures["totals"], figures["totals_before"]
    rows = [(label, show(now[name]), change(now[name], before[name])) for name, label, show in TOTALS]
    return table(("", "now", "against the span before"), rows, 2)


def _incidents(figures: dict[str, Any]) -> list[str]:
    if not figures["incidents"]:
        return ["None: no finding was of medium severity or above."]
    columns = ("severity", "what", "state", "began", "to detect", "to tell", "to acknowledge", "to close")
    rows = [
        (
            row["severity"],
            row["title"],
            row["state"],
            moment(row["start"]),
            *(seconds(row[f"seconds_to_{step}"]) for step in ("detect", "notify", "acknowledge", "close")),
        )
        for row in figures["incidents"]
    ]
    return table(columns, rows, 4)


def _trend(figures: dict[str, Any]) -> list[str]:
    rows = figures["response_trend"]
    if not sum(row["incidents"] for row in rows):
        return []
    columns = ("from", "until", "incidents", "to detect (MTTD)", "to tell", "to acknowledge (MTTA)", "to close (MTTR)")
    return table(
        columns,
        [
            (
                moment(row["since"]),
                moment(row["until"]),
                number(row["incidents"]),
                *(seconds(row[f"mean_seconds_to_{step}"]) for step in ("detect", "notify", "acknowledge", "close")),
            )
            for row in rows
        ],
        5,
    )


def _findings(figures: dict[str, Any]) -> list[str]:
    if not figures["findings"]:
        return ["None."]
    rows = [(row["severity"], row["title"], row["observed"], row["expected"], row["id"]) for row in figures["findings"]]
    return table(("severity", "what", "seen", "usual", "id"), rows)


def _movers(figures: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, column in (("repositories", "repository"), ("actors", "account"), ("clients", "address")):
        rows = [
            (row["name"], number(row["now"]), number(row["before"]), number(row["change"]))
            for row in figures["movers"][name]
        ]
        lines += table((column, "events", "before", "change"), rows, 3)
    return lines


def _busiest(figures: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, column in (("repositories", "repository"), ("actors", "account"), ("clients", "address")):
        rows = [
            (row["name"], *(number(row[key]) for key in ("events", "pulls", "pushes", "denied")), size(row["bytes"]))
            for row in figures["top"][name]["rows"]
        ]
        lines += table((column, "events", "pulls", "pushes", "denied", "bytes"), rows, 5)
    return lines


def _fresh(figures: dict[str, Any]) -> list[str]:
    lines = []
    for name, label in (("actors", "Accounts"), ("clients", "Addresses"), ("repositories", "Repositories")):
        found = figures["new"][name]
        shown = ", ".join(inert(one) for one in found["names"]) or "none"
        rest = (
            f" and {number(found['in_all'] - len(found['names']))} more"
            if found["in_all"] > len(found["names"])
            else ""
        )
        text = f"{shown}{rest}" if found["comparable"] else "nothing is recorded for the span before"
        lines.append(f"- {label}: {text}")
    return lines


def costs_lines(costs: dict[str, Any]) -> list[str]:
    """What distribution costs, as lines."""
    rows: list[tuple[str, float | None, Callable[[float | None], str]]] = [
        ("downloads of layers", costs["layer_downloads"], number),
        ("bytes of them", costs["layer_bytes"], size),
        ("sent on to an object store (no bytes in the log)", costs["redirects"], number),
        ("share a cache in each network would have served", costs["in_the_network"]["share"], percent),
        ("bytes of it", costs["in_the_network"]["saved_bytes"], size),
        ("share a cache at each client would have served", costs["at_the_client"]["share"], percent),
        ("bytes to public addresses", costs["outside_bytes"], size),
    ]
    lines = table(("", "value"), [(label, show(value)) for label, value, show in rows], 1)
    networks = [
        (row["network"], number(row["downloads"]), size(row["bytes"]), size(row["saved_bytes"]), percent(row["share"]))
        for row in costs["networks"]["rows"]
    ]
    lines += table(("network", "downloads", "bytes", "a cache would save", "share"), networks, 4)
    projects = [
        (row["name"], size(row["down_bytes"]), size(row["outside_bytes"]), size(row["up_bytes"]))
        for row in costs["projects"]["rows"]
    ]
    return lines + table(("project", "sent", "of it to public addresses", "received"), projects, 3)


def _outlook(figures: dict[str, Any]) -> list[str]:
    columns = ("what", "runs out", "used", "limit", "a day")
    rows = []
    for row in figures["forecasts"]:
        show = size if row["unit"] == "bytes" else number
        rows.append(
            (
                row["subject"],
                moment(row["exhausted_at"]) if row["exhausted_at"] else row["note"] or "–",
                *(show(row[name]) for name in ("now", "limit", "per_day")),
            )
        )
    return table(columns, rows, 3)


def _missed(figures: dict[str, Any]) -> list[str]:
    missed, dead = figures["missed"], figures["dead_letters"]
    lines = [
        f"- known losses of log lines: {number(missed['gaps_in_all'])}, {size(missed['gap_bytes'])} known to be missing",
        f"- runs of jobs that failed: {number(missed['failed_runs_in_all'])}",
        f"- messages given up: {number(missed['messages_given_up'])}",
        f"- lines nobody could read, of all time: {number(sum(row['lines'] for row in dead))}",
        "",
    ]
    return lines + table(("reason", "lines"), [(row["reason"], number(row["lines"])) for row in dead], 1)
