"""The settings in force, for people to read: every value that may be or hold a secret is masked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

MASK = "••••••"
# A key that names a file or a variable is the name of the place, not the secret in it.
_SECRET = re.compile(r"(password|passwd|secret|token|bearer|credential|api_?key|private_?key)(?!.*_(file|env)$)", re.I)
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_QUERY = re.compile(r"(?<=[?&])([^=&\s]+)=[^&\s]+")


def rows(settings: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, str, str]]:
    """(section, key, value as written in TOML) for every setting; lists of tables are numbered from 1."""
    for key, value in settings.items():
        inner = f"{section}.{key}" if section else str(key)
        if isinstance(value, Mapping):
            yield from rows(value, inner)
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            for place, one in enumerate(value, start=1):
                yield from rows(one, f"{inner} {place}")
        else:
            yield section, str(key), shown(str(key), value)


def shown(key: str, value: Any) -> str:
    """One value; a mask where the key says secret or pydantic hid it, and no user, password or query of an address."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if _SECRET.search(key) or (isinstance(value, str) and value and set(value) == {"*"}):
        return MASK
    if isinstance(value, list):
        return ", ".join(shown(key, one) for one in value) or "none"
    if isinstance(value, str):
        return _QUERY.sub(rf"\1={MASK}", _IN_ADDRESS.sub(MASK, value)) or "empty"
    return str(value)
