"""The page as an ASGI application. Import this only where it is served: starlette and jinja2 take a moment."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from analytics.reports.render import style
from regsight.web import api, pages
from regsight.web.guard import Guard, Tries
from regsight.web.state import WebState
from store.errors import StoreError

STATIC = Path(__file__).parent / "static"
STATIC_TYPES = {"site.css": "text/css", "refresh.js": "text/javascript", "icon.svg": "image/svg+xml"}


def create_app(state: WebState) -> Starlette:
    """The whole page for one store. Serve it with uvicorn on an address that `check_bind` let pass."""
    app = Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/events", pages.events),
            Route("/events/{id}", pages.event),
            Route("/findings", pages.findings),
            Route("/findings/{id}", pages.finding),
            Route("/report", pages.report),
            Route("/sent", pages.sent),
            Route("/login", pages.login_form, methods=["GET"]),
            Route("/login", pages.login, methods=["POST"]),
            Route("/api/events", api.events),
            Route("/api/findings", api.findings),
            Route("/api/report", api.report),
            Route("/api/status", api.status),
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
        return JSONResponse(
            {"error": f"no {request.url.path}; there are /api/events, findings, report and status"}, 404
        )
    return pages.not_found(request, error)


def store_error(request: Request, error: Exception) -> Response:
    """In words for people, as JSON for programs."""
    if request.url.path.startswith("/api/"):
        return api.store_error(request, error)
    return pages.store_error(request, error)
