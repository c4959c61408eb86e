"""What a part of a dashboard may refer to: data sources, series, fields, variables, boards."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.board import Source

KNOWN_UIDS: Mapping[str, str] = {source.uid: source.value for source in Source}
DATA_SOURCE_TYPES = frozenset(KNOWN_UIDS.values())
_VARIABLE = re.compile(r"\$\{?(\w+)\}?\Z")


@dataclass(frozen=True, slots=True)
class There:
    """`variables` are those of the board by name; `boards` None means that links may lead to any."""

    metrics: set[str]
    fields: set[str]
    variables: Mapping[str, dict[str, Any]]
    boards: Collection[str] | None = None

    def several(self) -> set[str]:
        """Names of variables of which several values may be chosen."""
        return {name for name, variable in self.variables.items() if variable.get("multi")}

    def reference(self, ref: Any) -> str | None:
        """Why a data source reference is wrong; None when it is right: {type, uid}, the uid ours or a variable's."""
        if not isinstance(ref, dict) or set(ref) != {"type", "uid"}:
            return f"data source {ref!r} is not {{type, uid}}"
        kind = KNOWN_UIDS.get(ref["uid"])
        if chosen := _VARIABLE.match(str(ref["uid"])):
            variable = self.variables.get(chosen[1], {})
            if variable.get("type") != "datasource":
                return f"data source {ref['uid']!r} is no variable of data sources"
            kind = variable.get("query")
        if kind is None:
            return f"data source {ref['uid']!r} is unknown"
        return None if ref["type"] == kind else f"data source {ref['uid']!r} is not of type {ref['type']!r}"
