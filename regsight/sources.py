"""How far the collector is behind its sources, worked out from committed positions and the files themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regsight.web.state import SourceRow
    from store.contract import Position


def lag_of(position: Position) -> SourceRow:
    """One stream: its path, the byte read up to, and how many bytes of the file lie behind it.

    `lag_bytes` is None for what has no size (an endpoint, an API), and where the file at the path is no longer the one
    that was read (its inode differs: it was rotated away).
    """
    path = str(position.detail.get("path", ""))
    lag: int | None = None
    try:
        state = Path(path).stat() if path and path != "-" else None
        if state is not None and position.detail.get("inode") in (None, state.st_ino):
            lag = max(0, state.st_size - position.offset)
    except OSError:
        lag = None
    return {
        "stream": position.stream,
        "name": Path(path).name or position.stream,
        "path": _shown(path),
        "offset": position.offset,
        "lag_bytes": lag,
    }


def _shown(path: str) -> str:
    """Relative where it lies below the current folder: shorter to read."""
    return os.path.relpath(path) if path.startswith(str(Path.cwd()) + os.sep) else path
