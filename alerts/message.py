"""Finding → what a person reads: a title, and the same body as plain text, HTML and Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from alerts.chart import Chart
from alerts.config import AlertsConfig
from alerts.inert import for_html, for_markdown, inert
from alerts.target import Purpose, Target
from store.finding import Finding
from store.incident import Incident

_SHOWN_NAMES = 5
_SHOWN_OTHERS = 3
_TITLE_LENGTH = 160  # what a mail client or a phone shows in one line at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One finding in the words of one channel. All four texts are inert in their medium.

    `key` is the same each time this finding goes to this channel: a receiver that keeps it recognises a repeat.
    """

    key: str
    title: str
    text: str
    html: str
    markdown: str
    link: str | None
    runbook: str
    purpose: Purpose = Purpose.FIRST
    thread: str = ""  # the incident: messages of one belong together
    acknowledge: str | None = None  # address of the signed link
    chart: Chart | None = None  # `html` has it already


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The incident of a finding, as far as a message tells of it.

    `others` are the titles of its other findings; `told_at` is when the channel (or, in an escalation, the one before)
    first heard of the incident, None if it did not.
    """

    incident: Incident
    others: Sequence[str] = ()
    told_at: datetime | None = None
    acknowledge: str | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    value: str
    ours: bool = False  # written by us, not by a client: an address or a command, shown as it is


def compose(
    finding: Finding,
    target: str,
    config: AlertsConfig,
    repeats: int = 0,
    story: Story | None = None,
    chart: Chart | None = None,
) -> Message:
    """The message for `Delivery.channel`; `repeats`: how many findings like it the channel was spared before."""
    key, what = delivery_key(finding.id, target), Target.read(target)
    rows = [
        *_opening(what, story),
        *_rows(finding, config, repeats),
        *_about_incident(story, config),
        _Row("Key", key, ours=True),
    ]
    word = {Purpose.REMINDER: "Reminder: ", Purpose.ESCALATION: "Nobody answered: "}.get(what.purpose, "")
    title = f"[{finding.severity.upper()}] {word}{inert(finding.title, _TITLE_LENGTH)}"
    return Message(
        key=key,
        title=title,
        text=title + "\n\n" + "\n".join(f"{row.label}: {_value(row, inert)}" for row in rows) + "\n",
        html=_html(title, rows) + (chart.html() if chart else ""),
        markdown=_markdown(finding, word, rows),
        link=page_link(finding, config),
        runbook=runbook_link(finding, config),
        purpose=what.purpose,
        thread=story.incident.id if story else finding.id,
        acknowledge=story.acknowledge if story else None,
        chart=chart,
    )


def _opening(what: Target, story: Story | None) -> list[_Row]:
    """Why this comes again, or now, in the first line."""
    told = f" of it at {_minute(story.told_at)} UTC" if story and story.told_at else " of it before"
    if what.purpose is Purpose.WORSE:
        return [_Row("Update", "told before with a lower severity", ours=True)]
    if what.purpose is Purpose.REMINDER:
        return [_Row("Reminder", f"nobody has acknowledged it; you were told{told}", ours=True)]
    if what.purpose is Purpose.ESCALATION:
        return [_Row("Escalated", f"nobody has acknowledged it; {what.teller} was told{told}", ours=True)]
    if story and story.told_at:
        return [_Row("Update", f"of an incident that you were told of at {_minute(story.told_at)} UTC", ours=True)]
    return []


def _about_incident(story: Story | None, config: AlertsConfig) -> list[_Row]:
    if story is None:
        return []
    incident = story.incident
    rows = [_Row("Incident", f"{incident.id} ({incident.state})", ours=True)]
    if story.others:
        more = len(story.others) - _SHOWN_OTHERS
        shown = "; ".join(inert(title, 120) for title in story.others[:_SHOWN_OTHERS])
        rows.append(_Row("Also in it", shown + (f"; and {more} more" if more > 0 else "")))
    if story.acknowledge:
        rows.append(_Row("Acknowledge", story.acknowledge, ours=True))
    rows.append(_Row("Or by command", f"regsight incidents ack {quote(incident.id, safe='')}", ours=True))
    return rows


def channel_of(target: str) -> str:
    """The channel's name in `Delivery.channel`, which is `name`, or `name/severity` when told again as more severe."""
    return target.partition("/")[0]


def delivery_key(finding_id: str, target: str) -> str:
    """The stable name of one finding on its way to one channel."""
    return f"{finding_id}-{target.replace('/', '-')}"


def page_link(finding: Finding, config: AlertsConfig) -> str | None:
    """Where the web page shows it, if the settings say where the page is."""
    return f"{config.link_base}/findings/{quote(finding.id, safe='')}" if config.link_base else None


def runbook_link(finding: Finding, config: AlertsConfig) -> str:
    """What the finding itself names, empty where there is nothing; else the page of the detector, at the heading of the
    kind, and of a rule its own."""
    if finding.runbook is not None:
        return finding.runbook
    if finding.detector == "rules":
        return f"{config.runbook_base.rstrip('/')}/rules/{quote(finding.kind, safe='')}.md"
    page = f"{config.runbook_base.rstrip('/')}/{quote(finding.detector, safe='')}.md"
    return f"{page}#{quote(finding.kind, safe='')}"


def _is_address(text: str) -> bool:
    return re.fullmatch(r"https?://[\w.~:/?#@!$&*+,;=%-]+", text, re.ASCII) is not None


def subjects(finding: Finding) -> list[tuple[str, str]]:
    """Who, from where, which repository: label and names, the first five and how many more. Not yet inert."""
    labels = (("Who", "actor"), ("From", "client"), ("Repository", "repository"))
    shown = []
    for label, subject in labels:
        names = list(finding.subjects.get(subject, []))
        if names:
            more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
            # Each name is cut by itself, so that one monstrous name cannot push the others out of sight.
            shown.append((label, ", ".join(inert(name, 120) for name in names[:_SHOWN_NAMES]) + more))
    return shown


def _rows(finding: Finding, config: AlertsConfig, repeats: int) -> list[_Row]:
    rows = [_Row("Seen", finding.observed), _Row("Expected", finding.expected)]
    rows += [_Row(label, names) for label, names in subjects(finding)]
    rows.append(_Row("When", f"{_minute(finding.start)} to {_minute(finding.end)} UTC", ours=True))
    rows.append(_Row("Detected", f"{_minute(finding.detected_at)} UTC by {inert(finding.detector, 60)}"))
    if repeats:
        rows.append(_Row("Repeats", f"{repeats} like it before were not sent on their own", ours=True))
    rows.append(_Row("Why", finding.explanation))
    rows.append(_Row("Severity", "; ".join(finding.reasons)))
    rows.append(_Row("Check first", finding.next_step))
    rows.append(_Row("Page", page_link(finding, config) or "", ours=True))
    rows.append(
        _Row("Runbook", runbook_link(finding, config), ours=finding.runbook is None or _is_address(finding.runbook))
    )
    rows.append(_Row("Command", f"regsight findings show {quote(finding.id, safe='')}", ours=True))
    return [row for row in rows if row.value]


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _value(row: _Row, harmless: Callable[[str], str]) -> str:
    return row.value if row.ours else harmless(row.value)


def _html(title: str, rows: list[_Row]) -> str:
    cells = []
    for row in rows:
        value = escape(row.value) if row.ours else for_html(row.value)
        if row.ours and row.value.startswith(("http://", "https://")):
            value = f'<a href="{value}">{value}</a>'
        elif row.label in ("Command", "Or by command"):
            value = f"<code>{value}</code>"
        cells.append(f"<tr><th align=left valign=top>{row.label}</th><td>{value}</td></tr>")
    return f"<p><b>{escape(title)}</b></p>\n<table>\n" + "\n".join(cells) + "\n</table>\n"


def _markdown(finding: Finding, word: str, rows: list[_Row]) -> str:
    lines = [f"**{finding.severity.upper()}: {word}{for_markdown(finding.title, _TITLE_LENGTH)}**", ""]
    for row in rows:
        value = _value(row, for_markdown)
        if row.label in ("Command", "Or by command", "Key", "Runbook") and not value.startswith("http"):
            value = f"`{value}`"
        elif row.ours and value.startswith("http"):
            value = f"<{value}>"
        lines.append(f"- **{row.label}:** {value}")
    return "\n".join(lines) + "\n"
