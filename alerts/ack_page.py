"""What the page answers behind an acknowledge link. Plain data in, plain data out: the web server is somebody else's.

Looking (GET) changes nothing, for mail scanners and chat previews open every link; only a person who confirms (POST)
acknowledges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape

from alerts.ack_link import BadLink, verify
from alerts.inert import for_html, inert
from store.contract import Records
from store.event import iso
from store.incident import CLOSED, Incident, State, acknowledge

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """`html` is a whole page without scripts and styles of its own; `incident` as it is stored now."""

    status: int
    html: str
    incident: Incident | None = None


def answer(store: Records, secret: str | None, method: str, token: str, name: str, now: datetime) -> Answer:
    """Answer GET or POST of `/ack`. `token` is of the query (GET) or the form (POST), `name` what the person typed.

    `secret` is `AlertsConfig.ack_secret()`. Status: 200, 403 (forged), 404 (no such incident, or links are not set up),
    405, 410 (run out).

    Raises:
        StoreError: the store did not answer.
    """
    if method not in ("GET", "HEAD", "POST"):
        return _told(405, "Only GET and POST.")
    if secret is None:
        return _told(404, "Acknowledge links are not set up.")
    try:
        claim = verify(secret, token, now)
    except BadLink as error:
        return _told(error.status, str(error))
    incident = store.incident(claim.incident)
    if incident is None:
        return _told(404, "This incident is no longer stored.")
    if method != "POST" or incident.state is not State.OPEN:
        return Answer(200, _page(_state(incident), _about(incident), _form(token, incident)), incident)
    by = inert(name, _LONGEST_NAME) or "somebody"
    note = f"by the link sent to {claim.channel}"
    after = store.change_incident(
        incident.id, lambda one: acknowledge(one, by, now, note) if one and one.state is State.OPEN else None
    )
    assert after is not None
    return Answer(200, _page(_state(after), _about(after), ""), after)


def _state(incident: Incident) -> str:
    if incident.state in CLOSED:
        last = incident.history[-1] if incident.history else None
        return f"Closed as {incident.state}" + (f" by {for_html(last.by, 80)}." if last else ".")
    if incident.state is State.ACKNOWLEDGED:
        at = f" since {_minute(incident.acknowledged_at)}" if incident.acknowledged_at else ""
        return (
            f"{for_html(incident.owner or 'Somebody', 80)} looks after it{at}: reminders and escalation have stopped."
        )
    return "Nobody looks after it yet."


def _about(incident: Incident) -> str:
    rows = {
        "Incident": incident.id,
        "What": incident.title,
        "Severity": str(incident.severity),
        "From": _minute(incident.start),
        "To": _minute(incident.end),
        "Findings": str(len(incident.findings)),
    }
    cells = "".join(f"<tr><th>{name}</th><td>{for_html(value, 300)}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"


def _form(token: str, incident: Incident) -> str:
    if incident.state is not State.OPEN:
        return ""
    return (
        '<form method="post" action="ack">'
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        f'<p><label>Your name <input name="name" maxlength="{_LONGEST_NAME}" autocomplete="name"></label></p>'
        '<p><button type="submit">I look after it</button></p></form>'
    )


def _told(status: int, text: str) -> Answer:
    return Answer(status, _page(escape(text), "", ""))


def _page(text: str, about: str, form: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>Regsight: acknowledge</title></head><body><main><h1>Acknowledge</h1><p>{text}</p>{about}{form}</main>"
        "</body></html>"
    )


def _minute(moment: datetime) -> str:
    return iso(moment)[:16].replace("T", " ") + " UTC"
