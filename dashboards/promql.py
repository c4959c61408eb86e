"""What can be said about a PromQL expression without Prometheus: its brackets, its metrics, its variables.

Not a parser; the tests hand every expression to a real Prometheus as well. This is for the mistakes that Prometheus
answers with an empty result instead of an error: a metric, a label or a variable that does not exist.
"""

from __future__ import annotations

import re

_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan", "atan2", "start", "end"})
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^{}]*)\}")
_MATCHER = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)(?::\w+)?\}?")  # $1 is a group of label_replace
_PAIRS = {")": "(", "]": "[", "}": "{"}

# Grafana works these out itself.
BUILT_IN = frozenset(
    {"__rate_interval", "__interval", "__interval_ms", "__range", "__range_s", "__range_ms", "__from", "__to"}
)


def variables(text: str) -> set[str]:
    """Names of the dashboard variables in a query, without Grafana's own."""
    return set(_VARIABLE.findall(text)) - BUILT_IN


def problems(expr: str) -> list[str]:
    """Why an expression cannot be right, in words."""
    found = []
    bare = _STRING.sub('""', expr)
    if '"' in bare.replace('""', "") or "'" in bare:
        found.append("a quotation mark is not closed")
    open_brackets: list[str] = []
    for letter in bare:
        if letter in _PAIRS.values():
            open_brackets.append(letter)
        elif letter in _PAIRS and (not open_brackets or open_brackets.pop() != _PAIRS[letter]):
            found.append(f"{letter!r} closes nothing")
            break
    else:
        found += [f"{letter!r} is not closed" for letter in open_brackets]
    return found


def metrics(expr: str) -> set[str]:
    """Names of the series that an expression asks for."""
    bare = re.sub(r"\{[^{}]*\}|\[[^\[\]]*\]", " ", _GROUPING.sub(" ", _bare(expr)))
    names = set()
    for match in _NAME.finditer(bare):
        before = bare[: match.start()]
        # A function, an aggregation, a word of the language, or the unit of a number such as 5m.
        called = bare[match.end() :].lstrip().startswith("(")
        if not called and match[0].lower() not in _WORDS | {"by", "without"} and not re.search(r"[\d.]$", before):
            names.add(match[0])
    return names


def matched_labels(expr: str) -> dict[str, set[str]]:
    """Per series: the labels that its `{…}` selectors name."""
    named: dict[str, set[str]] = {}
    for metric, matchers in _SELECTOR.findall(_bare(expr)):
        named.setdefault(metric, set()).update(_MATCHER.findall(matchers))
    return named


def grouping_labels(expr: str) -> set[str]:
    """Labels named in by (…), without (…), on (…) and their like."""
    return {name for inside in _GROUPING.findall(_bare(expr)) for name in _NAME.findall(inside)}


def _bare(expr: str) -> str:
    """Without what may look like a name and is none: strings and dashboard variables."""
    return _VARIABLE.sub("0", _STRING.sub('""', expr))
