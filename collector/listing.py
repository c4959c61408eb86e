"""How far the objects under one prefix are read, over rounds of listing them.

Each round lists the keys in order. New is what was modified since the end of the last round less an overlap, and was not
handed on within it: so what must be remembered is bounded by the overlap and not by the bucket. The time of the last round
moves on only when a round has come to its end, since keys need not be in the order of time; a round that was broken off goes
on behind its last key.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.objects import Bucket, Listed, lines_of
from collector.recent import Recent
from collector.stages import Block
from collector.whole_lines import growing
from store.contract import Position

STALE = 300  # objects: so many may be read a second time after a restart, out of thousands


class Listing:
    """One prefix and its position. Without a position everything is new."""

    def __init__(self, stream: str, prefix: str, position: Position | None, overlap_seconds: float) -> None:
        detail: dict[str, Any] = dict(position.detail) if position is not None else {}
        self.stream, self.prefix, self._overlap = stream, prefix, overlap_seconds
        self._offset = position.offset if position is not None else 0
        self._read_until = float(detail.get("read_until", 0.0))  # the time up to which all is handed on
        self._round = detail.get("round")  # when the round that was broken off began
        self._newest = float(detail.get("newest", 0.0))
        self._cursor = str(detail.get("cursor", ""))
        self._part: tuple[str, str, int] | None = tuple(detail["part"]) if detail.get("part") else None
        self._sizes = growing()
        self._recent = Recent(detail.get("recent"), stale=STALE)

    @property
    def broken_off(self) -> bool:
        """Whether the next listing goes on with one that did not come to its end."""
        return self._round is not None

    def begin(self, now: float) -> None:
        """Before each listing; `now` by the bucket's clock."""
        if self._round is None:
            self._round, self._cursor = now, ""

    def end(self) -> None:
        """The listing came to its end."""
        assert self._round is not None
        # What came while the round went on may lie in front of what it had already passed.
        self._read_until = max(self._read_until, min(self._newest, self._round))
        self._round = None
        self._recent.forget_before(self._read_until - self._overlap)

    def after(self, days: int | None) -> str:
        """The key behind which to list. With `days` the keys go on with `YYYY/MM/DD/` behind the prefix, and so many days
        in front of the overlap are looked through."""
        if days is None or not self._read_until:
            return self._cursor
        first = datetime.fromtimestamp(self._read_until - self._overlap, UTC) - timedelta(days=days)
        return max(self._cursor, f"{self.prefix}{first:%Y/%m/%d}/")

    def wants(self, listed: Listed) -> bool:
        if listed.modified < self._read_until - self._overlap:
            return False
        return _name(listed) not in self._recent

    def blocks(self, bucket: Bucket, listed: Listed, registry: str | None) -> Iterator[Block]:
        """The lines of one object, from where it was left."""
        key, tag = listed.key, listed.tag
        at = self._part[2] if self._part is not None and self._part[:2] == (key, tag) else 0
        stream = bucket.open(key, tag)
        if stream is None:  # the next round sees what is there now
            return
        before = self._offset - at
        finished = False
        for piece, finished in lines_of(stream, bucket.path(key), self._sizes, at):
            self._offset = before + piece.end
            self._part = None if finished else (key, tag, piece.end)
            if finished:
                self._done(listed)
            yield Block(
                stream=bucket.stream(key),
                offset=piece.offset,
                data=piece.data,
                before=piece.before,
                path=bucket.path(key),
                registry=registry,
                after=Position(stream=self.stream, offset=self._offset, detail=self._detail(bucket.path(key))),
                final=finished,
                end=piece.end,
            )
        if not finished:  # an empty one
            self._done(listed)

    def _done(self, listed: Listed) -> None:
        self._recent.add(_name(listed), listed.modified)
        self._cursor, self._newest = listed.key, max(self._newest, listed.modified)

    def _detail(self, path: str) -> dict[str, Any]:
        detail: dict[str, Any] = {
            "path": path,
            "read_until": self._read_until,
            "round": self._round,
            "newest": self._newest,
            "cursor": self._cursor,
            "recent": self._recent.detail(),
        }
        return detail | ({"part": list(self._part)} if self._part is not None else {})


def _name(listed: Listed) -> str:
    return f"{listed.key}\n{listed.tag}"
