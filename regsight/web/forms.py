"""What a browser posts: read with a limit, and taken only from our own pages."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request

from regsight.web.access import same, seal
from regsight.web.guard import BEARER, visitor_of

TOKEN = "form"  # noqa: S105  # the name of the hidden field
LONGEST = 16_384


class TooLong(ValueError):
    """The body is longer than any of our forms."""


class Foreign(ValueError):
    """The form was not ours, or is older than the page's last start."""


async def read(request: Request, longest: int = LONGEST) -> dict[str, str]:
    """The fields of a form, each once; read here because they are not worth a multipart parser.

    Raises:
        TooLong: refused without reading on.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise TooLong
    fields = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def token(request: Request) -> str:
    """What stands in our forms and no foreign page can know: bound to the visitor's session and the page's key."""
    return seal(request.app.state.form_key, f"regsight form {visitor_of(request).session}")


def check(request: Request, fields: dict[str, str]) -> None:
    """Before anything is changed. A program that sends its token in a header is not asked for the hidden field: no page
    can make a browser send that header.

    Raises:
        Foreign: another site's page sent it (the browser says so), or the hidden field is not the visitor's own.
    """
    if visitor_of(request).session == BEARER:
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Foreign
    if not same(fields.get(TOKEN, ""), token(request)):
        raise Foreign
