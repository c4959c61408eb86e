"""Brings the boards into a running Grafana, and says beforehand what that would change."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards.board import Source
from dashboards.grafana_api import Grafana, GrafanaError
from dashboards.provisioning import FOLDER, FOLDER_UID

# What Grafana counts itself, and what its browser part writes down while somebody looks.
_GRAFANAS_OWN = frozenset({"id", "version", "iteration"})
MESSAGE = "regsight dashboards push"


class State(StrEnum):
    """How a board of ours stands to what Grafana has."""

    NEW = "new"
    SAME = "same"
    DIFFERENT = "different"
    PROVISIONED = "provisioned"  # different, and read from files: the API cannot change it


@dataclass(frozen=True, slots=True)
class Change:
    """`there` is Grafana's board, None if it has none; `folder` the uid of the folder where it lies."""

    board: dict[str, Any]
    there: dict[str, Any] | None
    folder: str | None
    provisioned: bool
    wanted_folder: str

    @property
    def uid(self) -> str:
        return str(self.board["uid"])

    @property
    def state(self) -> State:
        if self.there is None:
            return State.NEW
        if bare(self.there) == bare(self.board) and self.folder == self.wanted_folder:
            return State.SAME
        return State.PROVISIONED if self.provisioned else State.DIFFERENT

    def lines(self) -> Iterator[str]:
        """What would change, as a unified diff; text of Grafana's is escaped, so that it is fit for a terminal."""
        if self.there is not None and self.folder != self.wanted_folder:
            yield f"# {self.uid}: moves from folder {json.dumps(self.folder)} to {json.dumps(self.wanted_folder)}"
        old = [] if self.there is None else _text(self.there)
        yield from difflib.unified_diff(
            old, _text(self.board), f"grafana/{self.uid}", f"regsight/{self.uid}", lineterm="", n=2
        )


def bare(board: Mapping[str, Any]) -> dict[str, Any]:
    """A board without what Grafana adds to it."""
    return {key: value for key, value in board.items() if key not in _GRAFANAS_OWN}


def renamed_sources(board: dict[str, Any], uids: Mapping[Source, str]) -> dict[str, Any]:
    """The board with the data sources' uids of the Grafana that it goes to."""
    names = {source.uid: uid for source, uid in uids.items()}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        if isinstance(value, str) and "/explore?" in value:
            for ours, theirs in names.items():
                value = value.replace(f"%22{ours}%22", f"%22{theirs}%22")
            return value
        return names.get(value, value) if isinstance(value, str) else value

    changed: dict[str, Any] = walk(board)
    return changed


def changes(grafana: Grafana, boards: Sequence[dict[str, Any]], folder_uid: str = FOLDER_UID) -> list[Change]:
    """How each board stands to what Grafana has now."""
    found = []
    for board in boards:
        there, meta = grafana.board(board["uid"]) or (None, {})
        folder = None if there is None else str(meta.get("folderUid") or "")
        found.append(Change(board, there, folder, bool(meta.get("provisioned")), folder_uid))
    return found


def missing_sources(grafana: Grafana, uids: Mapping[Source, str]) -> list[str]:
    """Uids of data sources that Grafana does not have; whoever may not ask is told nothing."""
    return [uid for uid in uids.values() if grafana.has_data_source(uid) is False]


def push(grafana: Grafana, planned: Sequence[Change], folder_title: str = FOLDER) -> Iterator[tuple[str, State, int]]:
    """Carry the changes out; per board its uid, how it stood, and the version that Grafana has now (0: nothing done).

    Doing it again changes nothing. Boards from files are refused before anything is written.

    Raises:
        GrafanaError: a board is provisioned from files, or Grafana refuses.
    """
    fixed = [change.uid for change in planned if change.state is State.PROVISIONED]
    if fixed:
        raise GrafanaError(f"provisioned from files, and changed only there: {', '.join(fixed)}")
    todo = [change for change in planned if change.state is not State.SAME]
    if todo and not grafana.has_folder(todo[0].wanted_folder):
        grafana.make_folder(todo[0].wanted_folder, folder_title)
    for change in planned:
        version = 0
        if change.state is not State.SAME:
            known = change.there or {}
            board = bare(change.board) | {"id": known.get("id"), "version": known.get("version", 0)}
            version = grafana.save(board, change.wanted_folder, MESSAGE)
        yield change.uid, change.state, version


def _text(board: Mapping[str, Any]) -> list[str]:
    return json.dumps(bare(board), indent=2, sort_keys=True).splitlines()
