"""`/ack?token=…`: the link in a message. It asks nobody to sign in: the signature in it is what opens it."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from alerts.ack_page import answer
from alerts.errors import ChannelUnusable
from regsight.web import forms
from regsight.web.guard import visitor_of
from regsight.web.rendering import page
from regsight.web.state import WebState

STYLE = '<link rel="stylesheet" href="static/page.css"><link rel="stylesheet" href="static/site.css">'


async def ack(request: Request) -> Response:
    """GET shows what it is about and changes nothing; POST, which a person confirms, acknowledges."""
    fields = {"token": request.query_params.get("token", "")}
    if request.method == "POST":
        try:
            fields = await forms.read(request)
        except forms.TooLong:
            return page(request, "message.html", 413, heading="Too long", message="That is more than the form holds.")
    return await run_in_threadpool(_ack, request, fields)


def _ack(request: Request, fields: dict[str, str]) -> Response:
    state: WebState = request.app.state.regsight
    name = visitor_of(request).name or fields.get("name", "")
    try:
        secret = state.ack_secret()
    except ChannelUnusable:
        message = "The secret of these links cannot be read: see `ack_secret_file` or `ack_secret_env` under [alerts]."
        return page(request, "message.html", 503, heading="Acknowledge links do not work now", message=message)
    told = answer(state.store, secret, request.method, fields.get("token", ""), name, state.clock())
    # The page comes without a style of its own; the address may lie below a path, so ours is named relatively.
    return HTMLResponse(told.html.replace("</title>", f"</title>{STYLE}", 1), told.status)
