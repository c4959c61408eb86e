"""Distribution's stream by columns: application lines in JSON, and access lines between (`collector.distribution_log`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columnar import access
from collector.columnar.requests import Requests, read_requests
from collector.columnar.rows import Columns, Rows, fill, hashed_texts, ids, verdicts
from collector.columnar.templates import Group, Template, groups
from collector.columnar.text import BlockText
from collector.columnar.values import (
    addresses_and_ports,
    codes,
    go_durations,
    joined,
    mask,
    moments,
    no_empty,
)
from collector.distribution_request import FORGED, MANIFEST_TYPES, completed, error_message, refused_event
from collector.request import read_request
from store.event import Action, Channel, Event

if TYPE_CHECKING:
    from collector.columnar.text import Mask, Places

_TEXTS = (
    "msg", "level", "time", "http.request.id", "http.request.method", "http.request.uri", "http.request.remoteaddr",
    "http.request.useragent", "http.request.host", "http.response.duration", "auth.user.name", "username", "err.code",
    "err.message", "err.detail", "http.response.contenttype",
)  # fmt: skip
_NUMBERS = ("http.response.status", "http.response.written")
_NEEDED = ("msg", "level", "time")
_OF_REQUEST = ("http.request.method", "http.request.uri", "http.request.remoteaddr")
_NOTHING = read_request("", "")  # of no matter for whether a message refuses somebody
_INFO, _WARNING = ("info", "debug", "trace"), ("warning", "warn")


@dataclass(slots=True)
class Application:
    """What the application lines of a block say: `rows`, the lines that are no event, how many they are, and all levels."""

    rows: Rows | None = None
    ignored: int = 0
    read: list[Places] = field(default_factory=list)
    levels: tuple[bool, bool, bool] = (False, False, False)


def application_lines(text: BlockText, lines: Places, known: dict[int, list[Template]]) -> Application:
    """JSON lines of the application. Those that are neither in `rows` nor in `read` are for Python."""
    found = Application()
    parts: dict[str, list[pa.Array]] = {name: [] for name in (*_TEXTS, *_NUMBERS)}
    events = []
    for group in groups(text, lines, known):
        if _readable(group.template):
            mine = _events_of(group, found)
            if mine is not None:
                events.append(mine)
                for name, columns in parts.items():
                    columns.append(_said(mine, name))
    if not events:
        return found
    at = np.concatenate([group.lines for group in events])
    said = {name: pa.concat_arrays(columns) for name, columns in parts.items()}
    rows, wrong = _rows(at, said)
    rows = rows.where(~wrong)
    found.rows = rows.where(~_told_twice(rows))
    _note(found, said["level"].filter(pa.array(~wrong)))
    return found


def _readable(template: Template) -> bool:
    """Whether every key that matters has a value of the sort that it has in a log line of a registry."""
    if any(key not in template.texts for key in _NEEDED):
        return False
    detail = "err.detail"
    texts = all(key not in template.numbers and key not in template.fixed for key in _TEXTS if key != detail)
    return texts and all(key not in template.texts and key not in template.fixed for key in _NUMBERS)


def _said(group: Group, name: str) -> pa.Array:
    if name in _NUMBERS:
        number = group.numbers.get(name)
        return pa.nulls(len(group.lines), pa.int64()) if number is None else number
    column = group.string(name)
    return pa.nulls(len(group.lines), pa.string()) if column is None else column


def _events_of(group: Group, found: Application) -> Group | None:
    """The lines of the group that end a request; the others are noted."""
    messages = group.string("msg")
    assert messages is not None
    number, said = codes(messages)
    ends = np.array([_ends_request(message) for message in said], bool)[number]
    request_id = group.string("http.request.id")
    if request_id is None:
        ends[:] = False
    else:
        ends &= mask(pc.greater(pc.binary_length(request_id), 0))
    whole = all(key in group.template.texts for key in _OF_REQUEST)
    others = ~ends
    if others.any():
        quiet = group.where(others)
        levels = quiet.string("level")
        assert levels is not None
        found.read.append(quiet.lines)
        found.ignored += len(quiet.lines)
        _note(found, levels)
    if not ends.any() or not whole:
        return None
    return group.where(ends)


def _ends_request(message: str) -> bool:
    return message.startswith("response completed") or refused_event({}, message, _NOTHING) is not None


def _note(found: Application, levels: pa.Array) -> None:
    said = set(levels.unique().to_pylist())
    info, warning = bool(said & set(_INFO)), bool(said & set(_WARNING))
    error = bool(said - set(_INFO) - set(_WARNING))
    before = found.levels
    found.levels = (before[0] or info, before[1] or warning, before[2] or error)


def _rows(lines: Places, said: Columns) -> tuple[Rows, Mask]:
    """(one row each, which are not sure)."""
    methods, uris = said["http.request.method"], said["http.request.uri"]
    request = read_requests(methods, uris)
    ended = mask(pc.starts_with(said["msg"], "response completed"))
    actors = no_empty(said["auth.user.name"])
    times, timed = moments(said["time"])
    clients, ports, placed = addresses_and_ports(said["http.request.remoteaddr"])
    durations, lasted = go_durations(said["http.response.duration"])
    columns: Columns = {
        "channel": pa.repeat(pa.scalar(Channel.APPLICATION.value), len(lines)),
        "timestamp": times,
        "client_ip": clients,
        "client_port": ports,
        "client_via": pc.if_else(clients.is_valid(), pa.scalar("peer"), pa.scalar(None, pa.string())),
        "user_agent": no_empty(said["http.request.useragent"]),
        "method": no_empty(methods),
        "uri": no_empty(uris),
        "host": no_empty(said["http.request.host"]),
        "request_id": said["http.request.id"],
        "repository": request.repository,
        "reference": request.reference,
        "digest": request.digest,
        "from_repository": request.from_repository,
        "actor": actors,
        "status": said["http.response.status"],
        "response_bytes": said["http.response.written"],
        "duration_ns": durations,
        "error_code": no_empty(said["err.code"]),
        "media_type": _manifest_types(said["http.response.contenttype"], ended),
    }
    columns |= _completed(said, request, actors)
    _errors(columns, said)
    _refused(columns, said, request, np.flatnonzero(~ended))
    columns["event_id"] = _request_ids(columns)
    fill(columns, mask(request.digest.is_valid()))
    forged = mask(pc.ends_with(said["msg"], FORGED))  # these keep what was said
    return Rows(lines, columns), ~(timed & placed & lasted) | forged


def _completed(said: Columns, request: Requests, actors: pa.Array) -> Columns:
    gone = mask(pc.equal(said["err.detail"], "client disconnected"))
    unsupported = mask(pc.equal(said["err.code"], "unsupported"))
    status, known = codes(said["http.response.status"])

    def verdict(sort: int, status: int, named: int, gone: int, unsupported: int) -> Event:
        return completed(
            {
                "http.response.status": None if status < 0 else known[status],
                "auth.user.name": "a" if named else None,
                "err.detail": "client disconnected" if gone else None,
                "err.code": "unsupported" if unsupported else None,
            },
            request.sorts[sort],
        )

    truths = [each.astype(np.int64) for each in (mask(actors.is_valid()), gone, unsupported)]
    found = verdicts([request.sort, status, *truths], verdict)
    del found["actor"]  # here the name itself is in the line
    return found


def _manifest_types(answered: pa.Array, ended: Mask) -> pa.Array:
    told = ended & mask(pc.starts_with(answered, MANIFEST_TYPES))
    return pc.if_else(pa.array(told), answered, pa.scalar(None, pa.string()))


def _errors(columns: Columns, said: Columns) -> None:
    rows = np.flatnonzero(mask(pc.or_(said["err.message"].is_valid(), said["err.detail"].is_valid())))
    if len(rows):
        at = pa.array(rows)
        pairs = zip(said["err.message"].take(at).to_pylist(), said["err.detail"].take(at).to_pylist(), strict=True)
        texts = pa.array([error_message(message, detail) for message, detail in pairs], pa.string())
        columns["error_message"] = joined(pa.nulls(len(said["msg"]), pa.string()), texts, rows)


def _refused(columns: Columns, said: Columns, request: Requests, rows: Places) -> None:
    """Rows of requests that never reached their handler: other verdicts, and nothing of an answer."""
    if not len(rows):
        return
    at = pa.array(rows)
    message, messages = codes(said["msg"].take(at))
    name, names = codes(said["username"].take(at))

    def verdict(message: int, name: int, sort: int) -> Event:
        entry = {} if name < 0 else {"username": names[name]}
        return refused_event(entry, messages[message], request.sorts[sort]) or {}

    found = verdicts([message, name, request.sort[rows]], verdict)
    for column, values in found.items():
        columns[column] = joined(columns[column], values, rows)
    for column in ("status", "response_bytes", "duration_ns", "error_code", "error_message"):
        if column in columns:
            nothing = pa.nulls(len(rows), columns[column].type)
            columns[column] = joined(columns[column], nothing, rows)


def _request_ids(columns: Columns) -> pa.Array:
    """`collector.sheet.request_event_id`."""
    action = columns["action"]
    hashed = hashed_texts(columns["request_id"], action)
    untag = mask(pc.equal(action, Action.UNTAG.value)) & mask(pc.greater(pc.binary_length(columns["reference"]), 0))
    rows = np.flatnonzero(untag)
    if len(rows):
        references = columns["reference"].take(pa.array(rows)).to_pylist()
        for row, reference in zip(rows.tolist(), references, strict=True):
            hashed[row] += b"\x1f" + reference.encode()
    return ids("r", hashed)


def _told_twice(rows: Rows) -> Mask:
    """Rows whose request another line of the block tells of as well: together they are one event, which Python makes."""
    number, said = codes(rows.columns["event_id"])
    if len(said) == len(number):
        return np.zeros(len(number), bool)
    found: Mask = np.bincount(number, minlength=len(said))[number] > 1
    return found


def access_lines(text: BlockText, lines: Places) -> Rows:
    """Access lines of requests that the router hands on; whatever else stands there is for Python."""
    rows, routed = access.combined(text, lines)
    return rows.where(routed)
