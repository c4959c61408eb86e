"""A template and what every page needs → an answer."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from analytics.reports.render import template_environment
from regsight.store_health import known_damage
from regsight.web import forms
from regsight.web.guard import visitor_of
from regsight.web.state import WebState
from store.errors import StoreError

TEMPLATES = Path(__file__).parent / "templates"


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
            live_seconds=state.live_seconds,
            visitor=visitor_of(request),
            form_token=forms.token(request),
            settings_shown=state.settings is not None,
            damage=_damage(request, state),
            **values,
        )
    )
    return HTMLResponse(text.encode("utf-8", errors="replace"), status)


def _damage(request: Request, state: WebState) -> list[dict[str, Any]]:
    """For the banner, which is nothing for strangers; a store that does not answer has a page of its own."""
    try:
        return known_damage(state.store) if request.scope["regsight.known"] else []
    except StoreError:
        return []


def fragment(name: str, **values: Any) -> str:
    """A rendered part of a page."""
    return _templates().get_template(name).render(**values).encode("utf-8", errors="replace").decode()


def missing(request: Request, message: str) -> Response:
    """Not found, in words."""
    return page(request, "message.html", 404, heading="Not here", message=message)


def refused(request: Request, message: str) -> Response:
    """Not allowed, in words."""
    return page(request, "message.html", 403, heading="Not allowed", message=message)


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
