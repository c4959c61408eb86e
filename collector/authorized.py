"""Who made a request, where only the line `authorized request` says it and the line that ends the request does not.

Distribution 3 names the account on both lines; of a request that succeeds, 2.8 as it is released names it on neither. Where it
stands on the first alone, the request's id, which both carry, tells whose the second is. Looked for is in the block and in what
stands before it, so an answer that comes after more than 64 KiB of other lines may stay without a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from collector.errors import LineError
from collector.lines import MAX_LINE_BYTES, word
from collector.request import action_of, read_request
from collector.sheet import request_event_id
from store.event import Action

if TYPE_CHECKING:
    import pyarrow as pa

MESSAGE = "authorized request"
_NAMED = b"auth.user.name"
Entry = Callable[[bytes], Mapping[str, Any] | None]


def account_of(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """(request, account) of such a line's fields; None if it does not name both."""
    request, account = word(entry.get("http.request.id")), word(entry.get("auth.user.name"))
    return None if request is None or account is None else (request, account)


def with_accounts(events: pa.Table, read: Mapping[str, str], data: tuple[bytes, bytes], entry_of: Entry) -> pa.Table:
    """The events, with the account of those that an answer told of without a name.

    `read`: request → account, of the lines that were read one by one; `data`: the block and what stands before it; `entry_of`
    gives the fields of an application line, whatever is wrapped around it, or raises `LineError`.
    """
    import pyarrow.compute as pc

    if not any(_NAMED in part for part in data):
        return events
    nameless = pc.and_(pc.is_null(events["actor"]), pc.is_valid(events["status"]))
    if not pc.any(nameless).as_py():
        return events
    wanted = set(pc.filter(events["request_id"], nameless).to_pylist()) - {None}
    names = dict(read)
    for part in data:
        if not wanted <= names.keys():
            found: dict[str, str] = {}
            for request, account in _accounts(part, entry_of):
                found.setdefault(request, account)
            names = found | names
    return events if wanted.isdisjoint(names) else _filled(events, nameless.to_pylist(), names)


def _filled(events: pa.Table, nameless: list[bool], names: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    changed = {name: events[name].to_pylist() for name in ("actor", "action", "event_id")}
    told = [events[name].to_pylist() for name in ("request_id", "method", "uri", "status")]
    for row, (missing, number, method, uri, status) in enumerate(zip(nameless, *told, strict=True)):
        name = names.get(number) if missing else None
        if name is None:
            continue
        changed["actor"][row] = name
        if changed["action"][row] == Action.PING:  # with a name it was a login, and its id is that of one
            action = action_of(read_request(method or "", uri or ""), status, name).value
            changed["action"][row], changed["event_id"][row] = action, request_event_id(number, action)
    for name, values in changed.items():
        place = events.schema.get_field_index(name)
        field = events.schema.field(place)
        events = events.set_column(place, field, pa.array(values, field.type))
    return events


def _accounts(data: bytes, entry_of: Entry) -> Iterator[tuple[str, str]]:
    """By the account's field, not the message: where no such line names one, as in 2.8, that field is rare."""
    message = MESSAGE.encode()
    at = data.find(_NAMED)
    while at >= 0:
        begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
        line = data[begin : end if end >= 0 else len(data)].rstrip(b"\r")
        if message in line and len(line) <= MAX_LINE_BYTES:
            try:
                entry = entry_of(line)
            except LineError:
                entry = None
            if entry is not None and entry["msg"] == MESSAGE and (named := account_of(entry)):
                yield named
        at = data.find(_NAMED, begin + len(line) + 1)
