"""JFrog Artifactory 7, artifactory-request.log: `time|trace|address|user|METHOD|url|status|request|response|ms|user agent`.

Column 8 is the length of the request and column 9 that of the answer, as lines of a real server show (JFrog's own fluentd
settings name them the other way round). -1 is a length that nobody knows. Requests for anything but images are ignored; a
DELETE of a path in a repository whose key speaks of images is a tag taken away.
`non_authenticated_user` stands where a password was wrong and where none was given: the line does not say which.

JFrog documentation, "Request log".
"""

from __future__ import annotations

from collector.artifactory import asked, docker_request, numbered
from collector.jfrog_request_line import looks_like_request_line, read_request_line
from collector.lines import as_text
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Channel, Event


def claims(head: bytes) -> float:
    return 0.95 * share_of_lines(head, _is_artifactory)


def _is_artifactory(line: bytes) -> bool:
    url = looks_like_request_line(as_text(line))
    return url is not None and not url.startswith("/access/")


def parse_line(line: Line) -> Event | None:
    read = read_request_line(as_text(line.data))
    request = docker_request(read.method, read.url)
    if request is None:
        return None
    # Artifactory itself writes this log and knows users; where the router in front tells otherwise, this is right.
    event: Event = {"channel": Channel.APPLICATION.value}
    event |= read.event()
    event |= asked(request, read.status, read.user)
    event["request_bytes"], event["response_bytes"] = read.lengths
    return numbered(event, read.trace)


FORMAT = one_by_one(
    "artifactory-request",
    claims,
    parse_line,
    title="JFrog Artifactory request log",
    registry_kind="artifactory",
    facts=Facts(versions="7.x (7.46, 7.161)", tested=True, never=("wrong passwords",)),
)
