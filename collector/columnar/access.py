"""Access lines by columns (`collector.access_line`): the combined form, and Harbor's timed one with its syslog header.

Quotes divide such a line: what stands in front of the first, the request, status and size, referer, agent, and the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.access_line import unescape
from collector.columnar.requests import Requests, read_requests
from collector.columnar.rows import Columns, Rows, fill, verdicts
from collector.columnar.text import BlockText
from collector.columnar.values import by_word, codes, like, mask, seconds
from collector.errors import LineError
from collector.lines import address, apache_moment
from collector.request import action_of, result_of
from collector.syslog_header import read_syslog
from store.event import Channel, Event

if TYPE_CHECKING:
    from collector.columnar.text import Mask, Places

_TIME = len("24/Nov/2026:02:17:24 +0000")
_REQUEST = r"^[A-Z]{3,20} [^ \\]+ HTTP/[^ \\]*$"
_ANSWER = r"^ [1-5]\d\d (?:\d{1,18}|-) $"
_TAIL = r"^ (?:\d{1,9}\.\d{1,6}|-) [\d.,:-]{1,200} [.p]$"
_TIMESTAMP = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Said:
    """What every access line says, a column each: `-` where there is nothing. `status` and `sizes` are such. `agents` are without
    escapes, and null where there is nothing."""

    hosts: pa.Array
    users: pa.Array
    requests: pa.Array
    status: pa.Array
    sizes: pa.Array
    agents: pa.Array


def combined(text: BlockText, lines: Places) -> tuple[Rows, Mask]:
    """(rows of the lines that are surely read, which of them Distribution's router hands on)."""
    found: list[tuple[Rows, Mask]] = [_combined(text, lines[text.count[lines] == count], count) for count in (6, 8)]
    found = [each for each in found if len(each[0].lines)]
    if not found:
        return Rows(np.zeros(0, np.int64), {}), np.zeros(0, bool)
    if len(found) == 1:
        return found[0]
    (first, routed), (second, more) = found
    names = [*first.columns, *(name for name in second.columns if name not in first.columns)]
    columns = {}
    for name in names:
        kind = (first.columns if name in first.columns else second.columns)[name].type
        parts = [
            each.columns[name] if name in each.columns else pa.nulls(len(each.lines), kind) for each in (first, second)
        ]
        columns[name] = pa.concat_arrays(parts)
    return Rows(np.concatenate((first.lines, second.lines)), columns), np.concatenate((routed, more))


def _combined(text: BlockText, lines: Places, count: int) -> tuple[Rows, Mask]:
    nothing = Rows(np.zeros(0, np.int64), {}), np.zeros(0, bool)
    if not len(lines):
        return nothing
    places = text.quotes_of(lines, count)
    start, quote = places[0], places[1]
    fit = text.says(quote - 2, b'] "') & text.says(quote - _TIME - 4, b" [") & (quote - _TIME - 4 > start)
    fit &= text.says(places[2], b'" ') & (places[5] == places[4] + 2) & text.says(places[4], b'" "')
    if count == 8:
        fit &= (places[7] == places[6] + 2) & text.says(places[6], b'" "')
    fit &= places[-2] + 1 == places[-1]
    lines, places = lines[fit], places[:, fit]
    if not len(lines):
        return nothing
    quote = places[1]
    head = text.cut(places[0], quote - _TIME - 4)
    times, timed = _times(text.cut(quote - _TIME - 2, quote - 2))
    good = like(head, r"^[0-9A-Fa-f:.]{1,64} - [^ \\\[]{1,255}$") & timed
    said, fit = _said(text, places, pc.if_else(pa.array(good), head, pa.scalar("0.0.0.0 - -")))
    columns, sure, request = common(said)
    columns["timestamp"] = times
    if count == 8:
        columns["forwarded_for"] = by_word(text.cut(places[7] + 1, places[8]), _plain, pa.string())
    good &= sure & fit
    return Rows(lines, columns).where(good), request.routed[good]


def timed(text: BlockText, lines: Places, now: datetime, newest: datetime, zone: tzinfo) -> Rows:
    """Rows of the lines that are surely read."""
    text.spoil_lines_with(b"#")  # may be a control byte as rsyslog writes it
    lines = lines[(text.count[lines] == 6) & text.plain[lines]]
    if not len(lines):
        return Rows(lines, {})
    places = text.quotes_of(lines, 6)
    quote = places[1]
    fit = text.says(quote - 3, b' - "') & (quote - 3 > places[0]) & text.says(places[2], b'" ')
    fit &= (places[5] == places[4] + 2) & text.says(places[4], b'" "')
    lines, places = lines[fit], places[:, fit]
    if not len(lines):
        return Rows(lines, {})
    head = pc.split_pattern(text.cut(places[0], places[1] - 3), " ", max_splits=1, reverse=True)
    ends = head.offsets.to_numpy()[1:]
    parts = head.flatten()
    host = parts.take(pa.array(ends - 1))
    headed = np.diff(head.offsets.to_numpy()) == 2
    headers = pc.if_else(pa.array(headed), parts.take(pa.array(ends - 1 - headed)), pa.scalar(""))
    times, dated = _headers(headers, now, newest, zone)
    times, dated = pc.if_else(pa.array(headed), times, pa.scalar(now, _TIMESTAMP)), dated | ~headed
    rest = text.cut(places[6] + 1, places[7])
    good = dated & like(host, r"^[0-9A-Fa-f:.]{1,64}$") & like(rest, _TAIL)
    front = pc.binary_join_element_wise(pc.if_else(pa.array(good), host, pa.scalar("0.0.0.0")), pa.scalar("- -"), " ")  # noqa: S104
    said, fit = _said(text, places, front)
    columns, sure, _ = common(said)
    columns["timestamp"] = times
    rest = pc.if_else(pa.array(good), rest, pa.scalar(" - - ."))
    tails = pc.split_pattern(rest, " ", max_splits=2).flatten()
    columns["duration_ns"] = seconds(tails.take(pa.array(np.arange(1, len(tails), 3))))
    del columns["actor"]
    return Rows(lines, columns).where(good & sure & fit)


def _headers(headers: pa.Array, now: datetime, newest: datetime, zone: tzinfo) -> tuple[pa.Array, Mask]:
    """(time of each line's syslog header, or now where it has none that can be read; which are surely headers)."""

    def read(header: str) -> datetime | None:
        found = read_syslog(f"{header} x".encode(), newest, zone)
        return None if found is None or found.payload != b"x" else found.time or now

    number, said = codes(headers)
    moments = [read(header) for header in said]
    times = pa.array(moments, _TIMESTAMP).take(pa.array(number))
    return times, mask(times.is_valid())


def _times(times: pa.Array) -> tuple[pa.Array, Mask]:
    shaped = like(times, r"^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$")

    def read(time: str) -> datetime | None:
        try:
            return apache_moment(time)
        except LineError:
            return None

    made = by_word(pc.if_else(pa.array(shaped), times, pa.scalar("")), read, _TIMESTAMP)
    return made, mask(made.is_valid())


def _plain(text: str) -> str | None:
    return None if text in ("", "-") else unescape(text)


def common(said: Said) -> tuple[Columns, Mask, Requests]:
    """(what all forms say in the same words, which rows are sure, what they ask). Rows that are not sure hold anything."""
    clients = by_word(said.hosts, address, pa.string())
    requests = said.requests
    sure = like(requests, _REQUEST) & mask(clients.is_valid())
    if not sure.all():
        requests = pc.if_else(pa.array(sure), requests, pa.scalar("GET / HTTP/1"))
    parts = pc.split_pattern(requests, " ").flatten()
    at = np.arange(0, len(parts), 3)
    methods, uris = parts.take(pa.array(at)), parts.take(pa.array(at + 1))
    request = read_requests(methods, uris)
    status = said.status.cast(pa.int64())
    actors = pc.if_else(pc.equal(said.users, "-"), pa.scalar(None, pa.string()), said.users)
    code, known = codes(status)

    def verdict(sort: int, code: int, named: int) -> Event:
        actor = "a" if named else None
        outcome, reason = result_of(request.sorts[sort], known[code], actor)
        action = action_of(request.sorts[sort], known[code], actor)
        return {"action": action.value, "outcome": outcome.value, "reason": reason}

    columns = verdicts([request.sort, code, mask(actors.is_valid()).astype(np.int64)], verdict)
    columns |= {
        "channel": pa.repeat(pa.scalar(Channel.ACCESS.value), len(clients)),
        "actor": actors,
        "client_ip": clients,
        "client_via": pa.repeat(pa.scalar("peer"), len(clients)),
        "user_agent": said.agents,
        "method": methods,
        "uri": uris,
        "status": status,
        "response_bytes": count_of(said.sizes),
        "repository": request.repository,
        "reference": request.reference,
        "digest": request.digest,
        "from_repository": request.from_repository,
    }
    fill(columns, mask(request.digest.is_valid()))
    return columns, sure, request


def count_of(written: pa.Array) -> pa.Array:
    """Digits as numbers; nothing for `-`."""
    none = pc.equal(written, "-")
    return pc.if_else(none, pa.scalar(None, pa.int64()), pc.if_else(none, pa.scalar("0"), written).cast(pa.int64()))


def _said(text: BlockText, places: Places, head: pa.Array) -> tuple[Said, Mask]:
    """(the values of lines that quotes divide, whether status and size are such). `head`: `host - user`."""
    heads = pc.split_pattern(head, " ").flatten()
    at = np.arange(0, len(heads), 3)
    answers = text.cut(places[2] + 1, places[3])
    fit = like(answers, _ANSWER)
    if not fit.all():
        answers = pc.if_else(pa.array(fit), answers, pa.scalar(" 200 - "))
    said = Said(
        hosts=heads.take(pa.array(at)),
        users=heads.take(pa.array(at + 2)),
        requests=text.cut(places[1] + 1, places[2]),
        status=pc.utf8_slice_codeunits(answers, 1, 4),
        sizes=pc.utf8_slice_codeunits(answers, 5, stop=-1),
        agents=by_word(text.cut(places[5] + 1, places[6]), _plain, pa.string()),
    )
    return said, fit
