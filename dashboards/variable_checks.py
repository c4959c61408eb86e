"""Are the lists above a board right? A wrong one is empty, and every panel that asks with it is, too."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from dashboards import elastic_targets
from dashboards.metrics import series_labels
from dashboards.references import DATA_SOURCE_TYPES, There

_TYPES = frozenset({"query", "custom", "interval", "datasource", "textbox", "constant"})
_LABEL_VALUES = re.compile(r"label_values\((\w+)(?:\{[^{}]*\})?,\s*(\w+)\)\Z")


def problems(variables: Sequence[dict[str, Any]], there: There) -> list[str]:
    """What is wrong, in words."""
    names = Counter(variable.get("name") for variable in variables)
    found = [f"variable {name!r} is defined {count} times" for name, count in names.items() if count > 1]
    for variable in variables:
        found += [f"variable {variable.get('name')!r}: {problem}" for problem in _variable(variable, there)]
    return found


def _variable(variable: dict[str, Any], there: There) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z]\w*", str(variable.get("name", ""))):
        yield "a name is letters, digits and _"
    if variable.get("type") not in _TYPES:
        yield f"type {variable.get('type')!r} is none of Grafana's"
    if variable.get("type") == "query":
        yield from _query(variable, there)
    if variable.get("type") == "datasource" and variable.get("query") not in DATA_SOURCE_TYPES:
        yield f"data sources of type {variable.get('query')!r}"
    current = variable.get("current")
    if current == {}:
        return
    value = current.get("value") if isinstance(current, dict) else None
    if value is None:
        yield "current has no value: the newer renderer fails on the whole board"
    elif bool(variable.get("multi")) != isinstance(value, list):
        yield "current is a list exactly when several values may be chosen"


def _query(variable: dict[str, Any], there: There) -> Iterator[str]:
    ref, text = variable.get("datasource"), str(variable.get("query", ""))
    if problem := there.reference(ref):
        yield problem
        return
    assert isinstance(ref, dict)
    if ref["type"] == "prometheus":
        asked = _LABEL_VALUES.match(text)
        if asked is None:
            yield f"{text!r} is not label_values(metric, label)"
        elif asked[1] not in there.metrics:
            yield f"nobody exports {asked[1]!r}"
        elif asked[2] not in series_labels().get(asked[1], {asked[2]}):
            yield f"{asked[1]} has no label {asked[2]!r}"
        return
    try:
        question = json.loads(text)
    except ValueError:
        question = None
    if not isinstance(question, dict) or question.get("find") != "terms":
        yield f'{text!r} is not {{"find": "terms", "field": …}}'
    else:
        bucket = {"type": "terms", "field": question.get("field")}
        yield from elastic_targets.field_problems([bucket], there.fields)
