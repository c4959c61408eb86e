"""Incidents: what happened, how long each step took, and what somebody does about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from analytics.incidents import Times, in_a_sentence, story, times
from regsight.web import forms
from regsight.web.access import LONGEST_NAME
from regsight.web.guard import visitor_of
from regsight.web.investigate import Subject, look
from regsight.web.rendering import missing, page, refused
from regsight.web.state import WebState
from store.contract import Store
from store.incident import CLOSED, Incident, State, acknowledge, assign, close, remark, reopen

LONGEST_NOTE = 2000
LISTED = 200
AROUND = timedelta(hours=1)  # before an incident begins, for its picture
NOBODY = frozenset({"anonymous", "-", ""})

Change = Callable[[Incident, str, datetime, str], Incident]
ACTS: dict[str, Change] = {
    "acknowledge": acknowledge,
    "resolve": close,
    "expected": lambda one, by, at, note: close(one, by, at, note, expected=True),
    "reopen": reopen,
    "assign": assign,
    "note": remark,
}


def times_of(store: Store, incident: Incident) -> Times:
    """Seconds to detect, tell, acknowledge and close."""
    return times(incident, [one for id in incident.findings for one in store.deliveries(id)])


def incidents(request: Request) -> Response:
    """All incidents, newest first; `?state=open` only those of a state."""
    state: WebState = request.app.state.regsight
    wanted = [name for name in request.query_params.getlist("state") if name in list(State)]
    found = [one for one in state.store.incidents(limit=LISTED) if not wanted or one.state in wanted]
    rows = [(one, times_of(state.store, one), in_a_sentence(one)) for one in found]
    return page(request, "incidents.html", rows=rows, states=[str(one) for one in State], wanted=wanted)


def open_ones(store: Store, most: int) -> list[tuple[Incident, str]]:
    """Those that wait for somebody, the most severe first, then the newest."""
    found = [one for one in store.incidents(limit=LISTED) if one.state not in CLOSED]
    found.sort(key=lambda one: (one.state != State.OPEN, -one.severity.rank, -one.detected_at.timestamp()))
    return [(one, in_a_sentence(one)) for one in found[:most]]


def incident(request: Request) -> Response:
    """One incident: story, times, what it touched, what to do."""
    return show(request, request.path_params["id"])


def show(request: Request, id: str, status: int = 200, error: str = "", note: str = "") -> Response:
    """The page of an incident; with what was wrong in a form that was sent, and what had been typed."""
    state: WebState = request.app.state.regsight
    found = state.store.incident(id)
    if found is None:
        return missing(request, f"There is no incident {id}.")
    leads = leads_of(found)
    asked = request.query_params.get("about", "")
    lead = next((one for one in leads if f"{one.kind}:{one.name}" == asked), leads[0] if leads else None)
    return page(
        request,
        "incident.html",
        status,
        incident=found,
        closed=found.state in CLOSED,
        times=times_of(state.store, found),
        story=story(state.store, found),
        findings=[one for one in map(state.store.finding, found.findings) if one is not None],
        leads=leads,
        lead=lead,
        reach=look(state.store, lead, found.start - AROUND, state.now() + timedelta(microseconds=1)) if lead else None,
        error=error,
        note=note,
    )


def leads_of(incident: Incident) -> list[Subject]:
    """Whose traces to follow: addresses, then accounts, then repositories; names that stand for nobody lead nowhere."""
    return [
        Subject(kind=kind, name=name)
        for kind in ("client", "actor", "repository")
        for name in incident.subjects.get(kind, ())[:8]
        if name not in NOBODY
    ]


async def act(request: Request) -> Response:
    """Somebody acknowledges, closes, reopens, assigns or notes; 303 back to the incident."""
    id = request.path_params["id"]
    visitor = visitor_of(request)
    try:
        fields = await forms.read(request)
        forms.check(request, fields)
    except forms.TooLong:
        return page(request, "message.html", 413, heading="Too long", message="That is more than a note may hold.")
    except forms.Foreign:
        return refused(
            request, "This form is not from here, or the page was started anew since. Open the incident again."
        )
    if not visitor.may_act:
        return refused(request, f"You may look ({visitor.role}), and only an operator may act on incidents.")
    return await run_in_threadpool(_act, request, id, fields)


def _act(request: Request, id: str, fields: dict[str, str]) -> Response:
    state: WebState = request.app.state.regsight
    note, did = _clean(fields.get("note", ""), LONGEST_NOTE), fields.get("did", "")
    by = visitor_of(request).name or _clean(fields.get("by", ""), LONGEST_NAME)
    change = ACTS.get(did)
    problem = (
        "Nothing is known to be done so." if change is None
        else "Say who you are: the others have to know who looks after it." if not by
        else "Write the note first." if did == "note" and not note
        else "Write into the note who looks after it from now on." if did == "assign" and not note
        else ""
    )  # fmt: skip
    if change is None or problem:
        return show(request, id, 400, error=problem, note=note)
    at = state.clock()
    after = state.store.change_incident(id, lambda before: before and change(before, by, at, note))
    if after is None:
        return missing(request, f"There is no incident {id}.")
    return RedirectResponse(f"/incidents/{quote(id, safe='')}", 303)


def _clean(text: str, longest: int) -> str:
    """What somebody typed, without what acts on a screen."""
    return "".join(char if char.isprintable() else " " for char in text).strip()[:longest]


def as_json(store: Store, incident: Incident) -> dict[str, Any]:
    """An incident with its times, as the command line's JSON has it."""
    measured = times_of(store, incident)
    return incident.as_json() | {
        "times": {
            "detect_seconds": measured.detect,
            "notify_seconds": measured.notify,
            "acknowledge_seconds": measured.acknowledge,
            "close_seconds": measured.close,
        }
    }
