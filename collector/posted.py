"""A request that was posted to us, kept as one line: `{"headers": {…}, "body": …}`, with or without more around it.

The receiver keeps a request so where a format needs its headers; captures of other receivers have the headers as a list of
pairs and the body as text. Credentials among the headers are never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from collector.errors import Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """`headers` by lower-case name; `body` as JSON; `received_at` as the capture wrote it."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: Any = None


def read_posted(document: Any) -> Posted:
    """The request that a document holds; a document that holds none is itself the body.

    Raises:
        Unreadable: the body is text, but no JSON.
    """
    if not isinstance(document, dict) or "body" not in document or not isinstance(document.get("headers"), dict | list):
        return Posted(body=document)
    body = document["body"]
    if isinstance(body, str):
        try:
            body = orjson.loads(body)
        except ValueError:
            raise Unreadable("torn or mutated JSON in the body") from None
    return Posted(body=body, headers=_headers(document["headers"]), received_at=document.get("received_at"))


def _headers(told: dict[str, Any] | list[Any]) -> dict[str, str]:
    pairs = told.items() if isinstance(told, dict) else [tuple(pair) for pair in told if _is_pair(pair)]
    found: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(value, list):  # Go writes every header as a list
            value = value[0] if value else None
        if isinstance(name, str) and isinstance(value, str):
            found.setdefault(name.lower(), value)
    return found


def _is_pair(told: Any) -> bool:
    return isinstance(told, list) and len(told) == 2
