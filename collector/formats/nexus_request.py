"""Sonatype Nexus Repository 3, request.log: container requests on a connector's port or under `/repository/<name>/v2/`.

`host - user [date] "request" status Content-Length bytes milliseconds "user agent" [thread]`; older releases write neither
Content-Length nor user agent nor thread. Where the path names the Nexus repository, it stands in front of the image's name,
as it does for clients: `docker-proxy/library/ubuntu`. Requests for anything but images (Maven, npm, the pages) are ignored.

assemblies/nexus-base-overlay/…/logback-access.xml of sonatype/nexus-public.
"""

from __future__ import annotations

import re

from collector.access_line import QUOTED, TIME, access_line, split_request, unescape
from collector.errors import Ambiguous, NotMine
from collector.lines import apache_moment, as_text, whole
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.request import Kind
from collector.stages import Facts
from store.event import Event

_NUMBER = r"(-|-?\d{1,18})"
_LINE = re.compile(
    rf"(\S{{1,255}}) - (.{{0,256}}?) {TIME} {QUOTED} (\d{{3}}) {_NUMBER} {_NUMBER}"
    rf"(?: {_NUMBER} \"(.*)\" \[[^\"]{{0,300}}\])?\s*"
)
_TIME = re.compile(TIME)
_REST = re.compile(rf'" \d{{3}} {_NUMBER} {_NUMBER} ')  # what stands behind a request
_BY_PATH = re.compile(r"(?:/[\w.-]{1,100})?/repository/([\w.-]{1,200})(/v2/.*)", re.DOTALL)


def claims(head: bytes) -> float:
    return 0.96 * share_of_lines(head, lambda line: _LINE.fullmatch(as_text(line)) is not None)


def parse_line(line: Line) -> Event | None:
    found = _LINE.fullmatch(as_text(line.data))
    if found is None:
        raise NotMine("not a line of Nexus' request log")
    # A user name, request or agent that holds the rest of a line: none is escaped, and pip's agent has quotes in it.
    if len(_TIME.findall(found[0])) > 1 or len(_REST.findall(found[0])) > 1:
        raise Ambiguous
    host, user, time, request, status, *numbers, agent = found.groups()
    # Three numbers are length of the request, bytes sent, milliseconds; the older form has the last two.
    received, sent, elapsed = numbers if numbers[2] is not None else ("-", numbers[0], numbers[1])
    method, uri, _ = split_request(unescape(request))
    by_path = _BY_PATH.fullmatch(uri)
    asked = f"{method} {by_path[2]} HTTP/1.1" if by_path and method else request
    read = access_line(apache_moment(time), asked, (host, user, status, sent, agent or ""))
    if read.request.kind is Kind.OUTSIDE or (uri == "/" and by_path is None):
        return None
    event = read.event()
    milliseconds = whole(elapsed)
    event["uri"] = uri
    event["request_bytes"] = whole(received)
    event["duration_ns"] = None if milliseconds is None else milliseconds * 10**6
    if by_path and event.get("repository"):
        event["repository"] = f"{by_path[1]}/{event['repository']}"
    return event


FORMAT = one_by_one(
    "nexus-request",
    claims,
    parse_line,
    title="Nexus request log",
    registry_kind="nexus",
    facts=Facts(
        versions="3.x (the shipped pattern), and the shorter lines of older releases",
        tested=False,
        never=("digest of a pull by tag", "reason of a refusal"),
    ),
)
