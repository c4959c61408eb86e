"""One line of Go's logrus, in its text and its JSON form, as a flat dictionary with the keys time, level, msg and the fields."""

from __future__ import annotations

import re
from typing import Any

import orjson

from collector.access_line import unescape
from collector.errors import NotMine, Unreadable
from collector.lines import as_text

# A value is quoted whenever it holds anything but [A-Za-z0-9-._/@^+]; the two alternatives cannot match the same text.
_PAIR = re.compile(r'([^\s="]{1,200})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?: +|$)')


def read_json(line: bytes) -> dict[str, Any]:
    """The JSON formatter, or logstash's of 2.x (`@timestamp`, `message`).

    Raises:
        NotMine: an object, but no log line. Unreadable: no whole object.
    """
    entry = _load(line)
    if not isinstance(entry, dict):
        raise NotMine("not a JSON object")
    if "msg" not in entry and "message" in entry:
        entry["msg"], entry["time"] = entry["message"], entry.get("@timestamp", entry.get("time"))
    if not (isinstance(entry.get("msg"), str) and "level" in entry and "time" in entry):
        raise NotMine("no log line of a registry: msg, level or time is missing")
    return entry


def _load(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        pass
    try:  # bytes that are no UTF-8 are the only thing that may be mended
        return orjson.loads(line.decode("utf-8", "replace"))
    except ValueError:
        raise Unreadable("torn or mutated JSON") from None


def read_text(line: bytes) -> dict[str, Any]:
    """The text formatter: `time="…" level=info msg="…" key=value …`.

    Raises:
        NotMine, Unreadable.
    """
    text = as_text(line)
    entry: dict[str, Any] = {}
    at, end = 0, len(text)
    while at < end:
        found = _PAIR.match(text, at)
        if found is None:
            raise Unreadable("torn or mutated key=value line")
        quoted = found[2]
        entry[found[1]] = found[3] if quoted is None else unescape(quoted)
        at = found.end()
    if not ("msg" in entry and "level" in entry and "time" in entry):
        raise NotMine("no log line of a registry: msg, level or time is missing")
    return entry
