"""Access lines of web servers: Apache's combined form as Distribution and nginx write it, and Harbor's timed form.

Distribution and nginx differ in two things only. An empty referer or user agent is `""` in Distribution and `"-"` in nginx;
a quote inside is `\\"` in Distribution (Go's escapes) and `\\x22` in nginx. Both are read by the same expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from collector.errors import NotMine, Unreadable
from collector.lines import address, apache_moment, seconds_ns, whole
from collector.request import Request, action_of, read_request, result_of
from store.event import Channel, Event

QUOTED = r'"((?:[^"\\]|\\.)*)"'  # the two alternatives share no character: linear
TIME = r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]"
# The second column is always `-` there; anything else is a list of addresses in the first, which must not become a user's name.
_COMBINED = re.compile(
    rf"(\S{{1,255}}) - (.{{0,256}}?) {TIME} {QUOTED} (\d{{3}}) (\d{{1,18}}|-) {QUOTED} {QUOTED}(?: {QUOTED})?\s*"
)
_TIMED = re.compile(
    rf"(?:{TIME}:? )?(\S{{1,255}}) - {QUOTED} (\d{{3}}) (\d{{1,18}}|-) {QUOTED} {QUOTED}"
    r" (\d{1,9}\.\d{1,6}|-) ([\d.,: -]{1,200}) ([.p])\s*"
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9a-f]{4})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", '"': '"', "\\": "\\"}
_METHOD = re.compile(r"[A-Z]{3,20}")


def unescape(text: str) -> str:
    r"""What stood there before Go or nginx escaped it. Unknown escapes (`\(` of old releases) stay as they are."""
    return _ESCAPE.sub(_plain, text) if "\\" in text else text


def _plain(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    if code is None:
        return _SHORT.get(found[3], found[0])
    number = int(code, 16)
    # Single bytes over 0x7F are pieces of some encoding, and surrogates are no characters: both stay as written.
    return found[0] if (found[1] and number > 0x7F) or 0xD800 <= number <= 0xDFFF else chr(number)


def split_request(line: str) -> tuple[str | None, str, Request]:
    """(method, URI, meaning) of `GET /v2/ HTTP/1.1`; what is no request line (a TLS greeting, `-`) has no method."""
    method, blank, rest = line.partition(" ")
    if not blank or _METHOD.fullmatch(method) is None:
        return None, line, read_request("", "")
    uri, _, protocol = rest.rpartition(" ")
    if not protocol.startswith("HTTP/"):
        uri = rest
    return method, uri, read_request(method, uri)


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One line taken apart, its event not yet made: most access lines of a registry are told better by its application."""

    fields: tuple[str, str, str, str, str]  # host, user, status, size, user agent; as written
    when: datetime
    method: str | None
    uri: str
    status: int
    request: Request
    forwarded_for: str | None = None  # nginx' `"$http_x_forwarded_for"`, where the site's format has it

    @property
    def response_bytes(self) -> int | None:
        return whole(self.fields[3])

    def event(self) -> Event:
        host, user, _, _, agent = self.fields
        request, code = self.request, self.status
        actor = None if user in ("-", "") else unescape(user)
        outcome, reason = result_of(request, code, actor)
        client = address(host)
        return {
            "channel": Channel.ACCESS.value,
            "timestamp": self.when,
            "action": action_of(request, code, actor).value,
            "outcome": outcome.value,
            "reason": reason,
            "actor": actor,
            "client_ip": client,
            "client_via": "peer" if client else None,
            "forwarded_for": self.forwarded_for,
            "user_agent": None if agent in ("-", "") else unescape(agent),
            "method": self.method,
            "uri": self.uri or None,
            "status": code,
            "response_bytes": self.response_bytes,
            "repository": request.repository,
            "reference": request.reference,
            "digest": request.digest,
            "from_repository": request.from_repository,
        }


def read_combined(text: str) -> AccessLine:
    """One combined line.

    Raises:
        NotMine, Unreadable.
    """
    found = _COMBINED.fullmatch(text)
    if found is None:
        raise NotMine("not a combined access line")
    host, user, time, request, status, size, _referer, agent, forwarded = found.groups()
    line = access_line(apache_moment(time), request, (host, user, status, size, agent))
    return line if forwarded in (None, "", "-") else replace(line, forwarded_for=unescape(forwarded))


def read_timed(text: str, wrapper_time: datetime | None, now: datetime) -> Event:
    """One line of Harbor's proxy. It says no time of its own: the syslog prefix's is taken, else that of reading."""
    found = _TIMED.fullmatch(text)
    if found is None:
        raise NotMine("not a timed_combined access line")
    time, host, request, status, size, _referer, agent, seconds, _upstream, _pipe = found.groups()
    when = apache_moment(time) if time else wrapper_time or now
    event = access_line(when, request, (host, "-", status, size, agent)).event()
    event["duration_ns"] = seconds_ns(seconds)
    return event


def access_line(when: datetime, request_line: str, fields: tuple[str, str, str, str, str]) -> AccessLine:
    code = whole(fields[2])
    if code is None or not 100 <= code <= 599:
        raise Unreadable("no HTTP status")
    method, uri, request = split_request(unescape(request_line))
    return AccessLine(fields, when, method, uri, code, request)


def looks_combined(text: str) -> bool:
    return _COMBINED.fullmatch(text) is not None


def looks_timed(text: str) -> bool:
    return _TIMED.fullmatch(text) is not None


def empty_fields(text: str) -> tuple[int, int]:
    """(fields written `""`, fields written `"-"`) among referer, user agent and what follows: Distribution's or nginx' hand."""
    found = _COMBINED.fullmatch(text)
    if found is None:
        return 0, 0
    fields = [found[7], found[8], found[9]]
    return sum(f == "" for f in fields), sum(f == "-" for f in fields) + (found[2] != "-")
