"""JFrog Access, access-request.log: the columns of artifactory-request.log with the two lengths exchanged (answer, request).

Access is the service behind Artifactory that knows users, groups, permissions and tokens. Told are tokens that people ask for
and changes of rights, from the paths of its REST API; what JFrog's own services ask of it all day long is ignored.

Columns from lines of a real server (7.161); paths from JFrog's REST API documentation ("Access Tokens", "Users", "Groups",
"Permissions", "Projects").
"""

from __future__ import annotations

import re

from collector.artifactory import asked, numbered
from collector.jfrog_request_line import looks_like_request_line, read_request_line
from collector.lines import as_text
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.request import Kind, Request
from collector.stages import Facts
from store.event import Action, Channel, Event

_API = re.compile(r"/access/api/v\d{1,2}/([a-z_]{1,40})(?:[/?].*)?", re.DOTALL)
_ACTIONS = {
    "tokens": Action.TOKEN,
    "oauth": Action.TOKEN,
    "users": Action.PERMISSION,
    "groups": Action.PERMISSION,
    "permissions": Action.PERMISSION,
    "roles": Action.PERMISSION,
    "projects": Action.CONFIG,
    "config": Action.CONFIG,
}
_WRITING = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_OWN_SERVICE = re.compile(r"jf[a-z]{2,5}@[0-9a-z]+")


def claims(head: bytes) -> float:
    return 0.95 * share_of_lines(head, _is_access)


def _is_access(line: bytes) -> bool:
    return (looks_like_request_line(as_text(line)) or "").startswith("/access/")


def parse_line(line: Line) -> Event | None:
    read = read_request_line(as_text(line.data))
    found = _API.fullmatch(read.url)
    action = _ACTIONS.get(found[1]) if found else None
    if action is None or read.method not in _WRITING:
        return None
    if _OWN_SERVICE.fullmatch(read.user) or (read.user_agent or "").startswith("JFrog "):
        return None
    if action is Action.TOKEN and read.method != "POST":
        action = Action.PERMISSION  # a token is taken back
    kind = Kind.TOKEN if action is Action.TOKEN else Kind.OUTSIDE
    event: Event = {"channel": Channel.ACCESS.value}
    event |= read.event()
    event |= asked(Request(kind=kind, action=action), read.status, read.user)
    event["response_bytes"], event["request_bytes"] = read.lengths
    return numbered(event, read.trace)


FORMAT = one_by_one(
    "artifactory-access-request",
    claims,
    parse_line,
    title="JFrog Access request log",
    registry_kind="artifactory",
    facts=Facts(versions="7.x (columns of 7.161)", tested=False, never=("pulls", "pushes", "repository", "digest")),
)
