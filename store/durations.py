"""Spans of time as people write them: `90d`, `15m`, `1.5h`."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h|d|w)\s*$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: object) -> timedelta:
    """A number and one of s, m, h, d, w; a timedelta is passed on. ValueError for anything else."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.match(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a number and one of s, m, h, d, w, such as 15m or 90d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
