"""A rule's data as TOML, the way the rules of the pack are written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.rules.model import Rule

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECTIONS = ("match", "when")


def as_toml(rule: Mapping[str, Any]) -> str:
    """The text of a rule file. `rule` holds texts, numbers, booleans, lists and tables, as TOML does."""
    lines = [f"{_key(name)} = {_value(value)}" for name, value in rule.items() if name not in _SECTIONS]
    for section in _SECTIONS:
        if rule.get(section):
            lines += ["", f"[{section}]"]
            lines += [f"{_key(name)} = {_value(value)}" for name, value in rule[section].items()]
    return "\n".join(lines) + "\n"


def data_of(rule: Rule) -> dict[str, Any]:
    """What a rule's file says, without what it leaves to the defaults, and without its samples."""
    data: dict[str, Any] = _data(rule.model_dump(exclude={"samples"}, exclude_defaults=True))
    return data


def _data(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _data(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_data(one) for one in value]
    if isinstance(value, timedelta):
        return span_text(value)
    return str(value) if isinstance(value, Enum) else value


def span_text(span: timedelta) -> str:
    """`90s`, `10m`, `2h`, `30d`: the largest unit that divides it."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    # JSON's escapes are TOML's too, but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
