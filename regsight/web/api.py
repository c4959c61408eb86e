"""The same as JSON, and what other programs ask: health, readiness, metrics."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from analytics.reports.figures import figures
from regsight.web.filters import BadFilter, read_filters, read_time
from regsight.web.pages import report_span
from regsight.web.state import WebState
from store.event import iso, to_ecs
from store.finding import Severity


def events(request: Request) -> Response:
    """`{"events": […], "more": …}`: flat ECS names, newest first; `page` and `limit` as on the page."""
    state: WebState = request.app.state.regsight
    try:
        filters = read_filters(request.query_params, state.now())
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    found = list(state.store.events(filters.query()))[(filters.page - 1) * filters.limit :]
    return JSONResponse(
        {"events": [to_ecs(event) for event in found[: filters.limit]], "more": len(found) > filters.limit}
    )


def findings(request: Request) -> Response:
    """`{"findings": […]}`, newest first; `since`, `until` and `severity` (the least) narrow it."""
    state: WebState = request.app.state.regsight
    params = request.query_params
    try:
        since = read_time("since", params.get("since", ""), state.now())
        until = read_time("until", params.get("until", ""), state.now())
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    least = params.get("severity", Severity.INFO)
    if least not in list(Severity):
        return JSONResponse({"error": f"severity: {least!r} is none of {', '.join(Severity)}"}, 400)
    found = state.store.findings(since, until, Severity(least), limit=1000)
    return JSONResponse({"findings": [finding.as_json() for finding in found]})


def report(request: Request) -> Response:
    """The figures of the report."""
    state: WebState = request.app.state.regsight
    try:
        since, until = report_span(state, request)
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"generated_at": iso(state.clock()), **figures(state.store, since, until)})


def status(request: Request) -> Response:
    """What is stored, the sources with their lag, the jobs with their last and next run."""
    state: WebState = request.app.state.regsight
    span = state.store.span()
    ready, why = state.ready()
    return JSONResponse(
        {
            "now": iso(state.now()),
            "ready": ready,
            "ready_because": why,
            "store": {
                "url": state.store.url,
                "events": state.store.total(),
                "first": iso(span[0]) if span else None,
                "last": iso(span[1]) if span else None,
                "dead_letters": state.store.dead_letter_counts(),
            },
            "sources": [_plain(row) for row in state.sources()],
            "jobs": [_plain(row) for row in state.jobs()],
        }
    )


def _plain(row: Any) -> dict[str, Any]:
    return {name: iso(value) if hasattr(value, "astimezone") else value for name, value in row.items()}


def healthz(request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


def readyz(request: Request) -> Response:
    """The process can do its work, or why not (503)."""
    state: WebState = request.app.state.regsight
    ready, why = state.ready()
    return PlainTextResponse(why + "\n", 200 if ready else 503)


def metrics(request: Request) -> Response:
    """For Prometheus."""
    state: WebState = request.app.state.regsight
    body, content_type = state.metrics()
    return Response(body, headers={"Content-Type": content_type})


def store_error(request: Request, error: Exception) -> Response:
    """The store did not answer."""
    return JSONResponse({"error": "the store does not answer", "kind": type(error).__name__}, 503)
