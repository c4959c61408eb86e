"""What a board is made of, before Grafana: sources, units, panels, variables, links.

Knows no library, so that the list of boards can be asked for without loading one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
    INSTANT = "dateTimeAsIso"  # of milliseconds since 1970
    SHARE = "percentunit"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Which events a panel speaks of, for its link to them. `by` maps a filter of the events page (actor, repository) to
    the variable that holds its value; only variables of one value fit."""

    actions: tuple[str, ...] = ()
    outcome: str = ""
    by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel before it has a place: its JSON without id, gridPos and links.

    `row_board` says where a row's first cell leads: uid of a board, and the variable there that takes the cell's value.
    """

    title: str
    source: Source
    width: int
    height: int
    link: str  # uid of the board to look at next
    body: dict[str, Any]
    events: Events = field(default_factory=Events)
    row_board: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A list of values above the board that its queries may use. `all_value` says what stands for all of them, where
    several may be chosen and all are at first; None: exactly one."""

    name: str
    label: str
    source: Source
    query: str
    all_value: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A field above the board to type a value into, which its queries may use."""

    name: str
    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard: rows of panels under headings. One file in `boards/` offers one as BOARD."""

    uid: str
    title: str
    description: str
    variables: Sequence[Variable | Entry] = ()
    span: str = "now-6h"  # chosen at first
    sections: Sequence[tuple[str, Sequence[Panel]]]

    def panels(self, sources: Iterable[Source] = tuple(Source)) -> list[Panel]:
        """Its panels that these data sources can fill."""
        wanted = set(sources)
        return [panel for _, panels in self.sections for panel in panels if panel.source in wanted]
