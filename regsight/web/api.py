"""The same as JSON, and what other programs ask: health, readiness, metrics."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from analytics.incidents import story
from analytics.reports.audit import audit
from analytics.reports.costs import costs as costs_of
from analytics.reports.figures import TOP, figures
from analytics.tag_ledger import tag_ledger
from regsight.store_health import known_damage
from regsight.web.filters import BadFilter, read_filters, read_time
from regsight.web.guard import visitor_of
from regsight.web.incidents import as_json
from regsight.web.investigate import look, span_of, subject_of
from regsight.web.pages import audit_span, report_span
from regsight.web.state import WebState
from store.event import iso, to_ecs
from store.finding import Severity
from store.incident import State


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


def incidents(request: Request) -> Response:
    """`{"incidents": […]}`, newest first, each with its times in seconds; `state` (several times) narrows it."""
    state: WebState = request.app.state.regsight
    wanted = request.query_params.getlist("state")
    if unknown := [name for name in wanted if name not in list(State)]:
        return JSONResponse({"error": f"state: {unknown[0]!r} is none of {', '.join(State)}"}, 400)
    found = [one for one in state.store.incidents(limit=1000) if not wanted or one.state in wanted]
    return JSONResponse({"incidents": [as_json(state.store, one) for one in found]})


def incident(request: Request) -> Response:
    """One incident with its times and its story."""
    state: WebState = request.app.state.regsight
    found = state.store.incident(request.path_params["id"])
    if found is None:
        return JSONResponse({"error": f"no incident {request.path_params['id']!r}"}, 404)
    told = [{"at": iso(one.at), "what": one.what, "finding": one.about or None} for one in story(state.store, found)]
    return JSONResponse(as_json(state.store, found) | {"story": told})


def blast(request: Request) -> Response:
    """The blast radius of `digest`, `actor`, `client` or `repository`, as `regsight blast --json` gives it, with its
    sessions. `cut` says that only the newest events of the subject are in it, from `since` on.
    """
    state: WebState = request.app.state.regsight
    subject = subject_of(request)
    if subject is None:
        return JSONResponse({"error": "name a digest, actor, client or repository"}, 400)
    try:
        since, until = span_of(request, state)
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    found = look(state.store, subject, since, until)
    sessions = [session.as_json() for session in found.sessions]
    return JSONResponse(found.radius.as_json() | {"cut": found.cut, "sessions": sessions})


def tags(request: Request) -> Response:
    """`{"tags": […]}`: which digest each tag of `repository` (or the one `tag`) pointed to, newest first."""
    state: WebState = request.app.state.regsight
    repository = request.query_params.get("repository", "").strip()
    if not repository:
        return JSONResponse({"error": "name a repository"}, 400)
    entries = tag_ledger(state.store, repository, request.query_params.get("tag", "").strip() or None)
    return JSONResponse({"tags": [entry.as_json() for entry in entries]})


def report(request: Request) -> Response:
    """The figures of the report."""
    state: WebState = request.app.state.regsight
    try:
        since, until = report_span(state, request)
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"generated_at": iso(state.clock()), **figures(state.store, since, until)})


def audit_report(request: Request) -> Response:
    """The figures of the auditor's report."""
    state: WebState = request.app.state.regsight
    if not visitor_of(request).may_audit:
        return JSONResponse({"error": "the auditor's report is for auditors and operators"}, 403)
    try:
        since, until = audit_span(state, request)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"generated_at": iso(state.clock()), **audit(state.store, since, until)})


def costs(request: Request) -> Response:
    """What distribution costs and could save, as `regsight costs --json` gives it; `price_per_gib` as there."""
    state: WebState = request.app.state.regsight
    price = request.query_params.get("price_per_gib", "")
    try:
        since, until = report_span(state, request)
        each = float(price) if price else None
        if each is not None and not 0 <= each < 1e9:
            raise BadFilter("price_per_gib: it is a price, 0 or more")
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"since": iso(since), "until": iso(until), **costs_of(state.store, since, until, TOP, each)})


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
                "damage": known_damage(state.store),
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
