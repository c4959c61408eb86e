"""What a board is made of, before Grafana: sources, units, panels, variables.

Knows no library, so that the list of boards can be asked for without loading one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """The two data sources, by kind. Boards refer to them by a fixed uid, which the provisioning gives them."""

    PROMETHEUS = "prometheus"
    ELASTICSEARCH = "elasticsearch"

    @property
    def uid(self) -> str:
        return f"regsight-{self.value}"

    @property
    def ref(self) -> dict[str, str]:
        """The only form of a reference that every part of Grafana understands."""
        return {"type": self.value, "uid": self.uid}


class Unit(StrEnum):
    """Grafana's names of the units used here."""

    COUNT = "short"
    PER_SECOND = "cps"
    BYTES = "bytes"
    BYTES_PER_SECOND = "binBps"
    SECONDS = "s"
    SHARE = "percentunit"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel before it has a place: its JSON without id, gridPos and links."""

    title: str
    source: Source
    width: int
    height: int
    link: str  # uid of the board to look at next
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """A list of values above the board that its queries may use; several may be chosen, all are at first."""

    name: str
    label: str
    source: Source
    query: str
    all_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard: rows of panels under headings. One file in `boards/` offers one as BOARD."""

    uid: str
    title: str
    description: str
    variables: Sequence[Variable] = ()
    sections: Sequence[tuple[str, Sequence[Panel]]]

    def panels(self, sources: Iterable[Source] = tuple(Source)) -> list[Panel]:
        """Its panels that these data sources can fill."""
        wanted = set(sources)
        return [panel for _, panels in self.sections for panel in panels if panel.source in wanted]
