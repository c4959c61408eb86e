"""Plain values as YAML text, for files that people read and Prometheus and Grafana load.

Only what these files need: block mappings and lists, strings always in JSON's quotes (which are YAML's too), so that no
value can turn into a boolean, a number or a template by its looks. A YAML library would be a dependency for this alone.
"""

from __future__ import annotations

import json
import re
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def dump(value: dict[str, Any], comment: str) -> str:
    """A document with a comment on top; keys keep their order."""
    lines = [f"# {line}" for line in comment.splitlines()]
    return "\n".join([*lines, *_mapping(value)]) + "\n"


def _mapping(mapping: dict[str, Any]) -> list[str]:
    lines = []
    for key, value in mapping.items():
        name = key if _PLAIN_KEY.match(key) and key.lower() not in _RESERVED else _scalar(key)
        if isinstance(value, dict | list) and value:
            lines.append(f"{name}:")
            lines += [f"  {line}" for line in _block(value)]
        else:
            lines.append(f"{name}: {_scalar(value)}")
    return lines


def _block(value: dict[str, Any] | list[Any]) -> list[str]:
    if isinstance(value, dict):
        return _mapping(value)
    lines = []
    for item in value:
        inner = _block(item) if isinstance(item, dict | list) and item else [_scalar(item)]
        lines += [f"{'- ' if place == 0 else '  '}{line}" for place, line in enumerate(inner)]
    return lines


def _scalar(value: Any) -> str:
    # json.dumps leaves as they are: U+0085, U+2028 and U+2029, which YAML reads as line ends, and letters it refuses.
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text
    )
