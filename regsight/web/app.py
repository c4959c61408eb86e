"""The page as an ASGI application. Import this only where it is served: starlette and jinja2 take a moment."""

from __future__ import annotations

import secrets
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from analytics.reports.render import style
from regsight.web import ack, api, incidents, investigate, pages, rendering, watching
from regsight.web.guard import Guard, Tries
from regsight.web.state import WebState
from regsight.web.stream import Hub
from regsight.web.usual import UsualTraffic
from store.errors import StoreError

STATIC = Path(__file__).parent / "static"
STATIC_TYPES = {
    "site.css": "text/css",
    "refresh.js": "text/javascript",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
API = (
    Route("/api/events", api.events),
    Route("/api/incidents", api.incidents),
    Route("/api/incidents/{id}", api.incident),
    Route("/api/findings", api.findings),
    Route("/api/blast", api.blast),
    Route("/api/tags", api.tags),
    Route("/api/report", api.report),
    Route("/api/report/audit", api.audit_report),
    Route("/api/costs", api.costs),
    Route("/api/status", api.status),
    Route("/api/live", watching.stream, methods=["GET"]),
)


def create_app(state: WebState) -> Starlette:
    """The whole page for one store. Serve it with uvicorn on an address that `check_bind` let pass."""
    app = Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/events", pages.events),
            Route("/events/{id}", pages.event),
            Route("/findings", pages.findings),
            Route("/findings/{id}", pages.finding),
            Route("/incidents", incidents.incidents),
            Route("/incidents/{id}", incidents.incident),
            Route("/incidents/{id}/act", incidents.act, methods=["POST"]),
            Route("/live", watching.live),
            Route("/search", investigate.search),
            Route("/tags", investigate.tags),
            Route("/sources", watching.sources),
            Route("/settings", watching.settings),
            Route("/report", pages.report),
            Route("/report/audit", pages.audit_report),
            Route("/sent", pages.sent),
            Route("/ack", ack.ack, methods=["GET", "POST"]),
            Route("/login", pages.login_form, methods=["GET"]),
            Route("/login", pages.login, methods=["POST"]),
            Route("/logout", pages.logout, methods=["POST"]),
            *API,
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
            Route("/metrics", api.metrics),
            Route("/static/{name}", static),
        ],
        middleware=[Middleware(Guard, state=state)],
        exception_handlers={404: not_found, StoreError: store_error},
    )
    app.state.regsight = state
    app.state.tries = Tries()
    app.state.usual = UsualTraffic(state.store)
    app.state.hub = Hub(state)
    # Every process on one token takes the others' forms; without a token forms hold as long as the process.
    app.state.form_key = "".join(state.who().tokens.values()) or secrets.token_hex(32)
    return app


def static(request: Request) -> Response:
    """Our few files by name; `page.css` is the report's style sheet, which the page shares."""
    name = request.path_params["name"]
    if name == "page.css":
        return Response(style(), media_type="text/css")
    if name not in STATIC_TYPES:
        return not_found(request, FileNotFoundError(name))
    return Response((STATIC / name).read_bytes(), media_type=STATIC_TYPES[name])


def not_found(request: Request, error: Exception) -> Response:
    """In words for people, as JSON for programs."""
    if request.url.path.startswith("/api/"):
        there = ", ".join(route.path for route in API)
        return JSONResponse({"error": f"no {request.url.path}; there are {there}"}, 404)
    return rendering.not_found(request, error)


def store_error(request: Request, error: Exception) -> Response:
    """In words for people, as JSON for programs."""
    if request.url.path.startswith("/api/"):
        return api.store_error(request, error)
    return rendering.store_error(request, error)
