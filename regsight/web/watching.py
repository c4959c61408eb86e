"""What comes in right now, where it comes from, what could not be read, and under which settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from analytics.integrity import open_gaps
from regsight.web.filters import BadFilter, as_typed, read_filters
from regsight.web.guard import visitor_of
from regsight.web.newest import newest
from regsight.web.rendering import missing, page, refused
from regsight.web.settings_shown import rows
from regsight.web.state import SourceRow, WebState
from regsight.web.stream import ROWS, EventStream, Full, Hub
from store.contract import Store
from store.event import Action, Outcome

DAY = timedelta(days=1)
LETTERS = 25
LETTER_SHOWN = 300  # characters of a line that could not be read


def live(request: Request) -> Response:
    """The newest events by filter; the page's script listens to `stream` and marks what is new."""
    state: WebState = request.app.state.regsight
    choices: dict[str, Any] = {
        "actions": [str(action) for action in Action],
        "outcomes": [str(outcome) for outcome in Outcome],
    }
    try:
        filters = read_filters(request.query_params, state.now())
    except BadFilter as error:
        typed = as_typed(request.query_params)
        return page(request, "live.html", 400, error=str(error), form=typed, events=[], **choices)
    query = replace(filters.query(), since=None, until=None)
    return page(
        request,
        "live.html",
        error="",
        form={**filters.given, "action": filters.actions, "outcome": filters.outcomes, "text": filters.text},
        events=newest(state.store, query, state.now(), ROWS, filters.text),
        stream="/api/live?" + urlencode(_said(request)),
        **choices,
    )


def _said(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.query_params.multi_items() if value]


async def stream(request: Request) -> Response:
    """The events that fit, as they are stored: server-sent events `reset` (all rows anew), `rows` (new ones on top) and
    `beat` (every 15 s). A browser that comes back says by `Last-Event-ID` (or `last`) what it has; 503 if too many watch.
    """
    hub: Hub = request.app.state.hub
    try:
        filters = read_filters(request.query_params, request.app.state.regsight.now())
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    last = request.headers.get("last-event-id", "") or request.query_params.get("last", "")
    try:
        client = await hub.join(filters, last)
    except Full:
        again = {"Retry-After": "30"}
        return JSONResponse({"error": "as many live views are open as may be; the page asks now and then"}, 503, again)
    return EventStream(hub.read(client))


def sources(request: Request) -> Response:
    """Sources with lag and events of the last day, what is missing, dead letters, jobs, the store."""
    state: WebState = request.app.state.regsight
    store = state.store
    counts = store.dead_letter_counts()
    return page(
        request,
        "sources.html",
        sources=with_events(state),
        gaps=gaps(store),
        reasons=sorted(counts.items(), key=lambda one: (-one[1], one[0])),
        letters=[(one, _line(one.line)) for one in store.dead_letters(limit=LETTERS)] if counts else [],
        jobs=state.jobs(),
        store=store.url,
        span=store.span(),
        total=store.total(),
    )


def with_events(state: WebState) -> list[SourceRow]:
    """The sources, each with the events of its stream in the last 24 hours where nothing else says how many."""
    counted = state.store.counts(state.now() - DAY, state.now() + timedelta(microseconds=1), ["stream"])
    by_stream = {str(row["stream"]): int(row["events"]) for row in counted.to_dict("records")}
    rows_: list[SourceRow] = []
    for row in state.sources():
        known = by_stream.get(row["stream"], 0) if "stream" in row else None
        rows_.append({**row, "events": row["events"] if row.get("events") is not None else known})
    return rows_


def gaps(store: Store) -> list[dict[str, Any]]:
    """What the collector knows to be missing, the newest first; what was found after all is left out."""
    return sorted(open_gaps(store), key=lambda note: str(note.get("noticed_at")), reverse=True)


def _line(line: bytes) -> str:
    return line[: LETTER_SHOWN * 4].decode("utf-8", "replace").rstrip("\r\n")[:LETTER_SHOWN]


def settings(request: Request) -> Response:
    """The settings in force, secrets masked."""
    state: WebState = request.app.state.regsight
    if not visitor_of(request).may_audit:
        return refused(request, "The settings are for operators and auditors.")
    if state.settings is None:
        return missing(request, "This page was started without settings.")
    return page(request, "settings.html", rows=list(rows(state.settings())))
