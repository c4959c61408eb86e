"""Lines of the samples with something planted in them, written as the registry's own writer would write it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from format_samples import Sample, block, formats, rows

from collector.lines import split_lines

LINES_TRIED = 300
# Who did what to what, from where: what must never be told of the wrong one.
ATTRIBUTION = ("actor", "client_ip", "repository", "tag", "digest", "action")


@dataclass(frozen=True)
class Told:
    """One line that by itself gives one event."""

    format_name: str
    line: bytes
    event: dict[str, Any]

    def attribution(self) -> dict[str, Any]:
        return {name: self.event[name] for name in ATTRIBUTION}


def read_alone(format_name: str, line: bytes) -> list[dict[str, Any]]:
    """The events of a block that holds nothing else."""
    return rows(formats()[format_name].parse(block(line + b"\n")))


@cache
def telling_lines(sample: Sample) -> tuple[Told, ...]:
    """The first lines of a sample that give one event each; a document over many lines counts as one line."""
    found = []
    for line in _lines(sample):
        events = read_alone(sample.format_name, line)
        if len(events) == 1:
            found.append(Told(sample.format_name, line, events[0]))
    return tuple(found)


def _lines(sample: Sample) -> Iterator[bytes]:
    lines = [line for _, line in split_lines(sample.data, 0) if line.strip()]
    whole = _json(sample.data) if lines and lines[0].strip()[:1] in (b"{", b"[") else None
    if whole is None:
        yield from lines[:LINES_TRIED]
        return
    parts = whole if isinstance(whole, list) else [whole]
    for part in parts[:LINES_TRIED]:
        yield json.dumps(part, separators=(",", ":")).encode()


def as_go(text: str) -> str:
    """Inside quotes, as logrus and Distribution's access log write it."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def as_nginx(text: str) -> str:
    """As nginx writes a variable into its log."""
    return "".join(f"\\x{ord(c):02X}" if c in '"\\' or ord(c) < 32 else c for c in text)


def as_it_is(text: str) -> str:
    return text


# How the writer of each text format escapes a value. A format that is not named here is held to the hardest: as it is.
ESCAPES: dict[str, Callable[[str], str]] = {
    "distribution-json": as_go,  # its access lines
    "distribution-text": as_go,
    "gitlab-registry": as_go,
    "distribution-access": as_go,
    "quay-nginx": as_nginx,
}


def planted(told: Told, field: str, text: str) -> bytes | None:
    """The line with `text` in the place of the event's field; None where the field does not stand in it as it is."""
    old = told.event[field]
    if not isinstance(old, str) or len(old) < 3:
        return None
    if (inner := told.line.find(b"{")) >= 0 and (document := _json(told.line[inner:])) is not None:
        changed = _replaced(document, old, text)
        if changed == document:
            return None
        return told.line[:inner] + json.dumps(changed, separators=(",", ":")).encode()
    line = told.line.decode("utf-8", "surrogateescape")
    escape = as_nginx if "nginx" in told.format_name else ESCAPES.get(told.format_name, as_it_is)
    if line.count(old) != 1:
        return None
    quoted = escape(text)
    if told.format_name == "distribution-text" and f'"{old}"' not in line:
        quoted = f'"{quoted}"'
    return line.replace(old, quoted).encode("utf-8", "surrogateescape")


def forgery(told: Told, field: str, name: str) -> str | None:
    """A value that closes its own line and begins another one, which says `name`."""
    line, old = told.line.decode("utf-8", "surrogateescape"), told.event[field]
    if not isinstance(old, str) or line.count(old) != 1:
        return None
    before, _, after = line.partition(old)
    return f"{name}{after} {before}x"


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, old, new) for each in value]
    if isinstance(value, str) and value.startswith("{") and (inner := _json(value.encode())) is not None:
        changed = _replaced(inner, old, new)
        return json.dumps(changed) if changed != inner else value
    if isinstance(value, str) and value.endswith("/" + old) and "://" not in value:  # JFrog's `jfrog/user`
        return value[: -len(old)] + new
    return new if value == old else value
