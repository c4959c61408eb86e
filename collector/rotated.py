"""Which files a pattern means, and where a log went when it was rotated: beside it, with more to its name."""

from __future__ import annotations

import glob
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from collector.compressed import SUFFIXES

SEPARATORS = (".", "-", "_")
# svlogd (runit, GitLab's Omnibus package): `current` becomes `@`, a TAI64N time, and `.s`, or `.u` where that was interrupted.
_SVLOGD = re.compile(r"@[0-9a-f]{24}\.[su]")


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
    """Rotated files of a log, oldest first: `registry.log.1`, `registry.log-20261124.gz`, `registry-20261124.log`, `@40000….s` …"""
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
    if own.name == "current" and _SVLOGD.fullmatch(name):
        return True
    if name.startswith(own.name) and name[len(own.name)] in SEPARATORS:
        return True
    plain = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
    return (
        bool(own.suffix)
        and plain.endswith(own.suffix)
        and plain.startswith(own.stem)
        and plain[len(own.stem)] in SEPARATORS
        and any(character.isdigit() for character in plain[len(own.stem) :])
    )


def missing_numbers(path: str, unread: list[Sibling], read_at: float) -> list[tuple[str, float, float]]:
    """Numbered files (`registry.log.2`) that are not there while a higher number is that nobody has read either.

    `read_at`: how new what was read of the log is. Returns path, and between which times it was written.
    """
    there = {number for sibling in siblings(path) if (number := _number(path, sibling)) is not None}
    numbered = {number: sibling for sibling in unread if (number := _number(path, sibling)) is not None}
    if not numbered:
        return []
    found = []
    for number in sorted(set(range(1, max(numbered))) - there):
        older = max((each.mtime for n, each in numbered.items() if n > number), default=read_at)
        newer = min((each.mtime for n, each in numbered.items() if n < number), default=older)
        found.append((f"{path}.{number}", older, newer))
    return found


def _number(path: str, sibling: Sibling) -> int | None:
    rest = sibling.path.removeprefix(path + ".")
    digits = next((rest.removesuffix(suffix) for suffix in SUFFIXES if rest.endswith(suffix)), rest)
    return int(digits) if digits.isdigit() and len(digits) < 6 else None  # longer ones are dates
