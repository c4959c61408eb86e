"""Quay's nginx, log format `lb_logs`:

`$remote_addr ($proxy_protocol_addr) - $remote_user [time] "request" status bytes "referer" "user agent" (seconds request_length
upstream_seconds)`, with or without the `nginx stdout | ` that Quay's container puts in front; the lines of other programs of the
container are ignored.

Without the PROXY protocol nginx takes the address from X-Forwarded-For, whoever sent it: nobody can check it. With it, both
addresses are the client's, as a load balancer says.

conf/nginx/http-base.conf.jnj and nginx.conf.jnj of quay/quay.
"""

from __future__ import annotations

import re

from collector.access_line import QUOTED, TIME, access_line
from collector.errors import NotMine
from collector.lines import address, apache_moment, as_text, seconds_ns, whole
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Event

_PROGRAM = r"[a-z][\w.-]{0,60} (?:stdout|stderr) \| "
_OTHER = re.compile(_PROGRAM)
_LINE = re.compile(
    rf"(?:nginx stdout \| )?(\S{{1,255}}) \((\S{{0,255}})\) - (.{{0,256}}?) {TIME} {QUOTED} (\d{{3}}) (\d{{1,18}}|-)"
    rf" {QUOTED} {QUOTED} \((\d{{1,9}}\.\d{{1,6}}|-) (\d{{1,18}}|-) [\d.,: -]{{1,200}}\)\s*"
)


def claims(head: bytes) -> float:
    own = 0.96 * share_of_lines(head, lambda line: _LINE.fullmatch(as_text(line)) is not None)
    return own if own == 0.0 else max(own, 0.9 * share_of_lines(head, _of_container))


def _of_container(line: bytes) -> bool:
    text = as_text(line)
    return _OTHER.match(text) is not None or _LINE.fullmatch(text) is not None


def parse_line(line: Line) -> Event | None:
    text = as_text(line.data)
    found = _LINE.fullmatch(text)
    if found is None:
        if _OTHER.match(text):
            return None
        raise NotMine("not a line of Quay's nginx")
    host, proxied, user, time, request, status, size, _referer, agent, seconds, length = found.groups()
    event = access_line(apache_moment(time), request, (host, user, status, size, agent)).event()
    event["duration_ns"] = seconds_ns(seconds)
    event["request_bytes"] = whole(length)
    if event["client_ip"] is not None:
        event["client_via"] = "proxied" if address(proxied) == event["client_ip"] else "forwarded"
    return event


FORMAT = one_by_one(
    "quay-nginx",
    claims,
    parse_line,
    title="Quay's nginx (lb_logs)",
    registry_kind="quay",
    facts=Facts(versions="3.x", tested=False, never=("user of a pull or push",)),
)
