"""Log files: read once to their end, or followed over rotation, truncation and restarts.

Following looks at the folders every `poll_seconds`; the kernel's word that something changed only makes it look sooner.
A file that was renamed is held open and read until it has been quiet for `quiet_seconds`, while the new one is already
read. After a restart the rotated files beside each log are searched, by content, for lines that nobody has read.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from collector.content import StreamContent
from collector.gaps import GapLog
from collector.identity import stream_id
from collector.losses import Losses
from collector.open_tails import OpenTails
from collector.readable import Readable
from collector.record_lines import RecordLines
from collector.rotated import expand
from collector.stages import Block
from collector.tail import Streams, Tail, key_of
from collector.wakeup import Wakeup
from collector.whole_lines import WholeLines, growing
from store.contract import Position

SCAN_SECONDS = 0.5
FEW_BYTES = 256 << 10  # so little at a time is waited for a moment


def files_to_hold() -> int:
    """How many log files one tail keeps open: 64, and fewer where the process may open few files at all, since the store
    needs some dozens of descriptors for itself.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 64 if limit == resource.RLIM_INFINITY else max(4, min(64, limit // 10))


class FileTail:
    """Source of one or many files. `patterns` are paths or globs; without `follow` also `-` (standard input). What ends
    in `.gz`, `.zst` or `.zstd` is read as what it holds.

    `known` gives all committed positions (`store.positions`): with it a rotated file that came and went while the
    collector was down is found even when every file that had been read is gone from the disk. `gaps` is told what is lost.
    """

    def __init__(
        self,
        name: str,
        patterns: Sequence[str],
        *,
        registry: str | None = None,
        follow: bool = False,
        poll_seconds: float = 0.1,
        quiet_seconds: float = 5.0,
        most_open: int | None = None,
        watch: bool = True,
        known: Callable[[], Iterable[Position]] | None = None,
        gaps: GapLog | None = None,
    ) -> None:
        self.name, self.registry, self.follow = name, registry, follow
        self._patterns = [pattern if pattern == "-" else str(Path(pattern).absolute()) for pattern in patterns]
        self._poll_seconds, self._quiet_seconds = poll_seconds, quiet_seconds
        self._most_open, self._watch, self._known = most_open or files_to_hold(), watch, known
        self._losses = Losses(name, registry, gaps)
        self._stopped = False
        self._open: OpenTails | None = None
        self._wakeup: Wakeup | None = None

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Ends at the end of the files, or when following after `stop`. A last line without newline is handed on only
        when nothing can follow it.

        Raises:
            OSError: a file named without a pattern cannot be read (not when following: it may still come).
        """
        streams = Streams(committed, self._losses)
        return self._followed(streams) if self.follow else self._once(streams)

    def stop(self) -> None:
        """Ends `blocks` within a poll span."""
        self._stopped = True
        if self._wakeup is not None:
            self._wakeup.wake()

    def unread(self) -> int:
        """Bytes that are in the followed files and were not yet handed on."""
        return self._open.unread() if self._open is not None else 0

    def _followed(self, streams: Streams) -> Iterator[Block]:
        self._open = OpenTails(
            self._patterns,
            streams,
            self._known() if self._known else (),
            quiet_seconds=self._quiet_seconds,
            most_open=self._most_open,
        )
        folders = {str(Path(path).parent) for path in [*self._patterns, *self._expand()]}
        self._wakeup = wakeup = Wakeup(folders, self._poll_seconds, self._watch)
        scanned = float("-inf")
        try:
            while not self._stopped:
                if time.monotonic() - scanned >= min(SCAN_SECONDS, self._poll_seconds):
                    self._open.scan()
                    scanned = time.monotonic()
                gave = 0
                for block in self._open.blocks(self.registry):
                    gave += block.length
                    yield block
                    if self._stopped:
                        break
                if not gave:
                    wakeup.wait()
                elif gave < FEW_BYTES:
                    wakeup.gather()
        finally:
            wakeup.close()
            self._open.close()

    def _expand(self) -> list[str]:
        """The files as they stand in the command: a pattern gives its matches in order, a plain path itself."""
        paths: dict[str, None] = {}
        for pattern in self._patterns:
            matches = expand(pattern)
            paths.update(dict.fromkeys(matches or [pattern]))
        return list(paths)

    def _once(self, streams: Streams) -> Iterator[Block]:
        done = set()
        for path in self._expand():
            if path == "-":
                yield from self._pipe(cast("Readable", sys.stdin.buffer), path)
                continue
            if Path(path).is_fifo():
                with Path(path).open("rb") as pipe:
                    yield from self._pipe(pipe, path)
                continue
            key = key_of(path)
            if key in done:  # a link and its target, or one file under two patterns
                continue
            done.add(key)
            tail = Tail(path, path, key, finished=True)
            try:
                while not self._stopped and (block := tail.block(streams, self.registry, final=True)):
                    yield block
                if tail.damage:
                    self._losses.damaged(tail, tail.damage)
                for cut in self._losses.take_cuts():
                    self._losses.told_cut(cut, copy=None)
            finally:
                tail.close(streams)

    def _pipe(self, pipe: Readable, path: str) -> Iterator[Block]:
        """A pipe cannot be asked again, so it is always read from its start; lines stored before count once all the
        same.
        """
        lines = WholeLines(StreamContent(RecordLines(pipe), path), sizes=growing())
        stream = stream_id(lines.head(), final=True)
        while not self._stopped and stream and (piece := lines.read(final=True)):
            yield Block(
                stream=stream,
                offset=piece.offset,
                data=piece.data,
                before=piece.before,
                path=path,
                registry=self.registry,
                after=Position(stream=f"{stream}.pipe", offset=piece.end, detail={"path": path}),
            )
