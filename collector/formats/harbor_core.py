"""Harbor's core.log: who was refused at login. Everything else in it is told better by the audit log.

`<time> [LEVEL] [<file>:<line>][k="v" k2="v2"]: message`. Two messages tell of a refusal: basic authentication (docker login,
API) names the user, the addresses and the user agent; the form of the web page names nobody. The values are not escaped: a
user agent may hold the rest of a line with another name, so a line with two beginnings of a message names nobody. The first
address of the chain is what the front proxy was told; it is right where that proxy is trusted.

src/lib/log/textformatter.go and src/server/middleware/security/basic_auth.go of goharbor/harbor.
"""

from __future__ import annotations

import re

from collector.errors import NotMine
from collector.go_output import is_go_output
from collector.lines import address_and_port, as_text, moment, word
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import BAD_CREDENTIALS, Action, Channel, Event, Outcome

_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) \[(?:DEBUG|INFO|WARNING|ERROR|FATAL)\] "
    r"\[(/[\w./@+-]{1,200}\.go):\d{1,6}\](?:\[(.*?)\])?: ?(.*)",
    re.DOTALL,
)
_FIELD = re.compile(r'(client IP|requestID|user agent)="([^"]*)"')
_REFUSED = re.compile(r"failed to authenticate user:(.*), error:", re.DOTALL)
_REFUSED_ON_THE_PAGE = "Error occurred in UserLogin: Failed to authenticate user"
_START_UP = (b"init global config instance failed", b"http server Running on")


def claims(head: bytes) -> float:
    share = share_of_lines(head, lambda line: _LINE.fullmatch(as_text(line)) is not None)
    return 0.9 * share if b".go:" in head else 0.0


def parse_line(line: Line) -> Event | None:
    found = _LINE.fullmatch(as_text(line.data))
    if found is None:
        if is_go_output(line.data) or line.data.startswith(_START_UP):
            return None
        raise NotMine("not a line of Harbor's logger")
    time, file, fields, message = found.groups()
    if file.endswith("/basic_auth.go") and (refused := _REFUSED.match(message)) is not None:
        forged = line.data.count(b"failed to authenticate user:") > 1
        return _denied(time, None if forged else word(refused[1]), dict(_FIELD.findall(fields or "")))
    if message.startswith(_REFUSED_ON_THE_PAGE):
        return _denied(time, None, {})
    return None


def _denied(time: str, actor: str | None, fields: dict[str, str]) -> Event:
    client, _ = address_and_port(fields.get("client IP", "").partition(",")[0].strip())
    return {
        "channel": Channel.APPLICATION.value,
        "timestamp": moment(time),
        "action": Action.LOGIN.value,
        "outcome": Outcome.DENIED.value,
        "reason": BAD_CREDENTIALS,
        "actor": actor,
        "client_ip": client,
        "client_via": "forwarded" if client else None,
        "forwarded_for": word(fields.get("client IP")),
        "user_agent": word(fields.get("user agent")),
        "request_id": word(fields.get("requestID")),
    }


FORMAT = one_by_one(
    "harbor-core",
    claims,
    parse_line,
    title="Harbor core log (refused logins)",
    registry_kind="harbor",
    facts=Facts(
        versions="2.x; captures of 2.12.4 and 2.15.2",
        tested=True,
        never=(
            "pulls",
            "pushes",
            "repository",
            "logins that ended well",
            "user of a refusal on the page",
            "bytes",
            "duration",
        ),
    ),
)
