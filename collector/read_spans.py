"""How old and how new what was read of each log is, by the files' own times: tells what came and went unseen."""

from __future__ import annotations

from collector.losses import HOST
from collector.rotated import Sibling
from store.contract import Position

# A rotated file nobody read is taken for one that came and went unseen if it was written after the oldest that was read of the
# log: a newer one may have been read before it. The slack is for a writer that kept the renamed file open. One too many read is
# harmless, one too few is a loss.
SLACK_SECONDS = 5.0


class ReadSpans:
    """Per path of a log, in seconds of the epoch."""

    def __init__(self) -> None:
        self.newest: dict[str, float] = {}
        self._oldest: dict[str, float] = {}
        # Per path, what an earlier run on this host read last of it: told of if it is gone.
        self.newest_known: dict[str, Position] = {}

    def begin(self, path: str, mtime: float) -> None:
        """A log that was never read before; what is older beside it stays unread."""
        if path not in self.newest:
            self.newest[path] = self._oldest[path] = mtime

    def note(self, path: str, position: Position) -> bool:
        """Whether it is the newest yet."""
        mtime = float(position.detail.get("mtime") or 0.0)
        if not path or not mtime:
            return False
        self._oldest[path] = min(mtime, self._oldest.get(path, mtime))
        if mtime < self.newest.get(path, 0.0):
            return False
        self.newest[path] = mtime
        return True

    def note_known(self, position: Position) -> None:
        """A position that an earlier run left."""
        path = str(position.detail.get("path", ""))
        if self.note(path, position) and position.detail.get("host") == HOST:
            self.newest_known[path] = position

    def overlooked(self, path: str, unknown: list[Sibling]) -> list[Sibling]:
        """Which of the rotated files that nobody read are to be read."""
        oldest = self._oldest.get(path)
        return [each for each in unknown if oldest is not None and each.mtime >= oldest - SLACK_SECONDS]
