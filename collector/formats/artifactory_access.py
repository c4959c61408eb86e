"""JFrog Artifactory, artifactory-access.log: who was let in or turned away, and which files they read, stored and deleted.

7.x: `time [trace] [ACCEPTED DEPLOY] key:path  for client : user / address [token]`; older: `… key:path for user/address.`,
with a time that names no zone (JFrog's documentation says UTC). Nothing is escaped and users are named behind the path: a
line that names a client twice names nobody. Nothing closes the address at the end of a 7.x line, so a line that was torn inside
it may show a shorter one. Files that are of no image are ignored; so are properties, builds and searches.

A manifest that is deleted takes its tag away, and so does the folder of the tag, where the key says that images lie there (docker,
oci, container); elsewhere it could be of any kind of files.
The key is that of the repository that holds the file, not of the virtual one that was asked. There is no HTTP method: what
only asks whether a manifest is there may be told as a pull, if Artifactory tells of it at all.

JFrog documentation, "Access log"; org.artifactory.security.AccessLogger.
"""

from __future__ import annotations

import re

from collector.artifactory import ANONYMOUS, REFUSED, TIME, deleted_tag, numbered, stored_image, trace_id
from collector.errors import NotMine
from collector.lines import address, as_text, moment
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.request import evidence_action
from collector.stages import Facts
from store.event import BAD_CREDENTIALS, FORBIDDEN, NO_CREDENTIALS, Action, Channel, Event, Outcome

_HEAD = re.compile(
    rf"(?:{TIME}|(\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d)[,.](\d{{3}})) (?:\[([0-9A-Fa-f]{{0,32}})\] )?"
    r"\[(ACCEPTED|DENIED) ([A-Z_]{1,40})\] "
)
_FOR = " for "
_WHO = re.compile(r"client : (.*) / (\S{0,100})(?: \[\w{1,20}\])?\.?", re.DOTALL)
_OLD_WHO = re.compile(r"(.*)/([^/\s]{0,100})\.", re.DOTALL)
_LOGINS = frozenset(("LOGIN", "AUTHENTICATE"))
# (what was done to the file, is it a manifest) → action
_ACTIONS = {
    ("DOWNLOAD", True): Action.PULL,
    ("DOWNLOAD", False): Action.LAYER_DOWNLOAD,
    ("DEPLOY", True): Action.PUSH,
    ("DEPLOY", False): Action.LAYER_UPLOAD,
    ("DELETE", True): Action.UNTAG,
    ("DELETE", False): Action.DELETE,
}


def claims(head: bytes) -> float:
    return 0.95 * share_of_lines(head, lambda line: _HEAD.match(as_text(line)) is not None)


def parse_line(line: Line) -> Event | None:
    text = as_text(line.data)
    found = _HEAD.match(text)
    if found is None:
        raise NotMine("not a line of Artifactory's access log")
    time, day, fraction, trace, answer, done = found.groups()
    subject, user, client = _who(text[found.end() :])
    event: Event = {
        "channel": Channel.AUDIT.value,
        "timestamp": moment(time or f"{day}.{fraction}Z"),
        "client_ip": client,
        "client_via": "log" if client else None,
    }
    told = _told(done, subject)
    if told is None or (done in _LOGINS and answer == "ACCEPTED" and user == ANONYMOUS):
        return None  # whoever came without credentials was not logged in
    event |= told
    event |= _result(answer == "ACCEPTED", done, user)
    return numbered(event, trace_id(trace))


def _who(rest: str) -> tuple[str, str | None, str | None]:
    """(path and message, user, address). All are left out of a line that could name two clients: no path of an image has a
    blank, and who may choose a user's name could put the rest of a line into it.
    """
    spaced = " " + rest
    if spaced.count(_FOR) > 1:
        return "", None, None
    subject, _, named = spaced.partition(_FOR)
    found = (_WHO if named.startswith("client : ") else _OLD_WHO).fullmatch(named)
    if found is None:
        raise NotMine("an access line that names no client")
    return subject.strip(), found[1] or None, address(found[2])


def _told(done: str, subject: str) -> Event | None:
    if done in _LOGINS:
        return {"action": Action.LOGIN.value}
    if done == "CONFIGURATION_CHANGE":
        return {"action": Action.CONFIG.value}
    key, colon, path = subject.partition(":")
    if done == "DELETE" and colon and key and not path:
        return {"action": Action.DELETE.value, "repository": key}
    stored = stored_image(key, path) if colon else None
    if done == "DELETE" and colon and stored is None and (folder := deleted_tag(f"{key}/{path}")) is not None:
        stored = folder, True
    action = _ACTIONS.get((done, stored[1])) if stored else None
    if stored is None or action is None:
        return None
    image = stored[0]
    if action is Action.UNTAG and image.tag is None:
        action = Action.DELETE
    return {
        "action": evidence_action(action, image.tag).value,
        "repository": image.repository,
        "reference": image.tag or image.digest,
        "digest": image.digest,
    }


def _result(accepted: bool, done: str, user: str | None) -> Event:
    actor = None if user == REFUSED else user
    if accepted:
        return {"outcome": Outcome.SUCCESS.value, "actor": actor}
    if user == ANONYMOUS or (user == REFUSED and done not in _LOGINS):
        reason = NO_CREDENTIALS
    else:
        reason = BAD_CREDENTIALS if done in _LOGINS else FORBIDDEN
    return {"outcome": Outcome.DENIED.value, "reason": reason, "actor": actor}


FORMAT = one_by_one(
    "artifactory-access",
    claims,
    parse_line,
    title="JFrog Artifactory access log",
    registry_kind="artifactory",
    facts=Facts(
        versions="6.x, 7.x (form of 7.161)", tested=False, never=("user agent", "bytes", "duration", "HTTP status")
    ),
)
