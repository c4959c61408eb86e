r"""Formats made from nginx' own `log_format` directives: whatever a site wrote there, its access log can be read.

A line is taken apart where the directive's own text stands between variables, from left to right: a value never reaches over
the character that ends it. So no value can pass for its neighbour: in a line where a client wrote such a character the rest
does not fit, and it becomes a dead letter: put quotes around what may hold blanks. Quoted values may hold anything but the
quote, which nginx escapes (`\x22`, or `\"` with `escape=json`). A directive that leaves it open where a value ends, or escapes
nothing (`escape=none`), is refused.

Variables: https://nginx.org/en/docs/varindex.html; escapes: the directive's description in ngx_http_log_module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from collector.access_line import access_line, unescape
from collector.errors import LogFormatError, NotMine, Unreadable
from collector.image_reference import is_digest
from collector.lines import address, apache_moment, as_text, moment, seconds_ns, whole
from collector.nginx_directives import LogFormat, read_log_formats
from collector.one_by_one import Line, OneByOne, one_by_one, share_of_lines
from collector.request import Kind
from collector.stages import Block, Facts
from store.event import Event, Via

_VARIABLE = re.compile(r"\$(?:\{([a-z0-9_]{1,100})\}|([a-z0-9_]{1,100}))")
_NUMBER = r"-|\d{0,18}"
_SECONDS = r"-|(?:\d{1,9}\.\d{1,6})?"
# Values with a form of their own; whatever else a client can write has none.
_SHAPES = {
    "remote_addr": r"[0-9A-Fa-f:.*x]{1,64}|unix:",
    "remote_port": _NUMBER,
    "time_local": r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}",
    "time_iso8601": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)",
    "msec": r"\d{1,12}\.\d{3}",
    "status": r"\d{3}",
    "body_bytes_sent": _NUMBER,
    "bytes_sent": _NUMBER,
    "request_length": _NUMBER,
    "request_time": _SECONDS,
    "pipe": r"[.p]",
    "http_x_forwarded_for": r"-|[^\s,\"]{0,64}(?:, ?[^\s,\"]{1,64}){0,63}",
    "upstream_addr": r"[^\s,\"]{0,255}(?:(?:, | : )[^\s,\"]{1,255}){0,20}",
    "upstream_status": r"(?:\d{3}|-)?(?:(?:, | : )(?:\d{3}|-)){0,20}",
    "upstream_response_time": r"[\d.,: -]{0,200}",
    "upstream_connect_time": r"[\d.,: -]{0,200}",
    "upstream_header_time": r"[\d.,: -]{0,200}",
    "upstream_response_length": r"[\d.,: -]{0,200}",
}
DIGESTS = ("sent_http_docker_content_digest", "upstream_http_docker_content_digest")
REQUEST_IDS = ("sent_http_x_request_id", "upstream_http_x_request_id")
# nginx' own messages may share the file: `2026/11/24 02:17:24 [error] 7#0: …`.
_MESSAGE = re.compile(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] |nginx: \[[a-z]+\] ")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Template:
    """A directive made into an expression; `names` are the variables of its groups, `between` the texts around them."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]
    between: tuple[str, ...]
    json: bool

    def values(self, text: str) -> dict[str, str] | None:
        """Variable → value, unescaped; of a variable that stands there twice the first. Empty values are left out."""
        found = self.pattern.fullmatch(text.rstrip())
        if found is None:
            return None
        values: dict[str, str] = {}
        for name, raw in zip(self.names, found.groups(), strict=True):
            value = from_json(raw) if self.json else unescape(raw)
            if value not in ("", "-"):
                values.setdefault(name, value)
        return values


def from_json(raw: str) -> str:
    """What stood there before nginx escaped it for JSON. Raises: Unreadable."""
    if "\\" not in raw:
        return raw
    try:
        return str(orjson.loads(f'"{raw}"'))
    except ValueError:
        raise Unreadable("torn or mutated JSON") from None


def template_of(log_format: LogFormat) -> Template:
    """Raises: LogFormatError."""
    if log_format.escape == "none":
        raise LogFormatError("log_format with escape=none cannot be read safely: use escape=json or leave it out")
    pieces: list[str] = []
    names: list[str] = []
    texts: list[str] = []
    text, at = log_format.text.strip(), 0
    for found in _VARIABLE.finditer(text):
        name, between = found[1] or found[2], text[at : found.start()]
        if names and not between:
            raise LogFormatError(
                f"log_format has nothing between ${names[-1]} and ${name}: nobody can tell where one ends"
            )
        pieces.append(re.escape(between))
        pieces.append(f"({_shape(name, text[: found.start()], text[found.end() :], log_format.escape)})")
        names.append(name)
        texts.append(between)
        at = found.end()
    pieces.append(re.escape(text[at:]))
    _check(names)
    pattern = re.compile("".join(pieces), re.DOTALL)
    return Template(pattern, tuple(names), (*texts, text[at:]), log_format.escape == "json")


def _shape(name: str, before: str, after: str, escape: str) -> str:
    if before.endswith('"') and after.startswith('"'):
        return _SHAPES.get(name, r'(?:[^"\\]|\\.)*' if escape == "json" else '[^"]*')
    if name in _SHAPES:
        return _SHAPES[name]
    end = after[:1]
    # At the end of the line nothing but a blank can end it: else it could swallow the rest of a line that a client wrote.
    return f"[^{re.escape(end)}]*" if end and end != "$" else r"\S*"


def _check(names: list[str]) -> None:
    known = set(names)
    if "status" not in known:
        raise LogFormatError("log_format lacks $status")
    if "request" not in known and not ("request_method" in known and known & {"request_uri", "uri"}):
        raise LogFormatError("log_format lacks $request, or $request_method and $request_uri")


def nginx_format(name: str, log_format: LogFormat, *, title: str, facts: Facts | None = None) -> OneByOne:
    """A `Format` of the access lines that nginx writes with this directive.

    Raises:
        LogFormatError.
    """
    template = template_of(log_format)

    def claims(head: bytes) -> float:
        return 0.97 * share_of_lines(head, lambda line: template.pattern.fullmatch(as_text(line).rstrip()) is not None)

    def parse_line(line: Line) -> Event | None:
        values = template.values(as_text(line.data))
        if values is None:
            if _MESSAGE.match(line.data):
                return None
            raise NotMine("not a line of this log_format")
        return _event(values, line)

    def by_columns(block: Block, now: datetime) -> Any:
        from collector.columnar.nginx import scan  # numpy and Arrow, which are not needed to list the formats

        return scan(template, block, now)

    return one_by_one(name, claims, parse_line, title=title, registry_kind="proxy", facts=facts, by_columns=by_columns)


OWN = "nginx-log-format"  # what --format and `event.dataset` call a format that a site made


def own_formats(text: str | None, configuration: str | None) -> tuple[OneByOne, ...]:
    """What a site's own `log_format` makes: `text` is the directive's text; with a configuration, the name of one there, or None
    for every one that can be read.

    Raises:
        LogFormatError: there is none, or it cannot be read without guessing.
    """
    if configuration is None:
        found = [LogFormat("log_format", text or "", "json" if (text or "").lstrip().startswith("{") else "default")]
    else:
        found = [one for one in read_log_formats(configuration) if text is None or one.name == text]
    made, errors = [], []
    for one in found:
        try:
            made.append(nginx_format(OWN, one, title=f"nginx log_format {one.name}"))
        except LogFormatError as error:
            errors.append(f"{one.name}: {error}")
    if not made:
        named = f" {text!r}" if text and configuration is not None else ""
        raise LogFormatError("; ".join(errors) or f"the nginx configuration has no log_format{named}")
    return tuple(made)


def read_own_formats(text: str | None, configuration: Path | None) -> tuple[OneByOne, ...]:
    """The same from the file of a configuration; none where neither is given.

    Raises:
        LogFormatError, OSError.
    """
    if text is None and configuration is None:
        return ()
    written = None if configuration is None else configuration.read_text(encoding="utf-8", errors="replace")
    return own_formats(text, written)


def _event(values: dict[str, str], line: Line) -> Event:
    get = values.get
    size = get("body_bytes_sent") or get("bytes_sent") or "-"
    # The shared reader takes values as nginx escapes them.
    user, agent = (_escaped(get(name) or "-") for name in ("remote_user", "http_user_agent"))
    fields = (get("remote_addr") or "-", user, values["status"], size, agent)
    told = access_line(time_of(values) or line.wrapper_time or line.now, _escaped(_request(values)), fields)
    event = told.event()
    event["forwarded_for"] = get("http_x_forwarded_for")
    event["host"] = get("http_host") or get("host")
    event["duration_ns"] = seconds_ns(get("request_time") or "-")
    event["request_bytes"] = whole(get("request_length"))
    event["request_id"] = next((values[name] for name in REQUEST_IDS if name in values), None)
    port = whole(get("remote_port"))
    event["client_port"] = port if event["client_ip"] and port and port < 65536 else None
    digest = next((values[name] for name in DIGESTS if name in values), None)
    if digest and is_digest(digest) and told.request.kind is Kind.MANIFEST and told.status < 300:
        event["digest"] = event["digest"] or digest
    return _behind_proxy_protocol(event, get("proxy_protocol_addr"))


def _behind_proxy_protocol(event: Event, client: str | None) -> Event:
    """In front of nginx stands a load balancer that speaks the PROXY protocol and names the client in it."""
    found = address(client) if client else None
    if found is not None and found != event["client_ip"]:
        event["peer_ip"], event["client_ip"], event["client_port"] = event["client_ip"], found, None
        event["client_via"] = Via.FORWARDED.value
    return event


def _request(values: dict[str, str]) -> str:
    if "request" in values:
        return values["request"]
    uri = values.get("request_uri")
    if uri is None:
        query = values.get("args") or values.get("query_string")
        uri = values.get("uri", "") + (f"?{query}" if query else "")
    return f"{values.get('request_method', '')} {uri} {values.get('server_protocol', 'HTTP/1.1')}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\")


def time_of(values: Mapping[str, str]) -> datetime | None:
    """Milliseconds where there are any, else seconds. Raises: Unreadable."""
    if "msec" in values:
        seconds, _, milliseconds = values["msec"].partition(".")
        if int(seconds) > 250_000_000_000:
            raise Unreadable("no time that can be read")
        return _EPOCH + timedelta(seconds=int(seconds), milliseconds=int(milliseconds))
    if "time_iso8601" in values:
        return moment(values["time_iso8601"])
    return apache_moment(values["time_local"]) if "time_local" in values else None
