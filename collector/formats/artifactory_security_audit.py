"""JFrog's audit trail, access-security-audit.log: users, groups, permissions, tokens and projects, as they are changed.

`time|trace|address|user|principal|entity|C, U or D|what|{json}`; releases before 7 have no trace. The JSON of what changed may
hold anything and is not kept. A row whose user is UNKNOWN was made with a token of one of JFrog's own services: then the service
is the actor, and the tokens that services give one another are `token`, not changes of rights.

JFrog documentation, "Audit Trail Log".
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from collector.artifactory import TIME, TRACE, trace_id
from collector.errors import NotMine, Unreadable
from collector.lines import address, as_text, moment, word
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.sheet import numbered_event_id
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_START = re.compile(rf"{TIME}\|(?:{TRACE}?\|)?(?=[^|]*\|[^|]*\|[^|]*\|[^|]*\|[CUD]\|)")
# Looked for everywhere: a user's name and the JSON may hold bars, and a line with two of these says nothing surely.
_MIDDLE = re.compile(r"(?=\|([CUD])\|([A-Z_]{2,12})\|)")
_UNKNOWN = "UNKNOWN"
_SORTS = {
    "USR": "user",
    "GRP": "group",
    "PRM": "permission",
    "PMN": "permission",
    "TKN": "token",
    "ROL": "role",
    "PRS": "resource",
}
_CHANGES = {"C": "created", "U": "changed", "D": "deleted"}
_OF_PEOPLE = frozenset(("USR", "GRP", "PRM", "PMN", "TKN", "ROL"))


def claims(head: bytes) -> float:
    return 0.96 * share_of_lines(head, lambda line: _START.match(as_text(line)) is not None)


def parse_line(line: Line) -> Event | None:
    text = as_text(line.data)
    start, middles = _START.match(text), list(_MIDDLE.finditer(text))
    if start is None or not middles:
        raise NotMine("not a line of JFrog's audit trail")
    named = text[start.end() : middles[0].start()].split("|")
    if len(middles) > 1 or len(named) != 4:
        raise Unreadable("two rows in one line")
    client, user, principal, entity = named
    done, what = middles[0].groups()
    of_service = user == _UNKNOWN
    event: Event = {
        "event_id": numbered_event_id("artifactory-audit", text),
        "channel": Channel.AUDIT.value,
        "timestamp": moment(start[1]),
        "action": _action(done, what, of_service).value,
        "outcome": Outcome.SUCCESS.value,
        "actor": (principal if of_service else user) or None,
        "request_id": trace_id(start[2]),
    }
    if (found := address(client)) is not None:
        event |= {"client_ip": found, "client_via": "log"}
    event |= _target(done, what, entity)
    return event | _repository(what, entity, text[middles[0].end(2) + 1 :])


def _action(done: str, what: str, of_service: bool) -> Action:
    if what == "TKN" and done == "C" and of_service:
        return Action.TOKEN
    return Action.PERMISSION if what in _OF_PEOPLE else Action.CONFIG


def _target(done: str, what: str, entity: str) -> Event:
    """What was changed, and how; the tokens that services give one another are nobody's."""
    if not entity or what not in _SORTS:
        return {}
    return {"target": entity, "change": f"{_SORTS[what]}_{_CHANGES[done]}"}


def _repository(what: str, entity: str, changed: str) -> Event:
    """The repository of a row about a resource of a project: `default:docker-local`, if the JSON says that it is one."""
    if what != "PRS":
        return {}
    try:
        document: Any = orjson.loads(changed)
    except ValueError:
        raise Unreadable("torn or mutated JSON") from None
    for side in document.values() if isinstance(document, dict) else ():
        if isinstance(side, dict) and side.get("type") == "repo":
            return {"repository": word(side.get("name")) or entity.rpartition(":")[2] or None}
    return {}


FORMAT = one_by_one(
    "artifactory-security-audit",
    claims,
    parse_line,
    title="JFrog audit trail (users, permissions, tokens)",
    registry_kind="artifactory",
    facts=Facts(
        versions="5.9 and later", tested=False, never=("pulls", "pushes", "user agent", "denied requests", "bytes")
    ),
)
