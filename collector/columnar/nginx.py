"""Access lines of a `log_format` (`collector.nginx_log_format`) by columns: whatever directive a site wrote.

A line is taken where it can be read one way only: values without quotes hold none of the characters that stand behind such a
value anywhere in the directive, nor blanks, quotes or brackets; values in quotes hold no quote. Then each value ends where the
character behind it comes next, and the expression of the way line by line can find no other places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.access_line import unescape
from collector.columnar.access import Said, common, count_of
from collector.columnar.rows import Columns, Rows
from collector.columnar.scan import Scan, worth_it
from collector.columnar.text import BlockText
from collector.columnar.values import by_word, like, mask, seconds
from collector.errors import LineError
from collector.image_reference import is_digest
from collector.nginx_log_format import DIGESTS, REQUEST_IDS, Template, from_json, time_of
from collector.request import Kind
from collector.stages import Block

if TYPE_CHECKING:
    from collector.columnar.requests import Requests
    from collector.columnar.text import Mask, Places

_NUMBER = r"(?:-|0|[1-9]\d{0,17})"
_SECONDS = r"(?:-|\d{1,9}\.\d{1,6})"
_ADDRESS = r"[0-9A-Fa-f:.]{1,45}"
_UPSTREAM = r"[\d.:-]{1,40}"
# What `collector.nginx_log_format` takes for these, less what could end elsewhere; and what is written there: 0 for digits, a and A
# for letters.
_SHAPES = {
    "remote_addr": (_ADDRESS, "0aA:."),
    "remote_port": (_NUMBER, "0-"),
    "time_local": (r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", "0aA/:+- "),
    "time_iso8601": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", "0A-:+"),
    "msec": (r"\d{1,12}\.\d{3}", "0."),
    "status": (r"[1-5]\d\d", "0"),
    "body_bytes_sent": (_NUMBER, "0-"),
    "bytes_sent": (_NUMBER, "0-"),
    "request_length": (_NUMBER, "0-"),
    "request_time": (_SECONDS, "0.-"),
    "pipe": (r"[.p]", ".p"),
    "http_x_forwarded_for": (rf"(?:-|{_ADDRESS}(?:, ?{_ADDRESS}){{0,7}})", "0aA:.-, "),
    "upstream_addr": (r"[0-9A-Za-z:._/-]{1,100}", "0aA:._/-"),
    "upstream_status": (r"(?:\d{3}|-)", "0-"),
    "upstream_response_time": (_UPSTREAM, "0.:-"),
    "upstream_connect_time": (_UPSTREAM, "0.:-"),
    "upstream_header_time": (_UPSTREAM, "0.:-"),
    "upstream_response_length": (_UPSTREAM, "0.:-"),
    "server_protocol": (r"HTTP/[\d.]{1,8}", "A/0."),
    "proxy_protocol_addr": ("-", "-"),  # another client than the one that connected: line by line
}
_AS_OFTEN = {"time_local": " /:", "msec": "."}  # in each such value: what cannot be mistaken for an end of another one
_TIMES = ("msec", "time_iso8601", "time_local")  # as `time_of` prefers them
_HOSTS, _SIZES = ("http_host", "host"), ("body_bytes_sent", "bytes_sent")
_READ = {
    "remote_addr", "remote_user", "remote_port", "request", "request_method", "request_uri", "status", "request_length",
    "request_time", "http_user_agent", "http_x_forwarded_for", *_TIMES, *_HOSTS, *_SIZES, *DIGESTS, *REQUEST_IDS,
}  # fmt: skip
_MAY_BE_ESCAPED = "http_user_agent"
_PRINTABLE = {chr(code) for code in range(0x21, 0x7F)} - set('"[]\\')
_TIMESTAMP = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class _Way:
    """How lines of one directive are cut: `pattern` is of those that can be; the bytes in front of each value, and behind the last;
    the values that are read."""

    pattern: str
    names: tuple[str, ...]
    between: tuple[bytes, ...]
    read: frozenset[str]
    json: bool


def scan(template: Template, block: Block, now: datetime) -> Scan | None:
    """None where the directive has values that only the way line by line can place, or a block is not `worth_it`."""
    way = _way(template)
    if way is None or not worth_it(block):
        return None
    text = BlockText(block.data, json=False)
    return Scan(block, text, [_rows(text, way, np.flatnonzero(text.plain))], [])


@lru_cache(maxsize=64)
def _way(template: Template) -> _Way | None:
    names, between = template.names, template.between
    read = _READ & set(names)
    asks = "request" in read or {"request_method", "request_uri"} <= read
    twice = any(names.count(name) > 1 for name in read)
    if not ("remote_addr" in read and asks and read & set(_TIMES)) or twice or _may_look_wrapped(names, between):
        return None
    ends = {after[:1] for before, after in pairwise(between) if not _quoted(before, after)} - {""}
    pieces = [re.escape(between[0])]
    for name, (before, after) in zip(names, pairwise(between), strict=True):
        quoted = _in_quotes(name, json=template.json, read=name in read) if _quoted(before, after) else None
        shape = quoted or _bare(name, after[:1], ends)
        if shape is None:
            return None
        pieces += [shape, re.escape(after)]
    pattern = f"^{''.join(pieces)}$"
    try:
        like(pa.array([""]), pattern)
    except pa.ArrowInvalid:  # too large an expression for RE2
        return None
    return _Way(pattern, names, tuple(each.encode() for each in between), frozenset(read), template.json)


def _may_look_wrapped(names: Sequence[str], between: Sequence[str]) -> bool:
    """Whether a line could begin as one that a log daemon wrapped (`collector.wrappers`)."""
    front = between[0]
    if front:
        return front[0].isalnum() or front[0] == "<" or front.startswith('{"log":')
    return names[0] != "remote_addr" or between[1].lstrip(" ").startswith("|")


def _quoted(before: str, after: str) -> bool:
    return before.endswith('"') and after.startswith('"')


def _in_quotes(name: str, *, json: bool, read: bool) -> str:
    if name in _SHAPES:
        return _SHAPES[name][0]
    if read and name != _MAY_BE_ESCAPED:
        return r'[^"\\]*'
    return r'(?:[^"\\]|\\[^"])*' if json else '[^"]*'


def _bare(name: str, end: str, ends: set[str]) -> str | None:
    """None: an end of this or another value could stand inside."""
    if name not in _SHAPES:
        return None if name == _MAY_BE_ESCAPED else f"[{''.join(map(re.escape, sorted(_PRINTABLE - ends)))}]*"
    shape, written = _SHAPES[name]
    others = ends - set(_AS_OFTEN.get(name, ""))
    return None if any(_may_hold(written, each) for each in {*others, end} - {""}) else shape


def _may_hold(written: str, end: str) -> bool:
    sort = "0" if end.isdigit() else "a" if end.islower() else "A" if end.isupper() else end
    return sort in written


def _rows(text: BlockText, way: _Way, lines: Places) -> Rows:
    fit = like(text.cut(text.starts[lines], text.ends[lines]), way.pattern)
    lines = lines[fit]
    if not len(lines):
        return Rows(lines, {})
    values = _values(text, way, lines)

    def told(*names: str) -> pa.Array:
        found = [values[name] for name in names if name in values]
        return pc.coalesce(*found) if found else pa.nulls(len(lines), pa.string())

    def written(*names: str) -> pa.Array:
        return pc.fill_null(told(*names), "-")

    requests = values.get("request")
    if requests is None:
        asked = (values[name] for name in ("request_method", "request_uri"))
        requests = pc.binary_join_element_wise(*asked, pa.scalar("HTTP/1.1"), " ")
    agents, plain = _agents(told(_MAY_BE_ESCAPED), json=way.json)
    columns, sure, request = common(
        Said(
            hosts=written("remote_addr"),
            users=written("remote_user"),
            requests=pc.fill_null(requests, "-"),
            status=written("status"),
            sizes=written(*_SIZES),
            agents=agents,
        )
    )
    columns["timestamp"], timed = _times(values, way)
    columns |= {
        "forwarded_for": told("http_x_forwarded_for"),
        "host": told(*_HOSTS),
        "duration_ns": seconds(written("request_time")),
        "request_bytes": count_of(written("request_length")),
        "request_id": told(*REQUEST_IDS),
        "client_port": _ports(count_of(written("remote_port"))),
    }
    _digests(columns, told(*DIGESTS), request)
    return Rows(lines, columns).where(sure & timed & plain)


def _values(text: BlockText, way: _Way, lines: Places) -> Columns:
    """The columns that are read; null where nginx wrote nothing or `-`."""
    places: dict[int, Places] = {}
    found: Columns = {}
    at, left = text.starts[lines] + len(way.between[0]), len(way.read)
    for name, after in zip(way.names, way.between[1:], strict=True):
        if after:
            where = places.get(after[0])
            if where is None:
                where = places[after[0]] = np.flatnonzero(text.at[: len(text.data)] == after[0])
            end = where[np.searchsorted(where, at)]
        else:
            end = text.ends[lines]
        if name in way.read:
            found[name] = _or_nothing(text.cut(at, end))
            left -= 1
            if not left:
                break
        at = end + len(after)
    return found


def _agents(written: pa.Array, *, json: bool) -> tuple[pa.Array, Mask]:
    """(as the client wrote them, which could be read)."""

    def read(text: str) -> str | None:
        try:
            agent = from_json(text) if json else unescape(text)
        except LineError:
            return None
        return None if agent in ("", "-") else agent

    made = by_word(written, read, pa.string())
    return made, mask(pc.equal(made.is_valid(), written.is_valid()))


def _or_nothing(column: pa.Array) -> pa.Array:
    empty = pc.or_(pc.equal(column, "-"), pc.equal(column, ""))
    return pc.if_else(empty, pa.scalar(None, pa.string()), column)


def _times(values: Columns, way: _Way) -> tuple[pa.Array, Mask]:
    name = next(each for each in _TIMES if each in way.read)

    def read(text: str) -> datetime | None:
        try:
            return time_of({name: text})
        except LineError:
            return None

    made = by_word(values[name], read, _TIMESTAMP)
    return made, mask(made.is_valid())


def _ports(ports: pa.Array) -> pa.Array:
    real = pc.and_(pc.greater(ports, 0), pc.less(ports, 65536))
    return pc.if_else(real, ports, pa.scalar(None, pa.int64()))


def _digests(columns: Columns, said: pa.Array, request: Requests) -> None:
    """What an answer's header names as the digest of a manifest."""
    told = by_word(said, lambda text: text if is_digest(text) else None, pa.string())
    manifests = np.array([one.kind is Kind.MANIFEST for one in request.sorts], bool)[request.sort]
    served = pa.array(manifests & (columns["status"].to_numpy() < 300))
    told = pc.if_else(served, told, pa.scalar(None, pa.string()))
    columns["digest"] = pc.coalesce(columns["digest"], told) if "digest" in columns else told
