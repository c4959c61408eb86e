"""Where models are kept: as notes of the store, so that they are copied, restored and shared with it.

`model/<name>` says which version was in service from when on, and why the others were not; `model-file/<name>/<version>`
holds the numbers. A file whose SHA-256 is not the one in `model/<name>`, or of another layout, is refused. That notices
damage and mix-ups; whoever may write the store's records may change anything, but can make nothing run: there is no code
in a model.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from analytics.models.forest import Forest, WrongFile
from store.contract import Records
from store.event import iso

log = logging.getLogger(__name__)

HEAD, FILE = "model/", "model-file/"
LAYOUT = 1  # of the file and its features; another one is refused
KEPT = 6  # versions whose numbers are kept

_TIMES = ("trained_at", "since", "until", "serves_from", "serves_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One training. `fingerprint` is that of the rows it saw; `serves_from` is None for one that never took over.

    `quantiles` are the deciles of each column, `shares` how much of the training lies in each part between them.
    """

    name: str
    version: str
    layout: int
    columns: tuple[str, ...]
    trained_at: datetime
    since: datetime
    until: datetime
    rows: int
    fingerprint: str
    sha256: str
    quantiles: Mapping[str, Sequence[float]]
    shares: Mapping[str, Sequence[float]]
    figures: Mapping[str, float]
    reason: str
    serves_from: datetime | None = None
    serves_until: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """With times as ISO 8601 UTC."""
        shown = asdict(self) | {"columns": list(self.columns)}
        return shown | {name: iso(value) if (value := getattr(self, name)) else None for name in _TIMES}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Version:
        times = {name: datetime.fromisoformat(data[name]) if data[name] else None for name in _TIMES}
        return Version(**{**data, **times, "columns": tuple(data["columns"])})


class Shelf:
    """The versions of one model in one store."""

    def __init__(self, store: Records, name: str) -> None:
        self._store, self.name = store, name
        self._loaded: dict[str, Forest | None] = {}

    def versions(self) -> list[Version]:
        """All trainings that are remembered, oldest first."""
        note = self._store.note(HEAD + self.name) or {}
        return [Version.from_json(data) for data in note.get("versions", ())]

    def serving(self, at: datetime) -> Version | None:
        """The version in service at a moment, so that judging a day again asks the model of that day."""
        then = (one for one in self.versions() if one.serves_from is not None and one.serves_from <= at)
        return next((one for one in then if one.serves_until is None or at < one.serves_until), None)

    def forest_at(self, at: datetime, columns: Sequence[str]) -> Forest | None:
        """Its numbers; None where there is none for these columns, or it was refused (which is logged)."""
        version = self.serving(at)
        if version is None or version.columns != tuple(columns):
            return None
        if version.version not in self._loaded:
            try:
                self._loaded[version.version] = self.load(version)
            except WrongFile as error:
                log.error("a model was refused", extra={"model": self.name, "error": str(error)})
                self._loaded[version.version] = None
        return self._loaded[version.version]

    def load(self, version: Version) -> Forest:
        """The numbers of a version.

        Raises:
            WrongFile: they are gone, of another layout, or not those that were written.
        """
        note = self._store.note(f"{FILE}{self.name}/{version.version}")
        if version.layout != LAYOUT:
            raise WrongFile(f"{self.name} {version.version} has layout {version.layout}, read is {LAYOUT}")
        if not note or not note.get("data"):
            raise WrongFile(f"{self.name} {version.version} has no numbers any more")
        data = base64.b64decode(note["data"])
        if sha256(data).hexdigest() != version.sha256:
            raise WrongFile(f"{self.name} {version.version} is not what was written: its SHA-256 differs")
        forest = Forest.from_bytes(data)
        if forest.width != len(version.columns):
            raise WrongFile(f"{self.name} {version.version} has {forest.width} features, not {len(version.columns)}")
        return forest

    def put(self, version: Version, forest: Forest, takes_over: datetime | None) -> Version:
        """Keep a training; with `takes_over` it serves from then on. Older numbers than the last `KEPT` are dropped."""
        data = forest.as_bytes()
        version = replace(version, sha256=sha256(data).hexdigest(), serves_from=takes_over)
        key = f"{FILE}{self.name}/{version.version}"
        self._store.put_note(key, {"data": base64.b64encode(data).decode()})
        before = self.versions()
        if takes_over is not None:
            before = [_ended(one, takes_over) for one in before]
        kept = [*before, version]
        for old in kept[:-KEPT]:
            if old.serves_from is None or old.serves_until is not None:
                self._store.put_note(f"{FILE}{self.name}/{old.version}", {})
        self._store.put_note(HEAD + self.name, {"versions": [one.as_json() for one in kept[-10 * KEPT :]]})
        return version


def _ended(one: Version, at: datetime) -> Version:
    return replace(one, serves_until=at) if one.serves_from is not None and one.serves_until is None else one
