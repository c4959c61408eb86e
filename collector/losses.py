"""What a tail knows about lines that it can no longer read, as gaps: how many, from when to when, as well as can be said."""

from __future__ import annotations

import math
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from collector import gaps
from collector.gaps import Gap
from store.contract import Position

if TYPE_CHECKING:
    from collector.tail import Tail

HOST = socket.gethostname()  # a path of another machine says nothing of ours
PACE_SECONDS = 60.0
PARTIAL_SECONDS = 60.0  # half a line that waits so long is told of


class Pace:
    """How fast a file was read lately; while reading keeps up, that is how fast it was written."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._begun = monotonic()
        self._blocks: deque[tuple[float, int, int]] = deque()

    def add(self, size: int, lines: int) -> None:
        now = self._monotonic()
        self._blocks.append((now, size, lines))
        while now - self._blocks[0][0] > PACE_SECONDS:
            self._blocks.popleft()

    def lines_within(self, seconds: float) -> int:
        """About how many lines were written in so much time."""
        span = min(PACE_SECONDS, max(1.0, self._monotonic() - self._begun))
        return math.ceil(sum(lines for _, _, lines in self._blocks) * seconds / span)

    def lines_of(self, size: int) -> int | None:
        """About how many lines so many bytes hold; None while no line was seen."""
        lines, read = (sum(block[column] for block in self._blocks) for column in (2, 1))
        return math.ceil(size * lines / read) if lines and read else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A file that was truncated, or written anew in place. `size`: of the old content, when it was last seen whole."""

    path: str
    shown_path: str
    content_id: str
    stream: str
    offset: int
    size: int
    pace: Pace
    intact_at: datetime
    noticed_at: datetime


class Losses:
    """Tells of what the tails of one source lost."""

    def __init__(
        self,
        source: str = "",
        registry: str | None = None,
        log: gaps.GapLog | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source, self._registry, self._log, self.clock = source, registry, log, clock
        self._cuts: list[Cut] = []
        self._partial: dict[str, str] = {}  # tail's path → id of the gap about its half line

    def cut(self, tail: Tail) -> None:
        """To be told of by `take_cuts`, once it was looked whether a copy is beside the file."""
        self._cuts.append(
            Cut(
                path=tail.path,
                shown_path=tail.shown_path,
                content_id=tail.content_id,
                stream=tail.stream,
                offset=tail.offset,
                size=tail.seen_size,
                pace=tail.pace,
                intact_at=tail.intact_at,
                noticed_at=self.clock(),
            )
        )

    def take_cuts(self) -> list[Cut]:
        cuts, self._cuts = self._cuts, []
        return cuts

    def told_cut(self, cut: Cut, copy: str | None) -> None:
        """`copy`: the file beside it that holds what was read."""
        unread = max(0, cut.size - cut.offset)
        window = (cut.noticed_at - cut.intact_at).total_seconds()
        lines = cut.pace.lines_within(window)
        if copy is None:
            lines += cut.pace.lines_of(unread) or 0
            text = f"cut in place, and no copy of what was read is beside it; {unread} bytes were seen and not read"
        else:
            text = f"the copy {copy} has what was written before it was made; what came between it and the cut is in no file"
        self._notice(
            kind=gaps.TRUNCATED if copy is None else gaps.COPYTRUNCATE,
            path=cut.shown_path,
            stream=cut.stream,
            offset=cut.offset,
            bytes=unread if copy is None and unread else None,
            lines=lines,
            start=cut.intact_at,
            end=cut.noticed_at,
            text=text,
        )

    def gone(self, tail: Tail) -> None:
        """A file that was not held open went away, and nothing beside it holds its content."""
        self._notice(
            kind=gaps.FILE_GONE,
            path=tail.shown_path,
            stream=tail.stream,
            offset=tail.offset,
            start=tail.intact_at,
            end=self.clock(),
            text="went away while it was not held open; what was written behind the offset is in no file",
        )

    def gone_meanwhile(self, path: str, position: Position) -> None:
        """What an earlier run read last of a log is in no file now."""
        written = float(position.detail.get("mtime") or position.detail.get("written") or 0.0)
        now = self.clock()
        self._notice(
            kind=gaps.FILE_GONE,
            path=path,
            stream=position.stream,
            offset=position.offset,
            start=datetime.fromtimestamp(written, UTC) if written else now,
            end=now,
            text="read up to the offset by an earlier run; neither the log nor a rotated file beside it holds that content",
        )

    def missing(self, path: str, beside: str, start: float, end: float) -> None:
        """A rotated file that is not there, between two that are; `start`, `end`: when those were written."""
        self._notice(
            kind=gaps.MISSING_GENERATION,
            path=path,
            start=datetime.fromtimestamp(min(start, end), UTC),
            end=datetime.fromtimestamp(max(start, end), UTC),
            text=f"a rotated file of {beside} that nobody has read is not there, while an older one is",
        )

    def damaged(self, tail: Tail, error: str) -> str:
        """The gap's id, for `resolve`."""
        return self._notice(
            kind=gaps.DAMAGED_ARCHIVE,
            path=tail.path,
            stream=tail.stream,
            offset=tail.offset,
            start=tail.intact_at,
            end=self.clock(),
            text=f"cannot be decompressed behind the offset (of the lines inside): {error}",
        )

    def hole(self, tail: Tail, zeros: int) -> None:
        now = self.clock()
        self._notice(
            kind=gaps.HOLE,
            path=tail.shown_path,
            stream=tail.stream,
            offset=tail.offset,
            bytes=zeros,
            lines=0,
            start=now,
            end=now,
            text="zeros in front of the offset: the log is truncated while its writer goes on at its old offset",
        )

    def partial(self, tail: Tail, since: datetime) -> None:
        """Half a line that has waited for long; told once."""
        if tail.path in self._partial:
            return
        gap = self._gap(
            kind=gaps.UNFINISHED_LINE,
            path=tail.shown_path,
            stream=tail.stream,
            offset=tail.offset,
            bytes=max(0, tail.size() - tail.offset),
            lines=1,
            start=since,
            end=self.clock(),
            text="a line without end; it is read when its newline comes",
        )
        self._partial[tail.path] = gap.id
        if self._log is not None:
            self._log.notice(gap)

    def whole(self, tail: Tail) -> None:
        """The half line has its end, or is no more."""
        if (id := self._partial.pop(tail.path, None)) is not None and self._log is not None:
            self._log.resolve(id)

    def _gap(self, **facts: object) -> Gap:
        return Gap(source=self._source, registry=self._registry, **facts)  # type: ignore[arg-type] # names checked by Gap

    def resolve(self, id: str) -> None:
        if self._log is not None:
            self._log.resolve(id)

    def _notice(self, **facts: object) -> str:
        gap = self._gap(**facts)
        if self._log is not None:
            self._log.notice(gap)
        return gap.id
