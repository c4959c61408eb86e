"""GitLab's container registry since 2020 (a fork of Distribution that logs with LabKit), in JSON or text.

Each request has an access line (`msg=access`: method, URI, status, bytes, milliseconds, address) at its end, and application
lines before it under the same `correlation_id`: who was let in (`auth_user_name`), why not, and what the registry's error
was. The access line is the event; what the application said of the request is added to it where it stands within reach (the
block and the 64 KiB in front of it). Access lines in combined form have no `correlation_id`: they are events by themselves,
without a user. In the Omnibus package the lines are in /var/log/gitlab/registry/current, behind svlogd's own time.

registry/handlers/app.go and log/ of gitlab-org/container-registry; issue gl-infra 10933 of GitLab.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collector.access_line import read_combined
from collector.distribution_log import application_entry
from collector.distribution_request import why_refused
from collector.errors import LineError, NotMine, Unreadable
from collector.go_output import is_go_output
from collector.lines import address, address_and_port, as_text, milliseconds_ns, moment, whole, word
from collector.one_by_one import share_of_lines
from collector.request import Kind, Request, action_of, read_request, result_of
from collector.sheet import Sheet, now_utc, request_event_id
from collector.stages import Block, Facts, Parsed
from collector.wrappers import unwrapped
from store.event import BAD_CREDENTIALS, CHALLENGE, Action, Channel, Event, Outcome

_OWN_FIELDS = ("go_version", "root_repo", "vars_name", "auth_user_name")
_OWN_PATHS = ("/v2/", "/gitlab/v1/")
_TAGS_OF_GITLAB = re.compile(r"/gitlab/v1/repositories/(.{1,255})/tags/(?:list|detail)/.*", re.DOTALL)
_LONGEST_MESSAGE = 500


def claims(head: bytes) -> float:
    share = share_of_lines(head, _is_mine)
    return 0.0 if share == 0.0 else 0.8 + 0.15 * share


def _is_mine(line: bytes) -> bool:
    try:
        entry = application_entry(line)
    except LineError:
        return False
    if entry is None or "correlation_id" not in entry:
        return False
    uri = word(entry.get("uri")) or ""
    return any(name in entry for name in _OWN_FIELDS) or (_is_access(entry) and uri.startswith(_OWN_PATHS))


def _is_access(entry: dict[str, Any]) -> bool:
    return entry.get("msg") == "access" and "status" in entry


@dataclass(slots=True)
class _Said:
    """What application lines said of one request."""

    actor: str | None = None
    refused: str | None = None
    code: str | None = None
    message: str | None = None

    def note(self, entry: dict[str, Any]) -> None:
        text = entry["msg"]
        self.actor = word(entry.get("auth_user_name")) or self.actor
        if text.startswith("error authorizing context"):
            self.refused = why_refused(text) or self.refused
        if (code := word(entry.get("code"))) is not None:
            self.code = code
            parts = (word(text), word(entry.get("detail")))
            self.message = ": ".join(part for part in parts if part and part != "<nil>")[:_LONGEST_MESSAGE]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabFormat:
    """A `Format` over such a stream."""

    name: str = "gitlab-registry"
    title: str = "GitLab container registry log (LabKit)"
    registry_kind: str = "gitlab"
    facts: Facts | None = field(
        default_factory=lambda: Facts(
            versions="container-registry 3.x and 4.x (refused requests tested, the rest by the source)",
            tested=True,
            never=("digest of a pull by tag", "user in combined access lines"),
        )
    )
    clock: Callable[[], datetime] = now_utc

    def claims(self, head: bytes) -> float:
        return claims(head)

    def parse(self, block: Block) -> Parsed:
        now = self.clock()
        sheet = Sheet(block, dataset=self.name, registry_kind=self.registry_kind, now=now)
        said = _said_before(block, now)
        for line in unwrapped(block, now):
            if line.problem:
                sheet.reject_unwrapped(line, line.problem)
                continue
            try:
                event = _read(line.data, said)
            except LineError as error:
                sheet.reject_unwrapped(line, str(error))
                continue
            if event is None:
                sheet.ignored += 1
            else:
                sheet.add_unwrapped(line, event)
        return sheet.finish()


def _said_before(block: Block, now: datetime) -> dict[str, _Said]:
    said: dict[str, _Said] = {}
    if block.before:
        start = block.offset - len(block.before)
        after = block.after
        before = Block(stream=block.stream, offset=start, data=block.before, after=after, zone=block.zone)
        for line in unwrapped(before, now):
            try:
                _read(line.data, said)
            except LineError:
                continue
    return said


def _read(line: bytes, said: dict[str, _Said]) -> Event | None:
    """The event of an access line; application lines are noted in `said`.

    Raises:
        LineError.
    """
    if not line.strip() or is_go_output(line):
        return None
    entry = application_entry(line)
    if entry is None:
        try:
            return read_combined(as_text(line)).event()
        except NotMine:
            raise NotMine("neither an application line nor an access line of GitLab's registry") from None
    correlation = word(entry.get("correlation_id"))
    if _is_access(entry):
        # The text formatter sorts its keys and quotes few values: half a name could not be told from a whole one.
        if line.startswith(b"time=") and "written_bytes" not in entry:
            raise Unreadable("torn key=value line")
        return _event(entry, correlation, said.get(correlation or "") or _Said())
    if correlation is not None:
        said.setdefault(correlation, _Said()).note(entry)
    return None


def _event(entry: dict[str, Any], correlation: str | None, said: _Said) -> Event:
    method, uri, status = word(entry.get("method")), word(entry.get("uri")), whole(entry.get("status"))
    if uri is None or status is None or not 100 <= status <= 599:
        raise Unreadable("an access line without URI or status")
    request = _request(method or "", uri)
    client, peer = address(word(entry.get("remote_ip")) or ""), address_and_port(entry.get("remote_addr"))
    event: Event = {
        "channel": Channel.APPLICATION.value,
        "timestamp": moment(entry["time"]),
        "actor": said.actor,
        "client_ip": client or peer[0],
        "client_port": peer[1] if client in (None, peer[0]) else None,
        "client_via": _via(client, peer[0]),
        "peer_ip": peer[0] if client not in (None, peer[0]) else None,
        "user_agent": word(entry.get("user_agent")),
        "method": method,
        "uri": uri,
        "host": word(entry.get("host")),
        "request_id": correlation,
        "status": status,
        "response_bytes": whole(entry.get("written_bytes")),
        "duration_ns": milliseconds_ns(entry.get("duration_ms")) or None,
        "repository": request.repository,
        "reference": request.reference,
        "digest": request.digest,
        "from_repository": request.from_repository,
        "error_code": said.code,
        "error_message": said.message,
    }
    event |= _result(request, status, said)
    if correlation is not None:
        event["event_id"] = request_event_id(correlation, event["action"], request.reference)
    return event


def _via(client: str | None, peer: str | None) -> str | None:
    """LabKit takes the first address of X-Forwarded-For where there is one."""
    if client is None:
        return "peer" if peer else None
    return "peer" if client == peer else "forwarded"


def _request(method: str, uri: str) -> Request:
    """GitLab's own API beside the registry's: the list of an image's tags, and the question whether it is there."""
    path = uri.partition("?")[0]
    if (found := _TAGS_OF_GITLAB.fullmatch(path)) is not None and method == "GET":
        return Request(kind=Kind.TAGS, action=Action.LIST_TAGS, repository=found[1])
    if path == "/gitlab/v1/":
        return Request(kind=Kind.BASE, action=Action.PING)
    return read_request(method, uri)


def _result(request: Request, status: int, said: _Said) -> Event:
    action = action_of(request, status, said.actor)
    outcome, reason = result_of(request, status, said.actor)
    if status == 401 and said.refused == BAD_CREDENTIALS and request.kind is Kind.BASE:
        action, outcome, reason = Action.LOGIN, Outcome.DENIED, BAD_CREDENTIALS
    elif status == 401 and reason != CHALLENGE:
        reason = said.refused or reason
    return {"action": action.value, "outcome": outcome.value, "reason": reason}


FORMAT = GitLabFormat()
