"""The `log_format` directives of an nginx configuration: a file of it, or what `nginx -T` prints (all files in one)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# nginx' tokens: quoted strings with backslash escapes, `;`, braces, bare words; comments reach to the end of the line.
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<single>'(?:[^'\\]|\\.)*')|(?P<double>"(?:[^"\\]|\\.)*")|(?P<end>[;{}])|(?P<bare>(?:[^\s;{}"'\\]|\\.)(?:\\.|[^\s;{}\\])*)""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"""\\(["'\\])|\\([tnr])""")
_WHITE = {"t": "\t", "n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True)
class LogFormat:
    """One directive: its name, its text with the variables, and how values are escaped: default, json or none."""

    name: str
    text: str
    escape: str = "default"


def read_log_formats(configuration: str) -> list[LogFormat]:
    """Every `log_format` of a configuration, in its order. What is no configuration has none. Never raises."""
    found = []
    for name, *pieces in _directives(configuration, "log_format"):
        escape = "default"
        if pieces and pieces[0].startswith("escape="):
            escape = pieces.pop(0).partition("=")[2]
        if pieces:
            found.append(LogFormat(name, "".join(pieces), escape))
    return found


def _directives(configuration: str, wanted: str) -> Iterator[list[str]]:
    """The arguments of each directive of that name, wherever it stands."""
    words: list[str] = []
    for token in _TOKEN.finditer(configuration):
        if token["end"]:
            if token["end"] == ";" and len(words) > 2 and words[0] == wanted:
                yield words[1:]
            words = []
        elif (word := _word(token)) is not None:
            words.append(word)


def _word(token: re.Match[str]) -> str | None:
    quoted = token["single"] or token["double"]
    if quoted:
        return _ESCAPED.sub(_plain, quoted[1:-1])
    return token["bare"]


def _plain(found: re.Match[str]) -> str:
    return found[1] or _WHITE[found[2]]
