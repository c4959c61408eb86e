"""Harbor's proxy.log: nginx with Harbor's own format `timed_combined` (make/photon/prepare/templates/nginx).

`$remote_addr - "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time
$upstream_response_time $pipe`: no time and no user. The time is that of the syslog prefix which Harbor's log container writes
(no year: the newest one that is not in the future; no zone: UTC). Without a prefix the line says no time at all; then
`timestamp` is the time of reading, which is right within seconds when the file is followed and wrong when an old file is
read: give such files to the collector through syslog, or follow them.
"""

from __future__ import annotations

import re

from collector.access_line import looks_timed, read_timed
from collector.errors import NotMine
from collector.lines import as_text
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Event

# nginx' own messages share the file: `2026/11/24 02:17:24 [error] 7#0: …`, and at the start `nginx: [warn] …`.
_MESSAGE = re.compile(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] |nginx: \[[a-z]+\] ")


def claims(head: bytes) -> float:
    return share_of_lines(head, lambda line: looks_timed(as_text(line)))


def parse_line(line: Line) -> Event | None:
    try:
        return read_timed(as_text(line.data), line.wrapper_time, line.now)
    except NotMine:
        if _MESSAGE.match(line.data):
            return None
        raise


FORMAT = one_by_one(
    "nginx-timed-combined",
    claims,
    parse_line,
    title="Harbor's proxy log (timed_combined)",
    registry_kind="harbor",
    facts=Facts(
        versions="1.x, 2.x; captures of the format of 2.12 and 2.15",
        tested=True,
        never=("user", "digest of a pull by tag", "time (but for that of a syslog header)"),
    ),
)
