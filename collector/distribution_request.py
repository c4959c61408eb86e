"""What one application line of Distribution 2.x or 3.x says about a request.

The end of a request is told by one of these messages; everything else that carries a request id (`authorized request`,
`client disconnected during blob PATCH`, …) is said again, and fully, by the line that ends it:

    response completed                                    info     2xx, 3xx; in 2.8 without the user (`collector.authorized`)
    response completed with error                         error    one line for each error of the answer
    error authorizing context: …                          warning  no or wrong credentials; no status, no duration
    error authenticating user "u": … (2.8)                error    the name that was refused, in the message
    user failed to authenticate (3.x)                     info     the name that was refused, in the field username
"""

from __future__ import annotations

import re
from typing import Any

from collector.access_line import unescape
from collector.authorized import MESSAGE as AUTHORIZED
from collector.lines import address_and_port, go_duration_ns, moment, whole, word
from collector.request import Kind, Request, action_of, read_request, result_of
from collector.sheet import request_event_id
from store.event import BAD_CREDENTIALS, CHALLENGE, FORBIDDEN, NO_CREDENTIALS, Action, Channel, Event, Outcome

_REFUSED_USER = re.compile(r'error authenticating user "((?:[^"\\]|\\.)*)": ')
_NOTHING_PRESENTED = ("invalid authorization credential", "authorization token required")
FORGED = "invalid token"
_REFUSED = ("authentication failure", FORGED)
_LONGEST_MESSAGE = 500
# What the types of answers with manifests begin with; layers are a stream of bytes, errors plain JSON.
MANIFEST_TYPES = "application/vnd."


def request_event(entry: dict[str, Any]) -> Event | None:
    """The event of a line that ends a request (or names whom it refused); None for every other line.

    Raises:
        Unreadable: the line has no time that can be read.
    """
    message = entry["msg"]
    if message == AUTHORIZED:  # nearly half of all lines
        return None
    request_id = word(entry.get("http.request.id"))
    if request_id is None:
        return None
    method, uri = word(entry.get("http.request.method")), word(entry.get("http.request.uri"))
    request = read_request(method or "", uri or "")
    if message.startswith("response completed"):
        event = completed(entry, request)
    else:
        refused = refused_event(entry, message, request)
        if refused is None:
            return None
        event = refused
    client, port = address_and_port(entry.get("http.request.remoteaddr"))
    event |= {
        "event_id": request_event_id(request_id, event["action"], request.reference),
        "channel": Channel.APPLICATION.value,
        "timestamp": moment(entry["time"]),
        "client_ip": client,
        "client_port": port,
        # Distribution writes the first X-Forwarded-For as it came, without a port, and the peer's address with one.
        "client_via": None if client is None else "forwarded" if port is None else "peer",
        "user_agent": word(entry.get("http.request.useragent")),
        "method": method,
        "uri": uri,
        "host": word(entry.get("http.request.host")),
        "request_id": request_id,
        "repository": request.repository,
        "reference": request.reference,
        "digest": request.digest,
        "from_repository": request.from_repository,
    }
    return event


def completed(entry: dict[str, Any], request: Request) -> Event:
    status = whole(entry.get("http.response.status"))
    actor = word(entry.get("auth.user.name"))
    code, detail = word(entry.get("err.code")), entry.get("err.detail")
    outcome, reason = result_of(request, status, None)
    if detail == "client disconnected":
        reason = "aborted"  # answered 500, but it was the client who left
    elif code == "unsupported":
        reason = "unsupported"
    return {
        "action": action_of(request, status, actor).value,
        "outcome": outcome.value,
        "reason": reason,
        "actor": actor,
        "status": status,
        "response_bytes": whole(entry.get("http.response.written")),
        "duration_ns": go_duration_ns(entry.get("http.response.duration")),
        "media_type": _manifest_type(word(entry.get("http.response.contenttype"))),
        "error_code": code,
        "error_message": error_message(word(entry.get("err.message")), detail),
    }


def _manifest_type(answered: str | None) -> str | None:
    return answered if answered is not None and answered.startswith(MANIFEST_TYPES) else None


def error_message(message: str | None, detail: Any) -> str | None:
    parts = [part for part in (message, detail) if isinstance(part, str) and part]
    return ": ".join(parts)[:_LONGEST_MESSAGE] or None


def refused_event(entry: dict[str, Any], message: str, request: Request) -> Event | None:
    """Lines of a request that was turned away before it reached its handler."""
    actor: str | None = None
    if message.startswith("error authorizing context"):
        reason = why_refused(message)
    elif message == "user failed to authenticate":
        actor, reason = word(entry.get("username")), BAD_CREDENTIALS
    elif (named := _REFUSED_USER.match(message)) is not None:
        actor, reason = unescape(named[1]) or None, BAD_CREDENTIALS
    elif message.startswith("error checking authorization"):
        action = action_of(request, None, None).value
        return {
            "action": action,
            "outcome": Outcome.FAILURE.value,
            "reason": "invalid",
            "actor": None,
            "error_message": None,
        }
    else:
        return None
    action, outcome = action_of(request, None, None), Outcome.DENIED
    if request.kind is Kind.BASE:
        if reason in (BAD_CREDENTIALS, FORBIDDEN):
            action = Action.LOGIN
        else:
            outcome, reason = Outcome.UNKNOWN, CHALLENGE
    # Of all these only a token that nobody trusted issued is told apart from a wrong password.
    said = FORGED if message.endswith(FORGED) else None
    return {"action": action.value, "outcome": outcome.value, "reason": reason, "actor": actor, "error_message": said}


def why_refused(message: str) -> str | None:
    """The reason of `error authorizing context: …`; None where it is another than these."""
    if message.endswith(_NOTHING_PRESENTED):
        return NO_CREDENTIALS
    if message.endswith(_REFUSED):
        return BAD_CREDENTIALS
    return FORBIDDEN if message.endswith("insufficient scope") else None
