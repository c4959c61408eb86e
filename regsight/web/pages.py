"""The pages. Each is a plain function, so that starlette runs it in a thread: the store blocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from analytics.reports.figures import figures
from analytics.reports.render import content_security_policy, render_html, template_environment
from regsight.web import guard
from regsight.web.filters import BadFilter, as_typed, read_filters, read_time
from regsight.web.overview import DAY, traffic
from regsight.web.state import WebState
from store.contract import EventQuery
from store.errors import StoreError
from store.event import BY_ECS, Action, Outcome, iso, to_ecs

TEMPLATES = Path(__file__).parent / "templates"
LATEST, NEWEST = 15, 8  # events and findings on the first page
WEEK = timedelta(days=7)
LONGEST_FORM = 4096


@cache
def _templates() -> Environment:
    return template_environment(TEMPLATES)


def page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A rendered template with what every page needs."""
    state: WebState = request.app.state.regsight
    text = (
        _templates()
        .get_template(name)
        .render(
            title=state.title,
            demo=state.demo,
            anchored=state.anchor_time is not None,
            now=state.now(),
            here=request.url.path,
            refresh_seconds=state.refresh_seconds,
            **values,
        )
    )
    return HTMLResponse(text.encode("utf-8", errors="replace"), status)


def overview(request: Request) -> Response:
    """What is happening now."""
    state: WebState = request.app.state.regsight
    # The last day's partitions usually hold enough; only a quiet registry makes the store look further back.
    query = EventQuery(since=state.now() - DAY, limit=LATEST, newest_first=True)
    events = list(state.store.events(query))
    if len(events) < LATEST:
        events = list(state.store.events(replace(query, since=None)))
    return page(
        request,
        "overview.html",
        traffic=traffic(state.store, state.now()),
        events=events,
        findings=state.store.findings(limit=NEWEST),
        sources=state.sources(),
        jobs=state.jobs(),
    )


def events(request: Request) -> Response:
    """Events by filter, newest first, page by page."""
    state: WebState = request.app.state.regsight
    choices: dict[str, Any] = {
        "actions": [str(action) for action in Action],
        "outcomes": [str(outcome) for outcome in Outcome],
    }
    try:
        filters = read_filters(request.query_params, state.now())
    except BadFilter as error:
        typed = as_typed(request.query_params)
        return page(request, "events.html", 400, error=str(error), form=typed, events=[], filters=None, **choices)
    found = list(state.store.events(filters.query()))[(filters.page - 1) * filters.limit :]
    return page(
        request,
        "events.html",
        error="",
        form={**filters.given, "action": filters.actions, "outcome": filters.outcomes},
        events=found[: filters.limit],
        more=len(found) > filters.limit,
        filters=filters,
        empty=not found and state.store.span() is None,
        **choices,
    )


def event(request: Request) -> Response:
    """Everything that is known of one event, and the lines it was read from."""
    state: WebState = request.app.state.regsight
    wanted = request.path_params["id"]
    for found in list(state.store.events(EventQuery(ids=[wanted], limit=1))):
        fields = [(BY_ECS[ecs], value) for ecs, value in to_ecs(found).items()]
        return page(request, "event.html", event=found, fields=fields)
    return missing(request, f"No event {wanted} is stored; it may have been dropped with its day.")


def findings(request: Request) -> Response:
    """All findings, newest first."""
    state: WebState = request.app.state.regsight
    return page(request, "findings.html", findings=state.store.findings(limit=200))


def finding(request: Request) -> Response:
    """One finding as a story: what was seen, what is usual, the evidence, what to do, who was told."""
    state: WebState = request.app.state.regsight
    found = state.store.finding(request.path_params["id"])
    if found is None:
        return missing(request, f"There is no finding {request.path_params['id']}.")
    evidence = list(state.store.events(EventQuery(ids=found.evidence))) if found.evidence else []
    return page(
        request,
        "finding.html",
        finding=found,
        evidence=evidence,
        deliveries=state.store.deliveries(found.id),
        missing=len(found.evidence) - len(evidence),
    )


def report_span(state: WebState, request: Request) -> tuple[datetime, datetime]:
    """The span asked for, else the last week, else (when that is empty) all that is stored."""
    since = read_time("since", request.query_params.get("since", ""), state.now())
    until = read_time("until", request.query_params.get("until", ""), state.now()) or state.now()
    stored = state.store.span()
    if since is None and stored is not None and stored[1] < until - WEEK:
        return stored[0], stored[1] + timedelta(microseconds=1)
    since = since or until - WEEK
    if since >= until:
        raise BadFilter(f"since: {iso(since)} is not before until: {iso(until)}")
    return since, until


def report(request: Request) -> Response:
    """The report, as `regsight report` would write it. Its style sheet is inline, so it has a policy of its own."""
    state: WebState = request.app.state.regsight
    try:
        since, until = report_span(state, request)
    except BadFilter as error:
        return page(request, "message.html", 400, heading="Which span?", message=str(error))
    html = render_html({"generated_at": iso(state.clock()), **figures(state.store, since, until)}, home="/")
    policy = content_security_policy() + "; frame-ancestors 'none'"
    return HTMLResponse(html.encode("utf-8", errors="replace"), headers={"Content-Security-Policy": policy})


def sent(request: Request) -> Response:
    """What the local receiver got."""
    state: WebState = request.app.state.regsight
    return page(request, "sent.html", messages=state.sent())


def login_form(request: Request) -> Response:
    """The form for the token."""
    return page(request, "login.html", error="", next=_local(request.query_params.get("next", "/")))


async def login(request: Request) -> Response:
    """Token in, cookie out. Reads the form itself: the one field is not worth a multipart parser."""
    state: WebState = request.app.state.regsight
    tries: guard.Tries = request.app.state.tries
    now = state.clock()
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            return page(request, "login.html", 413, error="That is too long for a token.", next="/")
    form = parse_qs(body.decode("utf-8", errors="replace"))
    target = _local(form.get("next", ["/"])[0])
    if state.token is None:
        return RedirectResponse("/", 303)
    if not tries.allowed(now):
        return page(request, "login.html", 429, error="Too many wrong tokens; wait a minute.", next=target)
    if not guard.same(form.get("token", [""])[0].strip(), state.token):
        tries.failed(now)
        return page(request, "login.html", 401, error="That is not the token.", next=target)
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        guard.COOKIE,
        guard.session_value(state.token, now),
        max_age=int(guard.SESSION.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _local(target: str) -> str:
    """Only a path of this page: `//host` and `/\\host` lead a browser elsewhere."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"


def missing(request: Request, message: str) -> Response:
    """Not found, in words."""
    return page(request, "message.html", 404, heading="Not here", message=message)


def not_found(request: Request, error: Exception) -> Response:
    """An address that leads nowhere."""
    return missing(request, f"There is no page {request.url.path}.")


def store_error(request: Request, error: Exception) -> Response:
    """The store did not answer: say so, and what to look at, without the details that may name a secret."""
    kind = type(error).__name__ if isinstance(error, StoreError) else "error"
    message = (
        "The store does not answer, so there is nothing to show. Collecting goes on as soon as it is back; "
        "`regsight status` shows what it says."
    )
    return page(request, "message.html", 503, heading=f"The store does not answer ({kind})", message=message)
