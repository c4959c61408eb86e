"""All the files that one tail follows: which are there, which went, which came, and which are held open."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from collector.damaged import DamagedArchives
from collector.losses import PARTIAL_SECONDS, Cut
from collector.read_spans import ReadSpans
from collector.rotated import Sibling, expand, missing_numbers, siblings
from collector.stages import Block
from collector.tail import Key, Looks, Streams, Tail, key_of, looks_of
from store.contract import Position

log = logging.getLogger(__name__)


class OpenTails:
    """Follows every file that the patterns match, and the rotated files beside them as far as they
    hold unread lines.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        streams: Streams,
        known: Iterable[Position],
        *,
        quiet_seconds: float,
        most_open: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patterns, self._streams = patterns, streams
        self._quiet_seconds, self._most_open, self._monotonic = quiet_seconds, most_open, monotonic
        self.tails: dict[Key, Tail] = {}
        self._at: dict[str, Key] = {}  # which file each path led to when it was last looked at
        self._archives_done: dict[Key, Looks | None] = {}  # and how they looked: inodes are given out again
        self._folders: dict[str, Looks | None] = {}
        self._damaged = DamagedArchives(streams.losses, quiet_seconds, monotonic)
        self._spans = ReadSpans()
        self._passes = 0
        self._unsure: dict[str, None] = {}  # logs beside which an archive is that cannot be read yet
        for position in known:
            self._spans.note_known(position)

    def scan(self) -> None:
        """Look at the folders: open what came, notice what was rotated, drop what went and is read."""
        before, self._at = self._at, {}
        for path in self._matching():
            try:
                self._at[path] = key_of(path)
            except OSError:
                # gone between glob and here, a dangling or looping link, or not allowed: looked at again next time
                continue
        looked_for = {path for path in before if self._at.get(path) != before[path]}
        looked_for |= {path for path in self._at if path not in before}
        looked_for |= self._in_changed_folders()
        for tail in self._damaged.changed():
            self._archives_done.pop(tail.key, None)
            looked_for.add(tail.shown_path)
        if not before:
            looked_for |= {path for path in (*self._patterns, *self._spans.newest) if self._matches(path)}
        for path in sorted(looked_for | self._unsure.keys()):
            self._take_rotated(path)
        for cut in self._streams.losses.take_cuts():
            self._streams.losses.told_cut(cut, self._take_rotated(cut.path, cut))
        all_taken = True
        for path, key in self._at.items():
            if key not in self.tails and not self._is_done(path, key) and not self._has_room():
                all_taken = False  # the next look has room, when some of the others are read
                continue
            taken = self._take(path, path)
            if taken is not None:
                self._spans.begin(path, taken.mtime())
        self._mark_gone()
        if all_taken:
            self._tell_gone()
        self._tell_partial()
        self._keep_few_open()

    def _in_changed_folders(self) -> set[str]:
        """Logs in folders in which a file came or went: a copy of what was written and cut between two looks may be there."""
        found: set[str] = set()
        for folder in {str(Path(path).parent) for path in self._at}:
            looks = looks_of(folder)
            if looks != self._folders.get(folder):
                self._folders[folder] = looks
                found |= {path for path in self._at if str(Path(path).parent) == folder}
        return found

    def _tell_gone(self) -> None:
        """Once, when every file that is there has been looked into: what an earlier run read last and nobody holds now."""
        self._passes += 1
        if self._passes != 2:
            return
        for path, position in self._spans.newest_known.items():
            if position.stream not in self._streams.seen and self._matches(path):
                self._streams.losses.gone_meanwhile(path, position)

    def _tell_partial(self) -> None:
        now = self._streams.losses.clock()
        for tail in self.tails.values():
            since = tail.partial_since
            if since is not None and not tail.finite and (now - since).total_seconds() >= PARTIAL_SECONDS:
                self._streams.losses.partial(tail, since)

    def _matching(self) -> list[str]:
        return sorted({path for pattern in self._patterns for path in expand(pattern)})

    def _matches(self, path: str) -> bool:
        return any(path == pattern or fnmatch(path, pattern) for pattern in self._patterns)

    def _take(self, path: str, shown_path: str) -> Tail | None:
        try:
            key = key_of(path)
            if (known := self.tails.get(key)) is not None:
                if known.content is None:
                    known.path = path
                return known
            if self._is_done(path, key):
                return None
            tail = Tail(path, shown_path, key)
            if tail.held_key() != key:  # rotated between the two calls: the next look sees it as it is
                tail.park()
                return None
        except OSError as error:
            log.debug("file cannot be opened", extra={"path": path, "error": str(error)})
            return None
        tail.grew_at = self._monotonic()
        self.tails[key] = tail
        return tail

    def _is_done(self, path: str, key: Key) -> bool:
        """Whether it is an archive that was read to its end."""
        return key in self._archives_done and self._archives_done[key] == looks_of(path)

    def _take_rotated(self, path: str, cut: Cut | None = None) -> str | None:
        """Open the rotated files of a log that hold lines nobody read: of a stream that is known and not read to its
        end, or of one that came after all that was read.

        Returns:
            Which of them holds the content that was cut (`cut`).
        """
        unknown: list[Sibling] = []
        copy: str | None = None
        self._unsure.pop(path, None)
        for sibling in siblings(path):
            if (known := self.tails.get(sibling.key)) is not None or sibling.path in self._at:
                if cut is not None and known is not None and known.content_id == cut.content_id:
                    copy = sibling.path
                continue
            tail = self._take(sibling.path, path)
            if tail is None:
                continue
            try:
                known_content = tail.identify(self._streams, final=True)
            except OSError:  # gone meanwhile
                self._drop(tail)
                continue
            if not known_content:
                self._leave(tail, path)
                continue
            if cut is not None and tail.content_id == cut.content_id:
                copy = sibling.path
            if (position := self._streams.position(tail.stream)) is None:
                unknown.append(sibling)
            else:
                self._spans.note(path, position)
                if tail.content is not None and not tail.content.at(tail.offset, 1) and not tail.damage:
                    self._drop(tail)
        self._choose(path, unknown)
        return copy

    def _leave(self, tail: Tail, path: str) -> None:
        """An archive of which nothing can be read yet, or nothing is in it, may still be written: it is looked into again."""
        copying = time.time() - tail.mtime() < self._quiet_seconds
        again = not self._damaged.is_still(tail) if tail.finite else copying
        tail.finite = tail.finite and not again  # else it would count as done
        self._drop(tail)
        if again:
            self._unsure[path] = None

    def _choose(self, path: str, unknown: list[Sibling]) -> None:
        fresh = self._spans.overlooked(path, unknown)
        for sibling in unknown:
            if sibling not in fresh:
                self._drop(self.tails[sibling.key])
            else:
                log.info("reading a rotated file that nobody has read", extra={"path": sibling.path})
        newest = self._spans.newest.get(path)
        if newest is not None and self._passes == 0:
            for name, start, end in missing_numbers(path, fresh, newest):
                self._streams.losses.missing(name, path, start, end)

    def _mark_gone(self) -> None:
        here = set(self._at.values())
        for tail in self.tails.values():
            if tail.key in here:
                tail.gone_since = None
            elif tail.gone_since is None:
                tail.gone_since = self._monotonic()

    def _has_room(self) -> bool:
        """For one more open file; some are closed to make it."""
        self._keep_few_open(spare=1)
        return sum(tail.content is not None for tail in self.tails.values()) < self._most_open

    def _keep_few_open(self, spare: int = 0) -> None:
        """Hand back the descriptors of the files that have been still for longest and are read to their end."""
        held = [tail for tail in self.tails.values() if tail.content is not None]
        excess = len(held) + spare - self._most_open
        if excess <= 0:
            return
        still = [tail for tail in held if tail.stream and not tail.finite and tail.gone_since is None]
        for tail in sorted(still, key=lambda tail: tail.grew_at)[:excess]:
            if tail.offset >= tail.size():
                tail.park()

    def blocks(self, registry: str | None) -> Iterable[Block]:
        """One block of each file that has one: what is left of rotated files first."""
        for tail in sorted(self.tails.values(), key=lambda tail: tail.gone_since is None):
            if tail.ended or not self._readable(tail):
                continue
            try:
                block = tail.block(self._streams, registry, final=self._finished(tail))
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
                self._find_renamed(tail)  # a network file system: the server has deleted what is held open here
                continue
            if block is not None:
                tail.grew_at = self._monotonic()
                self._spans.note(tail.shown_path, block.after)
                yield block
            elif self._finished(tail):
                self._drop(tail)

    def _readable(self, tail: Tail) -> bool:
        """A parked file is opened again when its size says that there is something to read."""
        if tail.content is not None:
            return True
        try:
            if key_of(tail.path) != tail.key:
                return self._find_renamed(tail)
            if tail.path_size() == tail.offset or not self._has_room():
                return False
            tail.reopen()
        except OSError:
            return self._find_renamed(tail)
        return True

    def _find_renamed(self, tail: Tail) -> bool:
        for sibling in siblings(tail.path):
            if sibling.key == tail.key:
                tail.path = sibling.path
                try:
                    tail.reopen()
                except OSError:
                    break
                return True
        stream = tail.stream
        self._drop(tail)
        self._streams.seen.discard(stream)
        self._take_rotated(tail.path)  # compressed meanwhile, it is another file with the same content
        if stream and stream not in self._streams.seen:
            log.warning(
                "file went away while it was not held open; lines written to it since are lost",
                extra={"path": tail.path, "read_to": tail.offset},
            )
            self._streams.losses.gone(tail)
        return False

    def _finished(self, tail: Tail) -> bool:
        """Nothing will follow: an archive, or a file that has lost its name and was quiet for a while."""
        if tail.finite:
            return not tail.breaks_off() or self._damaged.is_still(tail)
        now = self._monotonic()
        gone = tail.gone_since is not None and now - tail.gone_since >= self._quiet_seconds
        return gone and now - tail.grew_at >= self._quiet_seconds

    def _drop(self, tail: Tail) -> None:
        if tail.finite:
            self._damaged.give_up(tail)
            self._archives_done[tail.key] = tail.looks
        tail.close(self._streams)
        self.tails.pop(tail.key, None)

    def unread(self) -> int:
        """Bytes in the files and not yet handed on. Asked from another thread: a file that is closed meanwhile counts
        0.
        """
        total = 0
        for tail in list(self.tails.values()):
            try:
                total += max(0, tail.size() - tail.offset)
            except OSError:
                continue
        return total

    def close(self) -> None:
        for tail in list(self.tails.values()):
            tail.close(self._streams)
        self.tails.clear()
