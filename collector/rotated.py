"""Which files a pattern means, and where a log went when it was rotated: beside it, with more to its name."""

from __future__ import annotations

import glob
import stat
from dataclasses import dataclass
from pathlib import Path

SEPARATORS = (".", "-", "_")


@dataclass(frozen=True, slots=True)
class Sibling:
    path: str
    mtime: float
    key: tuple[int, int]


def expand(pattern: str) -> list[str]:
    """The paths that match now, in order; `**` goes through folders. A path without pattern gives itself, if it is
    there.
    """
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob wants a folder to start from


def siblings(path: str) -> list[Sibling]:
    """Rotated files of a log, oldest first: `registry.log.1`, `registry.log-20261124.gz`, `registry-20261124.log` …"""
    own = Path(path)
    found = []
    try:
        names = list(own.parent.iterdir())
    except OSError:
        return []
    for candidate in names:
        if not _is_rotated(candidate.name, own):
            continue
        try:
            status = candidate.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append(Sibling(str(candidate), status.st_mtime, (status.st_dev, status.st_ino)))
    return sorted(found, key=lambda sibling: (sibling.mtime, sibling.path))


def _is_rotated(name: str, own: Path) -> bool:
    if name == own.name:
        return False
    if name.startswith(own.name) and name[len(own.name)] in SEPARATORS:
        return True
    plain = name.removesuffix(".gz")
    return (
        bool(own.suffix)
        and plain.endswith(own.suffix)
        and plain.startswith(own.stem)
        and plain[len(own.stem)] in SEPARATORS
        and any(character.isdigit() for character in plain[len(own.stem) :])
    )
