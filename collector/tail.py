"""One file on its way through the tail: which stream it holds, where to begin, and its blocks."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.content import Content, PlainContent, StreamContent, open_content
from collector.identity import TAIL_BYTES, stream_id, tail_of
from collector.lines import count_ends
from collector.losses import HOST, Losses, Pace
from collector.stages import Block
from collector.whole_lines import CHUNK_BYTES, Piece, ReplacedError, WholeLines, growing
from store.contract import Position

log = logging.getLogger(__name__)

DAMAGED = "damaged archive"  # reason of the dead letter of the line in which an archive breaks off

Key = tuple[int, int]
Looks = tuple[float, int]  # time of the last change, size


class Streams:
    """Which position each stream has reached (committed, or handed on in this run), and which tail is reading it."""

    def __init__(self, committed: Callable[[str], Position | None], losses: Losses | None = None) -> None:
        self._committed = committed
        self._reached: dict[str, Position] = {}
        self.readers: dict[str, Tail] = {}
        self.seen: set[str] = set()  # streams that some file was found to hold
        self.losses = losses or Losses()
        self.sizes = growing()

    def position(self, stream: str) -> Position | None:
        """How far the stream is read."""
        if stream not in self._reached:
            position = self._committed(stream)
            if position is None:
                return None
            self._reached[stream] = position
        return self._reached[stream]

    def reach(self, position: Position) -> None:
        self._reached[position.stream] = position


class Tail:
    """A file held open. Two names belong to it: `content_id`, made of the first line, from which event ids are made,
    and `stream`, under which its position is kept. They are the same unless another file with the same first line was
    read before: then the stream is `<content_id>.1`, `.2` … The lines keep the ids that their bytes give them, so a
    copy, or a file cut back to a part of itself, counts once although it is read again.
    """

    def __init__(self, path: str, shown_path: str, key: Key, finished: bool = False) -> None:
        self.path, self.shown_path, self.key, self._finished = path, shown_path, key, finished
        self.looks = looks_of(path)  # before it was opened
        self.content: PlainContent | Content | None = open_content(path, finished)
        self.lines: WholeLines | None = None
        self.content_id = self.stream = ""
        self.finite = not self.content.plain
        self.gone_since: float | None = None
        self.grew_at = 0.0
        self.ended = False
        self.pace = Pace()
        self.intact_at = datetime.now(UTC)  # when what was read was last seen to be still there
        self.seen_size = 0  # and how long the file was then
        self.partial_since: datetime | None = None

    def size(self) -> int:
        """Bytes in the file now; what was read of it where that cannot be told."""
        with contextlib.suppress(OSError):  # a handle that went stale
            if isinstance(self.content, PlainContent):
                return self.content.status().st_size
        return self.offset

    def held_key(self) -> Key:
        """Which file the descriptor really is."""
        if isinstance(self.content, PlainContent):
            status = self.content.status()
            return status.st_dev, status.st_ino
        return self.key

    def mtime(self) -> float:
        """When the file was last written; 0 where that cannot be told."""
        with contextlib.suppress(OSError):
            if isinstance(self.content, PlainContent):
                return self.content.status().st_mtime
        return 0.0

    def path_size(self) -> int:
        """Raises: OSError, if the path no longer leads anywhere."""
        return Path(self.path).stat().st_size

    @property
    def offset(self) -> int:
        return self.lines.offset if self.lines and self.stream else 0

    def identify(self, streams: Streams, final: bool) -> bool:
        """Find out which stream this is and where to begin; False while that cannot be said.

        It cannot while the first line is incomplete, and while another tail reads the same content further than this
        file goes: then this is a copy of it (in the making, with `copytruncate`), and gets its turn when the other lets
        go.
        """
        if self.stream:
            return True
        assert self.content is not None
        lines = WholeLines(self.content, sizes=streams.sizes)
        content_id = stream_id(lines.head(), final and not self.damage)
        if content_id is None:
            return False
        number = 0
        while True:
            stream = f"{content_id}.{number}" if number else content_id
            position = streams.position(stream)
            if position is None or self._holds(position):
                break
            if (reader := streams.readers.get(stream)) is not None and self._is_beginning_of(reader):
                return False
            number += 1
        if stream in streams.readers:
            return False
        self._begin(content_id, stream, position, lines, streams)
        return True

    def _begin(
        self, content_id: str, stream: str, position: Position | None, lines: WholeLines, streams: Streams
    ) -> None:
        assert self.content is not None
        if position is not None or not self.content.plain:
            if not self.content.plain:
                self.reopen()
            lines = WholeLines(self.content, position.offset if position else 0, streams.sizes)
        self.content_id, self.stream, self.lines = content_id, stream, lines
        streams.readers[stream] = self
        streams.seen.add(stream)
        if lines.skipped_zeros:
            streams.losses.hole(self, lines.skipped_zeros)

    def _holds(self, position: Position) -> bool:
        """Whether this file goes at least as far as the position, and reads the same in front of it."""
        proof = position.detail.get("tail")
        length = min(TAIL_BYTES, position.offset)
        assert self.content is not None
        if not self.content.plain:
            self.reopen()
        before = self.content.at(position.offset - length, length)
        return len(before) == length and tail_of(before) == proof

    def _is_beginning_of(self, other: Tail) -> bool:
        size = self.size()
        if not isinstance(self.content, PlainContent) or not isinstance(other.content, PlainContent):
            return True
        if size > other.offset:
            return False
        start = max(0, size - TAIL_BYTES)
        return self.content.at(start, size - start) == other.content.at(start, size - start)

    def block(self, streams: Streams, registry: str | None, final: bool) -> Block | None:
        """The next block; None when there is nothing whole (yet)."""
        if self.content is None or not self.identify(streams, final):
            return None
        assert self.lines is not None
        zeros, torn = self.lines.skipped_zeros, final and self.breaks_off()
        try:
            piece = self.lines.read(final and not torn)
            self._note_intact(streams, piece)
            problem = ""
            if piece is None and torn and (piece := self.lines.read(True)) is not None:
                problem = DAMAGED
        except ReplacedError:
            self._start_over(streams)
            return None
        if self.lines.skipped_zeros > zeros:
            streams.losses.hole(self, self.lines.skipped_zeros - zeros)
        if piece is None:
            return None
        after = Position(stream=self.stream, offset=piece.end, detail=self._detail())
        streams.reach(after)
        return Block(
            stream=self.content_id,
            offset=piece.offset,
            data=piece.data,
            before=piece.before,
            path=self.shown_path,
            registry=registry,
            after=after,
            final=final and not self.content.at(piece.end, 1),
            problem=problem,
        )

    @property
    def damage(self) -> str:
        """Why an archive cannot be read further; empty while it can."""
        return self.content.damage if isinstance(self.content, StreamContent) else ""

    def breaks_off(self) -> bool:
        """Whether an archive is damaged within the next piece: its last line is then no line."""
        if not isinstance(self.content, StreamContent) or not self.stream:
            return bool(self.damage)
        self.content.at(self.offset, CHUNK_BYTES)
        return bool(self.content.damage)

    def _note_intact(self, streams: Streams, piece: Piece | None) -> None:
        assert self.lines is not None
        now = streams.losses.clock()
        size = self.size()
        if piece is not None:
            self.pace.add(piece.end - piece.offset, count_ends(piece.data))
            self.partial_since = None
            streams.losses.whole(self)
        elif size <= self.offset:
            self.partial_since = None
        elif self.partial_since is None:
            self.partial_since = now
        self.intact_at, self.seen_size = now, size

    def _detail(self) -> dict[str, Any]:
        assert self.lines is not None
        detail: dict[str, Any] = {"path": self.shown_path, "host": HOST, "dev": self.key[0], "inode": self.key[1]}
        detail["tail"] = tail_of(self.lines.window)
        detail["mtime"] = self.mtime()
        if not self.content or not self.content.plain:
            with contextlib.suppress(OSError):  # an archive keeps the time of its log's last line
                detail["written"] = Path(self.path).stat().st_mtime
        return detail

    def _start_over(self, streams: Streams) -> None:
        """The file was truncated or written anew: whatever it holds now is another stream, from its first byte."""
        log.warning(
            "file was truncated or replaced in place; what was not yet read of it is lost",
            extra={"path": self.path, "read_to": self.offset, "size": self.size()},
        )
        streams.losses.cut(self)
        self.partial_since = None
        self.pace = Pace()
        self.release(streams)

    def release(self, streams: Streams) -> None:
        """Let go of the stream: another file may take it over."""
        if self.stream and streams.readers.get(self.stream) is self:
            del streams.readers[self.stream]
        self.content_id = self.stream = ""
        self.lines = None

    def park(self) -> None:
        """Give the descriptor back, keeping everything else."""
        if self.content is not None:
            self.content.close()
            self.content = None

    def reopen(self) -> None:
        """Raises: OSError, if the path no longer leads anywhere."""
        if self.content is not None:
            self.content.close()
        self.looks = looks_of(self.path)
        self.content = open_content(self.path, self._finished)
        if self.lines is not None:
            self.lines.content = self.content

    def close(self, streams: Streams) -> None:
        self.release(streams)
        self.park()
        self.ended = True


def key_of(path: str) -> Key:
    """Raises: OSError, if there is no file."""
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def looks_of(path: str) -> Looks | None:
    """By which it is seen that an archive is still written; None where there is none."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime, status.st_size
