"""Objects: what a bucket or a folder of finished files holds, how it is listed, and the lines of one object."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from collector.compressed import decompressed
from collector.content import StreamContent
from collector.record_lines import RecordLines
from collector.slow_start import SlowStart
from collector.whole_lines import Piece, WholeLines

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object as a listing tells of it. `tag` changes when its content does; `modified` in seconds since 1970."""

    key: str
    tag: str
    size: int
    modified: float


class Bucket(Protocol):
    """Where objects are. Keys are in the order of their UTF-8 bytes."""

    def listed(self, prefix: str, after: str) -> Iterator[Listed]:
        """Objects whose key begins with `prefix` and stands behind `after`, in the order of their keys."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """What the keys behind `prefix` have up to the next `/`, each once, with the prefix and the slash."""
        ...

    def open(self, key: str, tag: str) -> BinaryIO | None:
        """The bytes of the object; None if it is gone, or no longer the one with this tag."""
        ...

    def stream(self, key: str) -> str:
        """The name of the object's stream, from which the ids of its lines are made."""
        ...

    def path(self, key: str) -> str:
        """Where it lies, for people."""
        ...

    def now(self) -> float:
        """The time by the clock that stamps the objects."""
        ...


def lines_of(stream: BinaryIO, name: str, sizes: SlowStart, offset: int = 0) -> Iterator[tuple[Piece, bool]]:
    """Whole lines of an object from an offset on, each with whether it is the last; decompressed, and documents of records
    as one record a line. Closes the stream.
    """
    content = StreamContent(RecordLines(decompressed(stream)), name)
    try:
        lines = WholeLines(content, offset, sizes)
        while (piece := lines.read(final=True)) is not None:
            yield piece, not content.at(piece.end, 1)
    finally:
        content.close()


class FolderBucket:
    """A folder into which finished files are put. Hidden files and links are left out; a file that was changed in the last
    `settle_seconds` is left for the next time.
    """

    def __init__(self, name: str, folder: Path, settle_seconds: float = 2.0) -> None:
        self._name, self._folder, self._settle = name, folder.absolute(), settle_seconds

    def listed(self, prefix: str, after: str) -> Iterator[Listed]:
        settled = self.now() - self._settle
        for listed in self._walk("", prefix, after):
            if listed.modified <= settled:
                yield listed

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[Listed]:
        entries = {}
        for entry in os.scandir(self._folder / folder):
            try:
                key = folder + entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
                key.encode()
            except (OSError, UnicodeEncodeError) as error:
                log.warning("file is left out", extra={"path": entry.path, "error": type(error).__name__})
                continue
            if not entry.name.startswith("."):
                entries[key] = entry
        for key in sorted(entries):
            if key.endswith("/"):
                if (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
                    yield from self._walk(key, prefix, after)
            elif key.startswith(prefix) and key > after and (listed := _looked_at(entries[key], key)) is not None:
                yield listed

    def folders(self, prefix: str) -> list[str]:
        folder = self._folder / prefix.rpartition("/")[0]
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
        found = [f"{prefix.rpartition('/')[0]}/{name}/".lstrip("/") for name in names if not name.startswith(".")]
        return sorted(key for key in found if key.startswith(prefix))

    def open(self, key: str, tag: str) -> BinaryIO | None:
        path = self._folder / key
        try:
            stream = open(path, "rb", opener=_no_link)  # noqa: SIM115 - Path.open takes no opener
        except FileNotFoundError:
            return None
        if _tag(os.fstat(stream.fileno())) != tag:
            stream.close()
            return None
        return stream

    def stream(self, key: str) -> str:
        return f"objects:{self._name}/{key}"

    def path(self, key: str) -> str:
        return str(self._folder / key)

    def now(self) -> float:
        return time.time()


def _looked_at(entry: os.DirEntry[str], key: str) -> Listed | None:
    try:
        if not entry.is_file(follow_symlinks=False):
            return None
        state = entry.stat(follow_symlinks=False)
    except OSError:  # gone since the folder was read
        return None
    # Whoever moves or copies a file here may keep the time of its content; the file system's own time it cannot keep.
    return Listed(key=key, tag=_tag(state), size=state.st_size, modified=max(state.st_mtime, state.st_ctime))


def _tag(state: os.stat_result) -> str:
    return f"{state.st_mtime_ns}-{state.st_size}"


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
