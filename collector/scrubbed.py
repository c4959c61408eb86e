"""A foreign line made fit to be shown: no control characters, cut, and what looks like a secret as `***`."""

from __future__ import annotations

import re

SHOWN = 240  # characters

_KEYS = r"[\w.-]{0,40}(?:authorization|password|passwd|secret|token|cookie|credential|signature|api[_-]?key|apikey)[\w.-]{0,20}"
_VALUE = r"(?:'[^']{0,4000}'?|\\?\"(?:[^\"\\]|\\.){0,4000}\\?\"?|\[[^\]]{0,4000}\]?|[^\s,;&\"'}\]]{1,4000})"
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # `Authorization: Basic …` and `"Authorization":["Bearer …"]`, whatever stands around them.
    (re.compile(r"(?i)\b(basic|bearer|digest|negotiate) +[A-Za-z0-9+/=._~-]{4,4000}"), r"\1 ***"),
    (re.compile(rf"(?i)({_KEYS}\\?[\"']?\s{{0,3}}[=:]\s{{0,3}}){_VALUE}"), r"\1***"),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{0,15}://)[^/\s@\"]{1,400}@"), r"\1***@"),
    (re.compile(r"\beyJ[\w-]{5,4000}(?:\.[\w-]{0,4000}){1,2}"), "***"),  # a JSON Web Token
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,20}\b"), "***"),  # an access key of AWS
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|dckr_pat_|xox[abpr]-)[\w-]{10,300}"), "***"),
)


def scrubbed(line: bytes, limit: int = SHOWN) -> str:
    """The line as ASCII with escapes, its secrets hidden, at most `limit` characters (`…` behind what was cut)."""
    text = line[: 16 << 10].decode("utf-8", "backslashreplace")
    for pattern, put in _SECRETS:
        text = pattern.sub(put, text)
    text = text.encode("unicode_escape").decode("ascii").replace("\\\\", "\\")
    return text if len(text) <= limit and len(line) <= 16 << 10 else text[: limit - 1] + "…"
