"""Spans of time as people write them: `90d`, `15m`, `5 min`, `1.5h`. The one place that reads them, for settings and options."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\s*")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: object) -> timedelta:
    """A number and one of s, m (or min), h, d, w; a timedelta is passed on. ValueError for anything else."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a number and one of s, m, h, d, w, such as 15m or 90d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def _words(value: Any) -> Any:
    """Numbers (seconds) and ISO 8601 are left to pydantic."""
    return duration(value) if isinstance(value, str) and not value.startswith("P") else value


Span = Annotated[timedelta, BeforeValidator(_words), Field(ge=timedelta(0))]
"""A setting that is a span of time, never negative."""
