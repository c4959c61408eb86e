"""The request logs of JFrog's services: `time|trace|address|user|METHOD|url|status|length|length|milliseconds|user agent`.

Which length is the request's differs between Artifactory's log and that of its Access service.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from collector.artifactory import NUMBER, TIME, TRACE, trace_id
from collector.errors import NotMine, Unreadable
from collector.lines import address, moment, whole
from store.event import Event

_REQUEST = rf"([A-Z]{{2,20}})\|([^|]*)\|(\d{{3}})\|{NUMBER}\|{NUMBER}\|{NUMBER}"
# A URL holds no bar; a user's name and a user agent may. So the request is looked for everywhere: where there are two, nobody
# is named surely.
_START = re.compile(rf"{TIME}\|{TRACE}?\|([^|]{{0,255}})\|")
_MIDDLE = re.compile(rf"(?=\|{_REQUEST}(?:\||$))")


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One line taken apart. `lengths` are the two numbers as they stand, in bytes; None where the log says -1."""

    when: datetime
    trace: str | None
    client: str | None
    user: str
    method: str
    url: str
    status: int
    lengths: tuple[int | None, int | None]
    milliseconds: int | None
    user_agent: str | None

    def event(self) -> Event:
        """What the line says beside what was asked and how that ended."""
        return {
            "timestamp": self.when,
            "client_ip": self.client,
            "client_via": "log" if self.client else None,
            "user_agent": self.user_agent,
            "method": self.method,
            "uri": self.url,
            "status": self.status,
            "duration_ns": None if self.milliseconds is None else self.milliseconds * 10**6,
        }


def read_request_line(text: str) -> RequestLine:
    """One line of ten or eleven columns (without a user agent nothing is behind the milliseconds).

    Raises:
        NotMine, Unreadable: two places of the line could be the request.
    """
    time, trace, client, user, method, url, status, *numbers, agent = _columns(text)
    if not 100 <= int(status) <= 599:
        raise Unreadable("no HTTP status")
    first, second, milliseconds = map(whole, numbers)
    return RequestLine(
        when=moment(time),
        trace=trace_id(trace),
        client=address(client),
        user=user,
        method=method,
        url=url,
        status=int(status),
        lengths=(first, second),
        milliseconds=milliseconds,
        user_agent=agent or None,
    )


def _columns(text: str) -> Sequence[str]:
    start = _START.match(text)
    middles = list(_MIDDLE.finditer(text, start.end() if start else 0))
    if start is None or not middles:
        raise NotMine("not a line of a JFrog request log")
    if len(middles) > 1:
        raise Unreadable("two requests in one line")
    user, agent = text[start.end() : middles[0].start()], text[middles[0].end(6) :].removeprefix("|")
    return *start.groups(""), user, *middles[0].groups(), agent


def looks_like_request_line(text: str) -> str | None:
    """The URL of a line that is one, whosoever it is of."""
    try:
        return read_request_line(text).url
    except (NotMine, Unreadable):
        return None
