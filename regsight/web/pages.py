"""The pages. Each is a plain function, so that starlette runs it in a thread: the store blocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from analytics.reports.audit import audit
from analytics.reports.figures import figures
from analytics.reports.render import content_security_policy, render_audit, render_html
from regsight.periods import last_period, month_of
from regsight.web import forms, guard
from regsight.web.access import LONGEST_NAME
from regsight.web.filters import BadFilter, as_typed, read_filters, read_time
from regsight.web.incidents import open_ones
from regsight.web.newest import newest
from regsight.web.overview import traffic
from regsight.web.rendering import missing, page, refused
from regsight.web.state import WebState
from store.contract import EventQuery
from store.event import BY_ECS, Action, Outcome, iso, to_ecs
from store.finding import Severity

LONGEST_FORM = 4096
LATEST, NEWEST, OPEN = 15, 5, 6  # events, findings and open incidents on the first page
LISTED = 200  # findings
WEEK = timedelta(days=7)


def overview(request: Request) -> Response:
    """What is happening now."""
    state: WebState = request.app.state.regsight
    return page(
        request,
        "overview.html",
        traffic=traffic(state.store, state.now(), request.app.state.usual),
        events=newest(state.store, EventQuery(), state.now(), LATEST),
        incidents=open_ones(state.store, OPEN),
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
    """All findings, newest first; `?severity=high` those that are at least so severe."""
    state: WebState = request.app.state.regsight
    asked = request.query_params.get("severity", "")
    least = Severity(asked) if asked in list(Severity) else Severity.INFO
    found = state.store.findings(min_severity=least, limit=LISTED)
    return page(request, "findings.html", findings=found, least=least, severities=list(Severity), most=LISTED)


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
        incident=next((one for one in state.store.incidents(since=found.start) if found.id in one.findings), None),
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
    return _alone(html)


def audit_report(request: Request) -> Response:
    """The auditor's report of `?month=2026-11`, else of the last month that is over."""
    state: WebState = request.app.state.regsight
    if not guard.visitor_of(request).may_audit:
        return refused(request, "The auditor's report is for auditors and operators.")
    try:
        since, until = audit_span(state, request)
    except ValueError as error:
        return page(request, "message.html", 400, heading="Which month?", message=str(error))
    html = render_audit({"generated_at": iso(state.clock()), **audit(state.store, since, until)}, home="/")
    return _alone(html)


def audit_span(state: WebState, request: Request) -> tuple[datetime, datetime]:
    """The month asked for, or the span asked for, else the last month that is over; where nothing was recorded until
    then, the month of the newest event.

    Raises:
        ValueError: a month or time that is none.
    """
    if month := request.query_params.get("month", ""):
        return month_of(month)
    if request.query_params.get("since", "") or request.query_params.get("until", ""):
        return report_span(state, request)
    since, until = last_period("month", state.now())
    stored = state.store.span()
    return month_of(f"{stored[1]:%Y-%m}") if stored is not None and stored[0] >= until else (since, until)


def _alone(html: str) -> HTMLResponse:
    """A page whose style sheet is inline, with a policy of its own."""
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
    """Token in, cookie out."""
    state: WebState = request.app.state.regsight
    access, tries, now = state.who(), request.app.state.tries, state.clock()
    try:
        form = await forms.read(request, LONGEST_FORM)
    except forms.TooLong:
        return page(request, "login.html", 413, error="That is too long for a token.", next="/")
    target = _local(form.get("next", "/"))
    if not access.tokens:
        return RedirectResponse("/", 303)
    if not tries.allowed(now):
        return page(request, "login.html", 429, error="Too many wrong tokens; wait a minute.", next=target)
    role = access.role_of(form.get("token", "").strip())
    if role is None:
        tries.failed(now)
        return page(request, "login.html", 401, error="That is not the token.", next=target)
    name = "".join(char for char in form.get("name", "") if char.isprintable()).strip()[:LONGEST_NAME]
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        guard.COOKIE,
        guard.session_value(access.tokens[role], now, role, name),
        max_age=int(guard.SESSION.total_seconds()),
        httponly=True,
        samesite="strict",
        # Whoever lies about the second only loses the cookie.
        secure="https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "")),
    )
    return answer


async def logout(request: Request) -> Response:
    """Forget the cookie."""
    try:
        forms.check(request, await forms.read(request, LONGEST_FORM))
    except (forms.TooLong, forms.Foreign):
        return refused(request, "This form is not from here, or the page was started anew since.")
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(guard.COOKIE, httponly=True, samesite="strict")
    return answer


def _local(target: str) -> str:
    """Only a path of this page: `//host` and `/\\host` lead a browser elsewhere."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"
