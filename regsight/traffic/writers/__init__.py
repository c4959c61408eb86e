"""One file for each voice of a registry: how a request appears in that log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from regsight.traffic.requests import Request


class Voice(Protocol):
    """A log of the registry."""

    file: str

    def tell(self, request: Request) -> list[tuple[int, str]]:
        """The lines about a request, each with the moment (ns) at which it is written."""
        ...

    def pack(self, lines: Iterable[str]) -> Iterable[str]:
        """Lines in order of time as they stand in the file, without their line ends."""
        ...
